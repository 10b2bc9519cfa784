import * as fc from 'fast-check';

import {
  keyOf,
  type CSIDriver,
  type CSINode,
  type CSIStorageCapacity,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type VolumeAttachment,
} from '../../../api/types';
import { Changes } from '../changes';
import { decide } from '../decide';
import { explainNodes } from '../explain';
import { excessesOf } from '../plugins/node-volume-limits';
import { podInfoOf } from '../pod-info';
import { DEFAULT_PROFILES } from '../profile';
import { Snapshot } from '../snapshot';
import { suggest } from '../suggest';
import { testNode, testPod } from '../testing';
import { DriverFacts } from './storage-facts';
import { VolumeView } from './volume-view';

const DRIVER = 'csi.test';
const NODES = ['n1', 'n2', 'n3'];

const volume = (name: string, labels: Readonly<Record<string, string>> = {}): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, uid: `uid-${name}`, labels },
  spec: {
    ...{ capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: 'fast' },
    claimRef: { namespace: 'default', name, uid: `uid-claim-${name}` },
    csi: { driver: DRIVER, volumeHandle: name },
  },
  status: { phase: 'Bound' },
});

const claim = (name: string, storage = '1Gi'): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'default', uid: `uid-claim-${name}` },
  spec: {
    ...{ accessModes: ['ReadWriteOnce'], storageClassName: 'fast' },
    resources: { requests: { storage } },
  },
  status: { phase: 'Pending' },
});

const bound = (name: string): PersistentVolumeClaim => {
  const { metadata, spec, ...rest } = claim(name);
  const annotations = { 'pv.kubernetes.io/bind-completed': 'yes' };
  return { ...rest, metadata: { ...metadata, annotations }, spec: { ...spec, volumeName: name } };
};

const limited = (node: string, count: number): CSINode => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSINode',
  metadata: { name: node },
  spec: { drivers: [{ name: DRIVER, nodeID: node, allocatable: { count } }] },
});

const attachment = (name: string, nodeName: string): VolumeAttachment => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'VolumeAttachment',
  metadata: { name: `${name}-${nodeName}` },
  spec: { attacher: DRIVER, nodeName, source: { persistentVolumeName: name } },
});

const capacity = (name: string, node: string, more: object): CSIStorageCapacity => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIStorageCapacity',
  metadata: { name, namespace: 'kube-system' },
  nodeTopology: { matchLabels: { 'kubernetes.io/hostname': node } },
  storageClassName: 'fast',
  ...more,
});

interface World {
  readonly claims?: readonly PersistentVolumeClaim[];
  readonly volumes?: readonly PersistentVolume[];
  readonly csiNodes?: readonly CSINode[];
  readonly attachments?: readonly VolumeAttachment[];
  readonly capacities?: readonly CSIStorageCapacity[];
  readonly driver?: CSIDriver['spec'];
  readonly zones?: Readonly<Record<string, string>>;
}

const cache = <T extends Parameters<typeof keyOf>[0]>(objects: readonly T[] = []) => ({
  get: (key: string) => objects.find((each) => keyOf(each) === key),
  list: () => objects,
});

const using = (name: string, ...claims: readonly string[]) =>
  podInfoOf(
    testPod(name, {
      volumes: claims.map((each) => ({ name: each, persistentVolumeClaim: { claimName: each } })),
    }),
  );

