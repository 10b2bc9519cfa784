import { keyOf, type PersistentVolume, type PersistentVolumeClaim } from '../../../api/types';
import { decide } from '../decide';
import { explainNodes } from '../explain';
import { podInfoOf } from '../pod-info';
import { Snapshot } from '../snapshot';
import { suggest } from '../suggest';
import { testNode, testPod } from '../testing';
import { VolumeView } from './volume-view';

const BOUND = { 'pv.kubernetes.io/bind-completed': 'yes' };

const on = (...nodes: readonly string[]) => ({
  required: {
    nodeSelectorTerms: [
      { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [...nodes] }] },
    ],
  },
});

const volume = (name: string, nodes: readonly string[], storage = '1Gi'): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, uid: `uid-${name}` },
  spec: {
    ...{ capacity: { storage }, accessModes: ['ReadWriteOnce'], storageClassName: 'local' },
    ...{ local: { path: '/srv' }, nodeAffinity: on(...nodes) },
  },
  status: { phase: 'Available' },
});

interface ClaimOptions {
  readonly spec?: object;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly deletionTimestamp?: string;
  readonly phase?: string;
}

const claim = (
  name: string,
  { spec = {}, annotations = {}, phase = 'Pending', ...more }: ClaimOptions = {},
): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'default', uid: `uid-${name}`, annotations, ...more },
  spec: {
    ...{ accessModes: ['ReadWriteOnce'], storageClassName: 'local' },
    resources: { requests: { storage: '1Gi' } },
    ...spec,
  },
  status: { phase },
});

const using = (name: string, ...claims: readonly string[]) =>
  testPod(name, {
    volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
  });

const setUp = (
  claims: readonly PersistentVolumeClaim[],
  volumes: readonly PersistentVolume[] = [],
  storageClass: object = {},
) => {
  const snapshot = new Snapshot();
  for (const name of ['n1', 'n2', 'n3']) snapshot.setNode(testNode(name));
  const local = {
    ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'local' } },
    ...{ provisioner: 'kubernetes.io/no-provisioner', volumeBindingMode: 'WaitForFirstConsumer' },
    ...storageClass,
  };
  const cache = <T extends Parameters<typeof keyOf>[0]>(objects: readonly T[]) => ({
    get: (key: string) => objects.find((each) => keyOf(each) === key),
    list: () => objects,
  });
  const view = new VolumeView({
    ...{ claims: cache(claims), volumes: cache(volumes), classes: cache([local]) },
    ...{ csiDrivers: cache([]), capacities: cache([]) },
    isClaimUsed: (key, uid) => snapshot.isClaimUsed(key, uid),
  });
  const info = (name: string, ...names: readonly string[]) =>
    view.resolve(podInfoOf(using(name, ...names)));
  const decision = (...names: readonly string[]) => decide(info('p', ...names), snapshot, 1);
  return { snapshot, view, info, decision };
};

const PREEMPTION =
  'no new claims to deallocate, preemption: 0/3 nodes are available: ' +
  '3 Preemption is not helpful for scheduling.';

it.each<[string, readonly PersistentVolumeClaim[], string]>([
  ['not there', [], 'persistentvolumeclaim "c" not found'],
  [
    'going',
    [claim('c', { deletionTimestamp: '2030-01-01T00:00:00Z' })],
    'persistentvolumeclaim "c" is being deleted',
  ],
  [
    'lost',
    [claim('c', { phase: 'Lost', spec: { volumeName: 'v' } })],
    'persistentvolumeclaim "c" bound to non-existent persistentvolume "v"',
  ],
  [
    'to be bound at once',
    [claim('c', { spec: { storageClassName: '' } })],
    'pod has unbound immediate PersistentVolumeClaims',
  ],
  [
    'half bound',
    [claim('c', { spec: { volumeName: 'v' } })],
    'pod has unbound immediate PersistentVolumeClaims',
  ],
])('waits for a claim that is %s, wherever the pod would go', (_what, claims, reason) => {
  const { decision, snapshot, info } = setUp(claims);
  const { message, reasons, refusedBy } = decision('c');
  expect(message).toBe(`0/3 nodes are available: ${reason}. ${PREEMPTION}`);
  expect(reasons).toEqual({ [reason]: 3 });
  expect([...refusedBy]).toEqual(['VolumeBinding']);
  expect(explainNodes(info('p', 'c'), snapshot)[0]?.reasons).toEqual([
    { plugin: 'VolumeBinding', reason, detail: `claim default/c: ${reason}` },
  ]);
});

