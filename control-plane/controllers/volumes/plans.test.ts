import * as fc from 'fast-check';

import { uidOf, type PersistentVolume, type PersistentVolumeClaim } from '../../../api/types';
import { isBoundPair, mismatchOf } from '../../../api/volumes';
import { planVolume } from './plan-volume';
import { TestWorld, testClaim, testClass, testVolume } from './testing';

const DELETED = '2030-01-01T00:00:00Z';
const deleted = <T extends { readonly metadata: object }>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, deletionTimestamp: DELETED },
});
const world = (...objects: readonly (PersistentVolume | PersistentVolumeClaim)[]) =>
  new TestWorld().put(...objects);
const reasons = ({ told }: TestWorld) => told.map(({ reason, message }) => `${reason}: ${message}`);
const phases = ({ claims, byName }: TestWorld) => [
  ...[...claims.values(), ...byName.values()].map(({ status }) => status?.phase),
];

it('binds both sides, as upstream marks them', () => {
  const { claims, byName } = world(testVolume('v'), testClaim('c')).settle();
  const [claim, volume] = [claims.get('ns/c')!, byName.get('v')!];
  expect(claim.metadata.annotations).toEqual({
    'pv.kubernetes.io/bind-completed': 'yes',
    'pv.kubernetes.io/bound-by-controller': 'yes',
  });
  expect(claim.status).toEqual({
    ...{ phase: 'Bound', accessModes: ['ReadWriteOnce'] },
    capacity: { storage: '1Gi' },
  });
  expect(volume.metadata.annotations).toEqual({ 'pv.kubernetes.io/bound-by-controller': 'yes' });
  expect(volume.spec?.claimRef).toMatchObject({ namespace: 'ns', name: 'c', uid: 'uid-c' });
  expect(volume.status?.phase).toBe('Bound');
});

/** A few sizes, classes and modes: enough for some to fit and some not. */
const arbitrarySpec = fc.record({
  storageClassName: fc.constantFrom('', 'disk'),
  accessModes: fc.constantFrom(['ReadWriteOnce'], ['ReadWriteOnce', 'ReadOnlyMany']),
  size: fc.integer({ min: 1, max: 3 }),
});

it('never gives one volume to two claims, whoever dies between any two writes', () => {
  fc.assert(
    fc.property(
      fc.array(arbitrarySpec, { maxLength: 5 }),
      fc.array(arbitrarySpec, { minLength: 1, maxLength: 5 }),
      // Whose turn it is: each takes one write and dies.
      fc.array(fc.nat(), { maxLength: 40 }),
      fc.array(fc.nat(9), { maxLength: 4 }),
      (volumes, claims, turns, deletions) => {
        const all = world(
          ...volumes.map(({ size, ...spec }, i) =>
            testVolume(`v${i}`, { ...spec, capacity: { storage: `${size}Gi` } }),
          ),
          ...claims.map(({ size, ...spec }, i) =>
            testClaim(`c${i}`, { ...spec, resources: { requests: { storage: `${size}Gi` } } }),
          ),
        );
        const checked = () => expectExclusive(all);
        turns.forEach((turn, at) => {
          const key = all.keys[turn % Math.max(1, all.keys.length)];
          if (key !== undefined) all.step(key);
          const victim = deletions[at];
          const claim = victim === undefined ? undefined : all.claims.get(`ns/c${victim}`);
          if (claim !== undefined) all.put(deleted(claim));
          checked();
        });
        all.settle();
        checked();
        expectContent(all);
      },
    ),
    { numRuns: 300 },
  );
});

const expectExclusive = ({ claims, byName }: TestWorld): void => {
  const owners = [...claims.values()].flatMap((claim) => {
    const volume = byName.get(claim.spec?.volumeName ?? '');
    return isBoundPair(volume, claim) ? [volume?.metadata.name] : [];
  });
  expect(new Set(owners).size).toBe(owners.length);
};