const setUp = ({ driver = {}, zones = {}, ...world }: World) => {
  const classes = cache([
    {
      ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'fast' } },
      ...{ provisioner: DRIVER, volumeBindingMode: 'WaitForFirstConsumer' },
    },
  ]);
  const object = { apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', spec: driver };
  const caches = {
    ...{ claims: cache(world.claims), volumes: cache(world.volumes), classes },
    ...{ csiNodes: cache(world.csiNodes), attachments: cache(world.attachments) },
    csiDrivers: cache([{ ...object, metadata: { name: DRIVER } }]),
    capacities: cache(world.capacities),
  };
  const snapshot: Snapshot = new Snapshot({
    storage: new DriverFacts({
      ...caches,
      isClaimUsedOn: (key, node) => snapshot.isClaimUsedOn(key, node),
    }),
  });
  for (const name of NODES) {
    const zone = zones[name];
    const labels = zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone };
    snapshot.setNode(testNode(name, { labels }));
  }
  const view = new VolumeView({
    ...caches,
    isClaimUsed: (key, uid) => snapshot.isClaimUsed(key, uid),
  });
  const info = (...claims: readonly string[]) => view.resolve(using('p', ...claims));
  return {
    ...{ snapshot, info, view },
    decision: (...claims: readonly string[]) => {
      const { refusals, ...decision } = decide(info(...claims), snapshot, 1);
      const counts = refusals.map(({ reasons, count }) => [reasons.join(), count]);
      return { ...decision, refusals: Object.fromEntries(counts) as object };
    },
    why: (node: string, ...claims: readonly string[]) =>
      explainNodes(info(...claims), snapshot).find((each) => each.node === node)?.reasons,
  };
};

const FULL = 'node(s) exceed max volume count';

it('counts what the pods of a node have of a driver, each volume once, and says who could go', () => {
  const { snapshot, decision, why, info } = setUp({
    claims: ['a', 'b', 'c'].map(bound),
    volumes: ['a', 'b', 'c'].map((name) => volume(name)),
    csiNodes: NODES.map((node) => limited(node, node === 'n3' ? 1 : 2)),
  });
  snapshot.assume(using('one', 'a'), 'n1');
  snapshot.assume(using('two', 'a', 'b'), 'n1');
  snapshot.assume(using('three', 'b'), 'n2');
  // On n1 both are there already, n2 has room for one more, n3 has never room for two.
  expect(decision('a', 'b').refusals).toEqual({ [FULL]: 1 });
  expect(decision('c').refusals).toEqual({ [FULL]: 1 });
  expect(why('n1', 'c')).toEqual([
    {
      plugin: 'NodeVolumeLimits',
      reason: FULL,
      detail: 'driver csi.test: 1 more volume needed, 2 of at most 2 in use',
    },
  ]);
  expect(suggest(info('c'), snapshot, { nodeName: 'n1' })).toBe(
    'free 1 volume of csi.test on n1 (delete pod default/two)',
  );
});

it('counts what is still attached though nobody uses it, and what is yet to be made', () => {
  const world = {
    claims: [bound('old'), bound('new'), claim('wanted')],
    volumes: [volume('old'), volume('new')],
    csiNodes: NODES.map((node) => limited(node, 1)),
  };
  const leftover = setUp({ ...world, attachments: [attachment('old', 'n1')] });
  expect(leftover.why('n1', 'new')?.[0]?.reason).toBe(FULL);
  expect(leftover.decision('new').nodesFeasible).toBe(2);
  expect(leftover.why('n1', 'old')).toEqual([]);
  const { snapshot, decision, info } = setUp(world);
  snapshot.assume(using('q', 'wanted'), 'n2');
  expect(decision('new').refusals).toEqual({ [FULL]: 1 });
  // Attached for a pod that is there it counts as that pod's: without the pod there is room.
  const used = setUp({ ...world, attachments: [attachment('old', 'n1')] });
  used.snapshot.assume(using('q', 'old'), 'n1');
  expect(suggest(used.info('new'), used.snapshot, { nodeName: 'n1' })).toBe(
    'free 1 volume of csi.test on n1 (delete pod default/q)',
  );
  expect(info('new').volumes?.bound).toHaveLength(1);
});

it('never lets a driver have more than it says, whoever comes', () => {
  const volumes = fc.array(
    fc.record({ driver: fc.constantFrom('a', 'b'), n: fc.integer({ min: 0, max: 5 }) }),
  );
  fc.assert(
    fc.property(volumes, volumes, fc.integer({ min: 0, max: 6 }), (x, y, limit) => {
      const named = (each: readonly { driver: string; n: number }[]) =>
        each.map(({ driver, n }) => ({ driver, id: `${driver}${n}` }));
      const [wanted, held] = [named(x), named(y)];
      const all = new Set([...wanted, ...held].map(({ id }) => id).filter((id) => id[0] === 'a'));
      const before = new Set(held.map(({ id }) => id).filter((id) => id[0] === 'a'));
      const isRefused = excessesOf(wanted, held, new Map([['a', limit]])).length > 0;
      // Whoever brings nothing may come also where there is too much already.
      expect(isRefused).toBe(all.size > limit && all.size > before.size);
    }),
  );
});

