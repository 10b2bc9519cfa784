import type { EndpointSlice, Service } from '../../../api/types';
import { placesOf } from './service-place';

const service = (spec: object): Service => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } },
  spec: { type: 'ClusterIP', ports: [{ name: 'https', port: 443, protocol: 'TCP' }], ...spec },
});

const slice = (endpoints: object[], change: object = {}): EndpointSlice =>
  ({
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 's-1' } },
    ...{ addressType: 'IPv4', endpoints },
    ports: [{ name: 'https', port: 8443, protocol: 'TCP' }],
    ...change,
  }) as EndpointSlice;

const ready = { addresses: ['10.42.0.2'], conditions: { ready: true } };

it('are those of the ready endpoints, at their own port', () => {
  const ending = { addresses: ['10.42.0.3'], conditions: { ready: false, serving: true } };
  const unsaid = { addresses: ['10.42.0.4'] };
  const places = placesOf(service({}), [slice([ready, ending]), slice([unsaid])], 443);
  expect(places).toEqual([
    { host: '10.42.0.2', port: 8443 },
    { host: '10.42.0.4', port: 8443 },
  ]);
});

it('is, of a name for another host, that host', () => {
  const external = service({ type: 'ExternalName', externalName: 'hooks.example', ports: [] });
  expect(placesOf(external, [], 8443)).toEqual([{ host: 'hooks.example', port: 8443 }]);
});

const NO_PORT = 'no service port 443 found for service "s"';
const NO_ENDPOINTS = 'no endpoints available for service "s"';

it.each<[string, Service, EndpointSlice[], string]>([
  ['another port', service({ ports: [{ port: 80 }] }), [slice([ready])], NO_PORT],
  ['no TCP', service({ ports: [{ port: 443, protocol: 'UDP' }] }), [slice([ready])], NO_PORT],
  ['no slice', service({}), [], NO_ENDPOINTS],
  [
    'nobody ready',
    service({}),
    [slice([{ ...ready, conditions: { ready: false } }])],
    NO_ENDPOINTS,
  ],
  ['a port of another name', service({}), [slice([ready], { ports: [{ port: 1 }] })], NO_ENDPOINTS],
  ['names alone', service({}), [slice([ready], { addressType: 'FQDN' })], NO_ENDPOINTS],
])('are none with %s', (_title, of, slices, message) => {
  expect(() => placesOf(of, slices, 443)).toThrow(message);
});
