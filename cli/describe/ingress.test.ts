import type { ApiObject } from '../../api/types';
import { describeObject } from './describe';

const of = (kind: string, name: string, spec: object, more: object = {}): ApiObject => ({
  apiVersion: kind.startsWith('Ingress') ? 'networking.k8s.io/v1' : 'v1',
  ...{ kind, metadata: { name, namespace: 'default' }, spec, ...more },
});
const service = of('Service', 'web', { ports: [{ name: 'http', port: 80 }, { port: 81 }] });
const slice = {
  metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: [2, 3, 4, 5].map((i) => ({ addresses: [`10.244.0.${i}`], conditions: {} })),
};
const others = { ...slice, metadata: { labels: { 'kubernetes.io/service-name': 'other' } } };
const described = (object: ApiObject) =>
  describeObject(object, {
    ...{ events: [], pods: [], nowMs: 0 },
    ...{ services: [service] as never, slices: [slice, others] as never },
  });
const to = (name: string, port: object) => ({ service: { name, port } });

it('tells of an ingress where its paths lead', () => {
  const paths = [
    { path: '/', pathType: 'Prefix', backend: to('web', { number: 80 }) },
    { path: '/named', pathType: 'Exact', backend: to('web', { name: 'http' }) },
    { path: '/none', pathType: 'Exact', backend: to('web', { number: 81 }) },
    { path: '/lost', pathType: 'Exact', backend: to('lost', { number: 80 }) },
  ];
  const resource = { apiGroup: 'example.com', kind: 'Bucket', name: 'assets' };
  const spec = {
    ...{ ingressClassName: 'dhow', defaultBackend: { resource } },
    tls: [{ hosts: ['a.example', 'b.example'], secretName: 'cert' }, { hosts: ['c.example'] }],
    rules: [{ host: 'a.example', http: { paths } }, { host: 'bare.example' }],
  };
  const ingress = [{ ip: '192.0.2.2' }, { ip: '192.0.2.1' }];
  expect(described(of('Ingress', 'web', spec, { status: { loadBalancer: { ingress } } }))).toBe(
    `Name:             web
Labels:           <none>
Namespace:        default
Address:          192.0.2.1,192.0.2.2
Ingress Class:    dhow
Default backend:  APIGroup: example.com, Kind: Bucket, Name: assets
TLS:
  cert terminates a.example,b.example
  SNI routes c.example
Rules:
  Host        Path  Backends
  ----        ----  --------
  a.example
              /        web:80 (10.244.0.2:8080,10.244.0.3:8080,10.244.0.4:8080 + 1 more...)
              /named   web:http (10.244.0.2:8080,10.244.0.3:8080,10.244.0.4:8080 + 1 more...)
              /none    web:81 (<none>)
              /lost    lost:80 (<error: services "lost" not found>)
Annotations:  <none>
Events:       <none>
`,
  );
});

it('tells of one without rules where all goes, and of a class who serves it', () => {
  expect(described(of('Ingress', 'all', { defaultBackend: to('web', { number: 80 }) }))).toContain(
    `
Rules:
  Host        Path  Backends
  ----        ----  --------
  *           *     web:80 (10.244.0.2:8080,10.244.0.3:8080,10.244.0.4:8080 + 1 more...)
`,
  );
  const parameters = { apiGroup: 'example.com', kind: 'Settings', name: 'one' };
  const spec = { controller: 'example.com/ingress', parameters };
  expect(described(of('IngressClass', 'other', spec))).toBe(
    `Name:         other
Labels:       <none>
Annotations:  <none>
Controller:   example.com/ingress
Parameters:
  APIGroup:  example.com
  Kind:      Settings
  Name:      one
Events:      <none>
`,
  );
});