/** At rest: what is bound is bound on both sides, and nobody waits for what is free. */
const expectContent = ({ claims, byName }: TestWorld): void => {
  for (const claim of claims.values()) {
    if (claim.metadata.deletionTimestamp !== undefined) continue;
    const volume = byName.get(claim.spec?.volumeName ?? '');
    expect(isBoundPair(volume, claim)).toBe(claim.status?.phase === 'Bound');
    const free = [...byName.values()].filter(
      (each) => each.status?.phase === 'Available' && mismatchOf(each, claim) === undefined,
    );
    if (claim.status?.phase === 'Pending') expect(free).toEqual([]);
  }
  for (const volume of byName.values()) {
    const owner = [...claims.values()].find((claim) => uidOf(claim) === volume.spec?.claimRef?.uid);
    const phase = volume.spec?.claimRef === undefined ? 'Available' : owner ? 'Bound' : 'Released';
    expect([volume.metadata.name, volume.status?.phase]).toEqual([volume.metadata.name, phase]);
  }
};

it('keeps to the volume that the claim names, and to the claim that the volume names', () => {
  const named = world(testVolume('a'), testVolume('b'), testClaim('c', { volumeName: 'b' }));
  expect(named.settle().byName.get('b')?.spec?.claimRef?.name).toBe('c');
  // What the user wrote is no choice of the controller's.
  expect(named.claims.get('ns/c')?.metadata.annotations).toEqual({
    'pv.kubernetes.io/bind-completed': 'yes',
  });
  const claimRef = { namespace: 'ns', name: 'mine' };
  const kept = world(testVolume('v', { claimRef }), testClaim('other'), testClaim('mine')).settle();
  expect(kept.claims.get('ns/other')?.status?.phase).toBe('Pending');
  expect(kept.claims.get('ns/mine')?.spec?.volumeName).toBe('v');
  expect(kept.byName.get('v')?.metadata.annotations).toBeUndefined();
});

it.each<[string, object, string]>([
  [
    'does not fit',
    { storageClassName: 'other' },
    'VolumeMismatch: Cannot bind to requested volume "v": storageClassName does not match',
  ],
  [
    'is another’s',
    { claimRef: { namespace: 'ns', name: 'x', uid: 'u' } },
    'FailedBinding: volume "v" already bound to a different claim.',
  ],
])('waits for a volume by name that %s', (_what, spec, said) => {
  const all = world(testVolume('v', spec), testClaim('c', { volumeName: 'v' }));
  all.step('ns/c');
  expect(reasons(all)).toEqual([said]);
  expect(all.claims.get('ns/c')?.status?.phase).toBe('Pending');
});

it.each<[string, Partial<PersistentVolumeClaim>['spec'], object | undefined, string]>([
  [
    'without a class',
    { storageClassName: '' },
    undefined,
    'FailedBinding: no persistent volumes available for this claim and no storage class is set',
  ],
  [
    'of a class that there is not',
    {},
    undefined,
    'ProvisioningFailed: storageclass.storage.k8s.io "disk" not found',
  ],
  [
    'of a class whose volumes an administrator makes',
    {},
    { provisioner: 'kubernetes.io/no-provisioner' },
    'ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner',
  ],
  [
    'for its first pod',
    {},
    { volumeBindingMode: 'WaitForFirstConsumer' },
    'WaitForFirstConsumer: waiting for first consumer to be created before binding',
  ],
])('says why a claim waits %s', (_what, spec, storageClass, said) => {
  const all = world(testClaim('c', spec));
  if (storageClass !== undefined) all.classes.set('disk', testClass('disk', storageClass));
  all.settle();
  expect(reasons(all)).toEqual([said]);
});

it('hands a claim to who makes volumes of its class, once a node is chosen if that is needed', () => {
  const all = world(testClaim('c'));
  all.classes.set('disk', testClass('disk', { volumeBindingMode: 'WaitForFirstConsumer' }));
  all.waiting.set('ns/c', 'web');
  all.settle();
  expect(reasons(all)).toEqual(['WaitForPodScheduled: waiting for pod web to be scheduled']);
  const chosen = { 'volume.kubernetes.io/selected-node': 'n1' };
  const claim = all.claims.get('ns/c')!;
  all.put({ ...claim, metadata: { ...claim.metadata, annotations: chosen } }).settle();
  expect(all.claims.get('ns/c')?.metadata.annotations).toEqual({
    ...chosen,
    'volume.kubernetes.io/storage-provisioner': 'example.com/disk',
    'volume.beta.kubernetes.io/storage-provisioner': 'example.com/disk',
  });
  expect(all.told.at(-1)?.message).toMatch(
    /^Waiting for a volume to be created either by the external provisioner 'example.com\/disk' or/,
  );
});