it('suggests to create the claim that is missing', () => {
  const { snapshot, info } = setUp([]);
  expect(suggest(info('p', 'c'), snapshot)).toBe('create the PersistentVolumeClaim default/c');
});

const bound = (name: string, volumeName: string, spec: object = {}) =>
  claim(name, { spec: { volumeName, ...spec }, annotations: BOUND, phase: 'Bound' });

it('goes where its volume is', () => {
  const { decision, snapshot, info } = setUp([bound('c', 'v')], [volume('v', ['n2'])]);
  const { nodeName, reasons } = decision('c');
  expect(nodeName).toBe('n2');
  expect(reasons).toEqual({ "node(s) didn't match PersistentVolume's node affinity": 2 });
  const n1 = explainNodes(info('p', 'c'), snapshot).find(({ node }) => node === 'n1');
  expect(n1?.reasons[0]?.detail).toBe(
    'volume v of claim default/c can be reached where kubernetes.io/hostname In [n2]',
  );
});

it('goes nowhere without the volume that its claim is bound to', () => {
  expect(setUp([bound('c', 'v')]).decision('c').message).toContain(
    '3 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)',
  );
});

it('finds a free volume for each of its claims on one node', () => {
  const claims = [
    claim('small'),
    claim('large', { spec: { resources: { requests: { storage: '5Gi' } } } }),
  ];
  const volumes = [
    ...[volume('a', ['n1']), volume('b', ['n2'], '5Gi'), volume('c', ['n2'], '6Gi')],
    volume('d', ['n3'], '9Gi'),
  ];
  const { decision } = setUp(claims, volumes);
  expect(decision('small', 'large').nodeName).toBe('n2');
  const { message } = setUp(claims, volumes.slice(0, 1)).decision('small', 'large');
  expect(message).toContain("3 node(s) didn't find available persistent volumes to bind");
});

it('promises a volume once, and a claim to one node', () => {
  const { view, decision, info } = setUp([claim('a'), claim('b')], [volume('v', ['n1'])]);
  const release = view.promise({
    ...{ matches: [{ claim: 'default/a', volumeName: 'v' }], provisions: [], nodeName: 'n1' },
  });
  expect(decision('b').nodeName).toBeUndefined();
  expect(decision('a').nodeName).toBe('n1');
  release();
  expect(decision('b').nodeName).toBe('n1');
  const made = { matches: [], provisions: ['default/a'], nodeName: 'n3' };
  view.promise(made);
  expect(info('p', 'a').volumes?.delayed[0]?.nodeName).toBe('n3');
});

it('lets volumes be made where the class allows it, and stays with the node once chosen', () => {
  const topologies = [
    { matchLabelExpressions: [{ key: 'kubernetes.io/hostname', values: ['n3'] }] },
  ];
  const made = { provisioner: 'dhow.dev/local-path' };
  expect(setUp([claim('c')], [], made).decision('c').nodesFeasible).toBe(3);
  const narrow = { ...made, allowedTopologies: topologies };
  expect(setUp([claim('c')], [], narrow).decision('c').nodeName).toBe('n3');
  const chosen = claim('c', { annotations: { 'volume.kubernetes.io/selected-node': 'n2' } });
  expect(setUp([chosen], [], made).decision('c').nodeName).toBe('n2');
});

it('waits while another pod has a claim that is for one pod at a time', () => {
  const spec = { accessModes: ['ReadWriteOncePod'] };
  const { snapshot, decision } = setUp([bound('c', 'v', spec)], [volume('v', ['n1'])]);
  snapshot.assume(podInfoOf(using('first', 'c')), 'n1');
  expect(decision('c').message).toContain(
    '3 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode',
  );
  snapshot.removePod('uid-first');
  expect(decision('c').nodeName).toBe('n1');
});