const NO_ROOM = 'node(s) did not have enough free storage';

it('goes where the driver says that there is room for the volume, if it wants that gone by', () => {
  const capacities = [
    capacity('small', 'n1', { capacity: '1Gi' }),
    capacity('split', 'n2', { capacity: '9Gi', maximumVolumeSize: '2Gi' }),
    capacity('large', 'n3', { capacity: '5Gi' }),
    { ...capacity('nowhere', 'n1', { capacity: '99Gi' }), nodeTopology: undefined },
    capacity('unknown', 'n1', {}),
    { ...capacity('other', 'n1', { capacity: '99Gi' }), storageClassName: 'slow' },
  ] as readonly CSIStorageCapacity[];
  const world = { claims: [claim('c', '3Gi')], capacities };
  const { decision, why } = setUp({ ...world, driver: { storageCapacity: true } });
  expect(decision('c')).toMatchObject({ nodeName: 'n3', refusals: { [NO_ROOM]: 2 } });
  expect(why('n1', 'c')?.[0]?.detail).toBe(
    'claim default/c asks for 3Gi: csi.test says of no room so large for class fast here, ' +
      'at most of 5Gi anywhere',
  );
  expect(setUp(world).decision('c').nodesFeasible).toBe(3);
  const none = setUp({ claims: [claim('c')], driver: { storageCapacity: true } });
  expect(none.decision('c').message).toContain(`0/3 nodes are available: 3 ${NO_ROOM}.`);
});

it('is woken by more room for a claim of its class, and by nothing else of that kind', () => {
  const { view, snapshot, info } = setUp({
    claims: [claim('c'), bound('d')],
    volumes: [volume('d')],
  });
  const changes = new Changes({ snapshot, volumes: view, profiles: DEFAULT_PROFILES });
  const fast = changes.ofCapacity(capacity('x', 'n1', { capacity: '1Gi' }));
  expect(fast.effectOn(info('c'))).toBe('may-help');
  expect(fast.effectOn(info('d'))).toBe('no-help');
  const slow = { ...capacity('x', 'n1', {}), storageClassName: 'slow' };
  expect(changes.ofCapacity(slow).effectOn(info('c'))).toBe('no-help');
});

it('keeps pods in the zones of their volumes, where nodes say in which they are', () => {
  const labels = { 'topology.kubernetes.io/zone': 'a__b' };
  const world = { claims: [bound('c')], volumes: [volume('c', labels)] };
  const { decision, why } = setUp({ ...world, zones: { n1: 'a', n2: 'c' } });
  // Of n3 nothing is known: a cluster of one zone need not say so.
  expect(decision('c')).toMatchObject({
    nodesFeasible: 2,
    refusals: { 'node(s) had no available volume zone': 1 },
  });
  expect(why('n2', 'c')?.[0]).toEqual({
    plugin: 'VolumeZone',
    reason: 'node(s) had no available volume zone',
    detail:
      'volume c of claim default/c is where topology.kubernetes.io/zone is a or b, ' +
      "the node's is c",
  });
  const old = { 'failure-domain.beta.kubernetes.io/zone': 'a' };
  const beta = { claims: [bound('c')], volumes: [volume('c', old)] };
  expect(setUp({ ...beta, zones: { n1: 'a', n2: 'c' } }).decision('c').nodesFeasible).toBe(2);
  const broken = {
    ...world,
    volumes: [volume('c', { ...labels, ...{ 'topology.kubernetes.io/zone': 'a__' } })],
  };
  expect(setUp({ ...broken, zones: { n1: 'a', n2: 'c' } }).decision('c').nodesFeasible).toBe(3);
});
