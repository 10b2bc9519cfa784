import { notEndpointsOf } from './not-endpoints';
import type { Pod, Service } from './types';

const service = (spec: object = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'ns' },
  spec: {
    clusterIP: '10.96.0.7',
    selector: { app: 'web', tier: 'front' },
    ports: [{ port: 80, targetPort: 'http' }],
    ...spec,
  },
});

const LABELS = { app: 'web', tier: 'front' };

const pod = (name: string, labels: object = LABELS, status: object = {}, more: object = {}): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'ns', labels, ...more },
    spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 80 }] }] },
    status: {
      phase: 'Running',
      podIPs: [{ ip: '10.42.0.2' }],
      conditions: [{ type: 'Ready', status: 'True' }],
      ...status,
    },
  }) as Pod;

const reasons = (of: Service, ...pods: readonly Pod[]) =>
  notEndpointsOf(of, pods).map((each) => each.reason);

const UNREADY = {
  conditions: [],
  containerStatuses: [
    { name: 'c', ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } } },
  ],
};
const GOING = { deletionTimestamp: '2026-01-01T00:00:00Z' };

it.each<[string, Pod, string | undefined]>([
  ['serves', pod('p'), undefined],
  ['has nothing to do with it', pod('p', { app: 'db', tier: 'back' }), undefined],
  ['has no labels', pod('p', {}), undefined],
  ['is elsewhere', pod('p', { app: 'web' }, {}, { namespace: 'other' }), undefined],
  ['lacks a label', pod('p', { app: 'web' }), 'label tier is missing, "front" is wanted'],
  [
    'has another value',
    pod('p', { app: 'web', tier: 'back' }),
    'label tier is "back", "front" is wanted',
  ],
  [
    'has nearly the values',
    pod('p', { app: 'Web', tier: 'frontend' }),
    'label app is "Web", "web" is wanted; label tier is "frontend", "front" is wanted',
  ],
  ['is not ready', pod('p', LABELS, { conditions: [] }), 'it is not ready'],
  ['fails', pod('p', LABELS, UNREADY), 'it is not ready: container "c" waits: CrashLoopBackOff'],
  ['is going', pod('p', LABELS, {}, GOING), 'it is terminating'],
  ['has ended', pod('p', LABELS, { phase: 'Succeeded' }), 'it has ended: Succeeded'],
  ['has no address', pod('p', LABELS, { podIPs: [] }), 'it has no address yet'],
  [
    'has none of the family',
    pod('p', LABELS, { podIPs: [{ ip: 'fd00::1' }] }),
    'it has no address of the families of the service: IPv4',
  ],
])('says of a pod that %s why it is no endpoint', (_what, subject, reason) => {
  expect(reasons(service(), subject)).toEqual(reason === undefined ? [] : [reason]);
});

it('says when no port of the name is there', () => {
  expect(reasons(service({ ports: [{ port: 80, targetPort: 'web' }] }), pod('p'))).toEqual([
    'no container of it has a port of the name "web"',
  ]);
});

it('says nothing of pods that are published anyway, nor for a service without a selector', () => {
  expect(reasons(service({ publishNotReadyAddresses: true }), pod('p', LABELS, UNREADY))).toEqual(
    [],
  );
  expect(reasons(service({ selector: {} }), pod('p', {}, UNREADY))).toEqual([]);
});
