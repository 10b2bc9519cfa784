import { isIPv6 } from 'node:net';
import { ENDPOINT_SLICE_KIND } from '../../../api/kinds/endpoint-slice';
import { ENDPOINTS_KIND } from '../../../api/kinds/endpoints';
import type { ApiObject } from '../../../api/types';
import { AGE, NAME, orNone, printer, text } from '../printing/columns';
import { isFields, listAt, numberAt, textAt, valueAt, type MutableObject } from './mutable';
import { PLAIN, serveKind, type ServedKind, type Strategy } from './served-kind';

/** Where a service leads to, one per service. Source: KEP-4974 deprecates it. */
export const ENDPOINTS: ServedKind = {
  ...serveKind(ENDPOINTS_KIND, {
    strategy: { ...PLAIN, createsOnUpdate: true },
    printer: printer(NAME, text('Endpoints', readyEndpoints), AGE),
  }),
  deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
};

/** Only clients of v1beta1, which is gone, could say it. */
const dropTopology = (slice: MutableObject): void => {
  for (const endpoint of listAt(slice, 'endpoints'))
    if (isFields(endpoint)) Reflect.deleteProperty(endpoint, 'deprecatedTopology');
};

const SLICE_STRATEGY: Strategy = {
  ...PLAIN,
  hasGeneration: true,
  prepareCreate: dropTopology,
  prepareUpdate: dropTopology,
};

export const ENDPOINT_SLICE = serveKind(ENDPOINT_SLICE_KIND, {
  strategy: SLICE_STRATEGY,
  printer: printer(
    NAME,
    text('AddressType', (slice) => textAt(slice, 'addressType')),
    text('Ports', (slice) => firstOf(listAt(slice, 'ports').map(portOf)) || UNSET),
    text(
      'Endpoints',
      (slice) =>
        firstOf(
          listAt(slice, 'endpoints').flatMap((each) => listAt(each, 'addresses').map(String)),
        ) || UNSET,
    ),
    AGE,
  ),
});

function readyEndpoints(endpoints: ApiObject): string {
  const subsets = listAt(endpoints, 'subsets');
  if (subsets.length === 0) return orNone('');
  const pairs = subsets.flatMap((subset) =>
    listAt(subset, 'ports').flatMap((port) =>
      listAt(subset, 'addresses').map((address) => {
        const ip = textAt(address, 'ip');
        return `${isIPv6(ip) ? `[${ip}]` : ip}:${numberAt(port, 'port')}`;
      }),
    ),
  );
  return firstOf(pairs);
}

const portOf = (port: unknown): string =>
  valueAt(port, 'port') === undefined
    ? textAt(port, 'name') || '*'
    : String(numberAt(port, 'port'));

/** As many as a column has room for. */
const firstOf = (all: readonly string[]): string => {
  const shown = all.slice(0, SHOWN_MAX).join(',');
  return all.length > SHOWN_MAX ? `${shown} + ${all.length - SHOWN_MAX} more...` : shown;
};

const SHOWN_MAX = 3;
const UNSET = '<unset>';
