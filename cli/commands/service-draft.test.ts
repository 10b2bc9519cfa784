import type { ApiObject } from '../../api/types';
import { serviceDraft } from './service-draft';

const objectOf = (kind: string, spec: object, labels?: object): ApiObject =>
  ({
    ...{ apiVersion: 'v1', kind, spec },
    metadata: { name: 'web', ...(labels === undefined ? {} : { labels }) },
  }) as ApiObject;
const containers = [
  { ports: [{ containerPort: 80 }, { containerPort: 53, protocol: 'UDP' }] },
  { ports: [{ containerPort: 9 }] },
];
const DEPLOYMENT = objectOf(
  'Deployment',
  { selector: { matchLabels: { app: 'web' } }, template: { spec: { containers } } },
  { tier: 'front' },
);

it('leads to the pods of a workload, by the ports that they declare', () => {
  expect(serviceDraft(DEPLOYMENT, {})).toEqual({
    ...{ apiVersion: 'v1', kind: 'Service' },
    metadata: { name: 'web', labels: { tier: 'front' } },
    spec: {
      selector: { app: 'web' },
      ports: [
        { name: 'port-1', port: 80, protocol: 'TCP', targetPort: 80 },
        { name: 'port-2', port: 53, protocol: 'UDP', targetPort: 53 },
        { name: 'port-3', port: 9, protocol: 'TCP', targetPort: 9 },
      ],
    },
    status: { loadBalancer: {} },
  });
});

it('is as its author wishes', () => {
  const wishes = {
    ...{ name: 'front', port: '53', targetPort: 'dns', type: 'NodePort', externalIp: '192.0.2.1' },
    ...{ selector: 'a=b,c=d', labels: 'e=f', sessionAffinity: 'ClientIP' },
  };
  expect(serviceDraft(DEPLOYMENT, wishes)).toMatchObject({
    metadata: { name: 'front', labels: { e: 'f' } },
    spec: {
      ports: [{ port: 53, protocol: 'UDP', targetPort: 'dns' }],
      selector: { a: 'b', c: 'd' },
      ...{ type: 'NodePort', externalIPs: ['192.0.2.1'], sessionAffinity: 'ClientIP' },
    },
  });
});

it('follows pods, services and replication controllers too', () => {
  const pod = objectOf('Pod', { containers: [{ ports: [{ containerPort: 8080 }] }] }, { a: 'b' });
  expect(serviceDraft(pod, {})).toMatchObject({
    spec: { selector: { a: 'b' }, ports: [{ port: 8080, protocol: 'TCP', targetPort: 8080 }] },
  });
  const controller = objectOf('ReplicationController', {
    selector: { a: 'c' },
    template: { spec: { containers } },
  });
  expect(serviceDraft(controller, { port: '80' })).toMatchObject({
    spec: { selector: { a: 'c' }, ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] },
  });
  const other = objectOf('Service', {
    selector: { a: 'b' },
    ports: [{ port: 5, protocol: 'UDP' }],
  });
  expect(serviceDraft(other, { name: 'b' })).toMatchObject({
    metadata: { name: 'b' },
    spec: { selector: { a: 'b' }, ports: [{ port: 5, protocol: 'UDP', targetPort: 5 }] },
  });
});

it('needs no port where it has no address', () => {
  const pod = objectOf('Pod', { containers: [{}] }, { a: 'b' });
  expect(() => serviceDraft(pod, {})).toThrow(
    "couldn't find port via --port flag or introspection",
  );
  expect(serviceDraft(pod, { clusterIp: 'None' })).toMatchObject({ spec: { clusterIP: 'None' } });
});

it.each([
  [objectOf('StatefulSet', {}), { port: '1' }, 'cannot expose a StatefulSet'],
  [objectOf('Pod', {}), { port: '1' }, 'the pod has no labels and cannot be exposed'],
  [objectOf('Service', {}), { port: '1' }, 'the service has no pod selector set'],
  [objectOf('ReplicaSet', {}), { port: '1' }, 'no selectors, therefore cannot be exposed'],
  [DEPLOYMENT, { port: 'x' }, '--port takes ports'],
  [DEPLOYMENT, { port: '1', selector: 'a' }, 'unexpected label spec: a'],
])('refuses what cannot be: %#', (object, wishes, why) => {
  expect(() => serviceDraft(object, wishes)).toThrow(why);
});
