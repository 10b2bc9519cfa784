import type { Ingress, Node, Service } from '../../../api/types';
import { ingressAddresses, namesService, unservedBackends } from './plan';

const node = (address: string, ports: string | undefined, more: object = {}): Node =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: address,
      ...(ports === undefined ? {} : { annotations: { 'dhow.dev/ingress-ports': ports } }),
      ...more,
    },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address }],
    },
  }) as unknown as Node;

it('gives the addresses of nodes that are ready, not excluded, and serve ingresses', () => {
  const excluded = { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } };
  const lost = node('192.0.2.6', '80,443');
  const nodes = [
    node('192.0.2.2', '443'),
    node('192.0.2.1', '80,443'),
    node('192.0.2.3', 'none'),
    node('192.0.2.4', undefined),
    node('192.0.2.5', '80,443', excluded),
    { ...lost, status: { ...lost.status, conditions: [{ type: 'Ready', status: 'Unknown' }] } },
  ] as Node[];
  expect(ingressAddresses(nodes)).toEqual(['192.0.2.1', '192.0.2.2']);
  expect(ingressAddresses([])).toEqual([]);
});

const ingress = (spec: object): Ingress => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { namespace: 'ns', name: 'web' },
  spec,
});
const to = (name: string) => ({ service: { name, port: { number: 80 } } });
const services = new Map([
  ['ns/web', { spec: { type: 'ClusterIP' } }],
  ['ns/away', { spec: { type: 'ExternalName', externalName: 'example.com' } }],
  ['other/web', { spec: { type: 'ExternalName', externalName: 'example.com' } }],
]);
const serviceAt = (key: string) => services.get(key) as Service | undefined;

it('says once of each backend that is no service in the cluster that it is none', () => {
  const bucket = { resource: { apiGroup: 'example.com', kind: 'Bucket', name: 'assets' } };
  const backends = [to('web'), to('none-yet'), to('away'), to('away'), bucket];
  const paths = backends.map((backend) => ({ path: '/', pathType: 'Prefix', backend }));
  const spec = { defaultBackend: bucket, rules: [{}, { http: { paths } }] };
  expect(unservedBackends(ingress(spec), serviceAt)).toEqual([
    'Bucket.example.com "assets" is no Service',
    'service "away" is of type ExternalName',
  ]);
  expect(unservedBackends(ingress({ defaultBackend: to('web') }), serviceAt)).toEqual([]);
  expect(namesService(ingress(spec), 'web')).toBe(true);
  expect(namesService(ingress(spec), 'other')).toBe(false);
});
