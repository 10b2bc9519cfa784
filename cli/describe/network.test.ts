import type { ApiObject } from '../../api/types';
import { describeObject } from './describe';

const metadata = { name: 'web', namespace: 'default' };
const service = (spec: object, more: object = {}): ApiObject =>
  ({ ...{ apiVersion: 'v1', kind: 'Service', metadata }, spec, ...more }) as ApiObject;
const slice = (addresses: readonly string[], more: object = {}): ApiObject =>
  ({
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: {
      ...{ name: 'web-1', namespace: 'default' },
      labels: { 'kubernetes.io/service-name': 'web' },
    },
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    endpoints: addresses.map((address) => ({
      ...{ addresses: [address], conditions: { ready: true }, nodeName: 'node-1' },
      targetRef: { kind: 'Pod', name: `web-${address}` },
    })),
    ...more,
  }) as ApiObject;
const described = (object: ApiObject, slices: readonly ApiObject[] = []) =>
  describeObject(object, { events: [], pods: [], slices: slices as never, nowMs: 0 });

it('tells of a service what it is, and the first who are behind it', () => {
  const spec = {
    ...{ type: 'NodePort', clusterIP: '10.96.122.30', clusterIPs: ['10.96.122.30'] },
    ...{ ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack', selector: { app: 'web' } },
    ports: [{ name: 'http', port: 80, targetPort: 80, protocol: 'TCP', nodePort: 30_080 }],
    ...{ sessionAffinity: 'None', externalTrafficPolicy: 'Cluster' },
    internalTrafficPolicy: 'Cluster',
  };
  const unready = slice(['10.244.0.9'], {
    endpoints: [{ addresses: ['10.244.0.9'], conditions: { ready: false } }],
  });
  const behind = [
    slice(['10.244.0.4', '10.244.0.5']),
    unready,
    slice(['10.244.0.6', '10.244.0.7']),
  ];
  expect(described(service(spec), behind)).toBe(
    `Name:                     web
Namespace:                default
Labels:                   <none>
Annotations:              <none>
Selector:                 app=web
Type:                     NodePort
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       10.96.122.30
IPs:                      10.96.122.30
Port:                     http  80/TCP
TargetPort:               80/TCP
NodePort:                 http  30080/TCP
Endpoints:                10.244.0.4:80,10.244.0.5:80,10.244.0.6:80 + 1 more...
Session Affinity:         None
External Traffic Policy:  Cluster
Internal Traffic Policy:  Cluster
Events:                   <none>
`,
  );
});

it('tells of a balancer, and of a name elsewhere, what only they have', () => {
  const spec = {
    ...{ type: 'LoadBalancer', loadBalancerIP: '192.0.2.1', externalIPs: ['192.0.2.2'] },
    ...{ healthCheckNodePort: 30_001, loadBalancerSourceRanges: ['192.0.2.0/24'] },
  };
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'VIP' }] } };
  const text = described(service(spec, { status }));
  expect(text).toMatch(/^External IPs: +192\.0\.2\.2$/m);
  expect(text).toMatch(/^Desired LoadBalancer IP: +192\.0\.2\.1$/m);
  expect(text).toMatch(/^LoadBalancer Ingress: +192\.0\.2\.1 \(VIP\)$/m);
  expect(text).toMatch(/^HealthCheck NodePort: +30001$/m);
  expect(text).toMatch(/^LoadBalancer Source Ranges: +192\.0\.2\.0\/24$/m);
  const elsewhere = described(service({ type: 'ExternalName', externalName: 'a.example' }));
  expect(elsewhere).toMatch(/^External Name: +a\.example$/m);
  expect(elsewhere).toMatch(/^IPs: +<none>$/m);
});

it('lists the endpoints of a slice', () => {
  expect(described(slice(['10.244.0.34']))).toBe(
    `Name:         web-1
Namespace:    default
Labels:       kubernetes.io/service-name=web
Annotations:  <none>
AddressType:  IPv4
Ports:
  Name  Port  Protocol
  ----  ----  --------
  http  80    TCP
Endpoints:
  - Addresses:  10.244.0.34
    Conditions:
      Ready:    true
    Hostname:   <unset>
    TargetRef:  Pod/web-10.244.0.34
    NodeName:   node-1
    Zone:       <unset>
Events:         <none>
`,
  );
  const empty = described(slice([], { ports: [] }));
  expect(empty).toMatch(/^Ports: +<unset>\nEndpoints: +<none>$/m);
});

it('lists the subsets of Endpoints', () => {
  const subsets = [{ addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }], ports: [{ port: 80 }] }];
  const text = described({ ...service({}), kind: 'Endpoints', subsets } as ApiObject);
  expect(text).toContain(
    `Subsets:
  Addresses:          10.0.0.1,10.0.0.2
  NotReadyAddresses:  <none>
  Ports:
    Name     Port  Protocol
    ----     ----  --------
    <unset>  80    TCP

Events:  <none>
`,
  );
});

it('says whom a policy lets in, and where out', () => {
  const policy = (spec: object): ApiObject =>
    ({
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
      metadata: { ...metadata, creationTimestamp: '2026-11-25T02:43:21Z' },
      spec,
    }) as ApiObject;
  const from = [{ podSelector: { matchLabels: { role: 'fe' } } }];
  const ingress = [{ from, ports: [{ port: 80, protocol: 'TCP' }] }];
  const podSelector = { matchLabels: { app: 'web' } };
  expect(described(policy({ podSelector, ingress, policyTypes: ['Ingress'] }))).toBe(
    `Name:         web
Namespace:    default
Created on:   2026-11-25 02:43:21 +0000 UTC
Labels:       <none>
Annotations:  <none>
Spec:
  PodSelector:     app=web
  Allowing ingress traffic:
    To Port: 80/TCP
    From:
      PodSelector: role=fe
  Not affecting egress traffic
  Policy Types: Ingress
`,
  );
  const to = [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16', '10.2.0.0/16'] } }];
  const both = described(
    policy({ podSelector: {}, egress: [{ to }, {}], policyTypes: ['Ingress', 'Egress'] }),
  );
  expect(both.slice(both.indexOf('Spec:'))).toBe(
    `Spec:
  PodSelector:     <none> (Allowing the specific traffic to all pods in this namespace)
  Allowing ingress traffic:
    <none> (Selected pods are isolated for ingress connectivity)
  Allowing egress traffic:
    To Port: <any> (traffic allowed to all ports)
    To:
      IPBlock:
        CIDR: 10.0.0.0/8
        Except: 10.1.0.0/16, 10.2.0.0/16
    ----------
    To Port: <any> (traffic allowed to all ports)
    To: <any> (traffic not restricted by destination)
  Policy Types: Ingress, Egress
`,
  );
});