it('leaves a free volume to the scheduler where a pod is waited for', () => {
  const all = world(testVolume('v'), testClaim('c'));
  all.classes.set('disk', testClass('disk', { volumeBindingMode: 'WaitForFirstConsumer' }));
  expect(phases(all.settle())).toEqual(['Pending', 'Available']);
});

it.each<[string, object, string, string[]]>([
  ['Retain', {}, 'Released', []],
  [
    'Delete',
    { persistentVolumeReclaimPolicy: 'Delete' },
    'Failed',
    [
      'VolumeFailedDelete: error getting deleter volume plugin for volume "v": ' +
        'no deletable volume plugin matched',
    ],
  ],
  [
    'Recycle',
    { persistentVolumeReclaimPolicy: 'Recycle' },
    'Failed',
    ['VolumeFailedRecycle: No recycler plugin found for the volume!'],
  ],
])('releases a volume whose claim is gone: %s', (_policy, spec, phase, said) => {
  const all = world(testVolume('v', spec), testClaim('c')).settle();
  all.put(deleted(all.claims.get('ns/c')!)).settle();
  expect([...all.claims.keys()]).toEqual([]);
  expect(all.byName.get('v')?.status?.phase).toBe(phase);
  expect(reasons(all)).toEqual(said);
  // A claim of the same name is another.
  all.put({ ...testClaim('c'), metadata: { ...testClaim('c').metadata, uid: 'new' } }).settle();
  expect(all.claims.get('ns/c')?.status?.phase).toBe('Pending');
});

it('asks the API before it takes a claim for gone', () => {
  const all = world(testVolume('v'), testClaim('c')).settle();
  all.claims.clear();
  expect(planOf(all)).toMatchObject({
    ifGone: { key: { namespace: 'ns', name: 'c' }, uid: 'uid-c' },
  });
});

const planOf = (all: TestWorld) => planVolume(all.byName.get('v')!, all);

it('calls a claim lost whose volume is gone, once', () => {
  const all = world(testVolume('v'), testClaim('c')).settle();
  all.byName.clear();
  all.settle().settle();
  expect(all.claims.get('ns/c')?.status?.phase).toBe('Lost');
  expect(reasons(all)).toEqual([
    'ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!',
  ]);
});

it('keeps a claim while a pod uses it, and a volume while it is bound', () => {
  const all = world(testVolume('v'), testClaim('c')).settle();
  all.used.add('ns/c');
  all.put(deleted(all.claims.get('ns/c')!), deleted(all.byName.get('v')!)).settle();
  expect(phases(all)).toEqual(['Bound', 'Bound']);
  all.used.clear();
  expect(all.settle().keys).toEqual([]);
});

it('gives both the finalizers that they lack', () => {
  const bare = <T extends { readonly metadata: object }>(object: T): T => ({
    ...object,
    metadata: { ...object.metadata, finalizers: [] },
  });
  const all = world(bare(testVolume('v')), bare(testClaim('c'))).settle();
  expect(all.byName.get('v')?.metadata.finalizers).toEqual(['kubernetes.io/pv-protection']);
  expect(all.claims.get('ns/c')?.metadata.finalizers).toEqual(['kubernetes.io/pvc-protection']);
});

it('says who is waited for while a volume of a driver is smaller than its claim asks for', () => {
  const csi = { csi: { driver: 'csi.test', volumeHandle: 'h' }, hostPath: undefined };
  const all = world(testVolume('v', csi), testClaim('c')).settle();
  expect(all.told).toEqual([]);
  const grown = { resources: { requests: { storage: '2Gi' } } };
  const claim = all.claims.get('ns/c')!;
  all.put({ ...claim, spec: { ...claim.spec, ...grown } }).settle();
  const waits = 'ExternalExpanding: waiting for an external controller to expand this PVC';
  expect(new Set(reasons(all))).toEqual(new Set([waits]));
  // Once the volume is larger its node is waited for, and the claim knows no more than before.
  const volume = all.byName.get('v')!;
  all.told.splice(0);
  all.put({ ...volume, spec: { ...volume.spec, capacity: { storage: '2Gi' } } }).settle();
  expect(all.told).toEqual([]);
  expect(all.claims.get('ns/c')?.status?.capacity).toEqual({ storage: '1Gi' });
});
