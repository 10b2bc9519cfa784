import type * as core from 'kubernetes-types/core/v1';
import type * as discovery from 'kubernetes-types/discovery/v1';

/** Changes the endpoints in place. */
export const defaultEndpoints = ({ subsets = [] }: core.Endpoints): void => {
  for (const { ports = [] } of subsets)
    for (const port of ports) if ((port.protocol ?? '') === '') port.protocol = 'TCP';
};

/** Changes the slice in place. A list that is left out is null, as Go writes it. */
export const defaultEndpointSlice = ({
  ports,
}: {
  ports?: discovery.EndpointPort[] | null;
}): void => {
  for (const port of ports ?? []) {
    port.name ??= '';
    port.protocol ??= 'TCP';
  }
};
