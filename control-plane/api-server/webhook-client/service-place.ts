import { SERVICE_NAME_LABEL } from '../../../api/endpoint-slices';
import { ApiError } from '../../../api/errors';
import { ENDPOINT_SLICES, qualifiedName, SERVICES, type Resource } from '../../../api/resources';
import type { ApiObject, EndpointSlice, Service } from '../../../api/types';
import type { Random } from '../../../lib/random';
import type { WatchCaches } from '../../store/watch-cache';
import type { ResolveService } from './target';

/** Finds services in what is stored, and picks one of their endpoints for each call. */
export const cachedServices = (caches: WatchCaches, random: Random): ResolveService => {
  const listed = <T extends ApiObject>(resource: Resource<T>, namespace: string) =>
    caches
      .of(qualifiedName(resource))
      .list(namespace)
      .items.map(({ object }) => object as T);
  return async (namespace, name, port) => {
    const service = caches.of(qualifiedName(SERVICES)).get(namespace, name)?.object;
    if (service === undefined)
      throw new ApiError('NotFound', `service ${JSON.stringify(name)} not found`);
    const slices = listed(ENDPOINT_SLICES, namespace).filter(
      ({ metadata }) => metadata.labels?.[SERVICE_NAME_LABEL] === name,
    );
    const places = placesOf(service, slices, port);
    return places[Math.floor(random.next() * places.length)] as Address;
  };
};

interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Pure: where the port of a service is answered, at least one place. The control plane may have no way to
 * addresses of services, so that it goes to the endpoints themselves, as upstream does with
 * `--enable-aggregator-routing`. @throws ApiError ServiceUnavailable, in upstream's words
 */
export const placesOf = (
  { metadata: { name }, spec = {} }: Service,
  slices: readonly EndpointSlice[],
  port: number,
): readonly Address[] => {
  if (spec.type === 'ExternalName') return [{ host: spec.externalName ?? '', port }];
  const served = spec.ports?.find((one) => one.port === port && isTcp(one.protocol));
  if (served === undefined)
    throw new ApiError('ServiceUnavailable', `no service port ${port} found for service "${name}"`);
  const places = slices
    .filter(({ addressType }) => addressType !== 'FQDN')
    .flatMap((slice) => placesIn(slice, served.name ?? ''));
  if (places.length === 0)
    throw new ApiError('ServiceUnavailable', `no endpoints available for service "${name}"`);
  return places;
};

const placesIn = ({ endpoints, ports }: EndpointSlice, name: string): readonly Address[] => {
  const port = ports?.find((one) => (one.name ?? '') === name && isTcp(one.protocol))?.port;
  if (port === undefined) return [];
  return endpoints
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses }) => addresses.slice(0, 1).map((host) => ({ host, port })));
};

const isTcp = (protocol: string | undefined): boolean => (protocol ?? 'TCP') === 'TCP';
