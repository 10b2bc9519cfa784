import type { OwnerReference, PersistentVolumeClaim, Pod, StatefulSet } from '../../../api/types';
import { claimDrafts, claimOwners, isClaimOf, isStale } from './claims';

const set = (whenDeleted = 'Retain', whenScaled = 'Retain'): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', namespace: 'shop', uid: 'set-1' },
  spec: {
    ...{ serviceName: 'db', template: {} },
    selector: { matchLabels: { app: 'db' } },
    persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled },
    volumeClaimTemplates: [
      {
        metadata: { name: 'data', labels: { tier: 'fast', app: 'other' }, annotations: { a: 'b' } },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
    ],
  },
  status: { replicas: 0 },
});
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'db-0', namespace: 'shop', uid: 'pod-1' },
} as unknown as Pod;
const claim = (ownerReferences?: readonly OwnerReference[]): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: {
    name: 'data-db-0',
    namespace: 'shop',
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
  },
});

const SET: OwnerReference = {
  ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'set-1', controller: true },
};
const POD: OwnerReference = {
  ...{ apiVersion: 'v1', kind: 'Pod', name: 'db-0', uid: 'pod-1', controller: true },
};
const OTHER: OwnerReference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: 'x' };

it('makes a claim of its template, with the labels of the set', () => {
  expect(claimDrafts(set(), 2)).toEqual([
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: 'data-db-2',
        namespace: 'shop',
        labels: { tier: 'fast', app: 'db' },
        annotations: { a: 'b' },
      },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
  ]);
});

it.each([
  ['data-db-0', true],
  ['data-db-12', true],
  ['data-db-x', false],
  ['log-db-0', false],
  ['data-other-0', false],
])('knows whether %s is a claim of it', (name, isOne) => {
  expect(isClaimOf(set(), name)).toBe(isOne);
});

it.each([
  ['Retain', 'Retain', true, []],
  ['Retain', 'Retain', false, []],
  ['Delete', 'Retain', true, [SET]],
  ['Delete', 'Retain', false, [SET]],
  ['Retain', 'Delete', true, []],
  ['Retain', 'Delete', false, [POD]],
  ['Delete', 'Delete', true, [SET]],
  ['Delete', 'Delete', false, [POD]],
])('whenDeleted %s, whenScaled %s, wanted %p', (deleted, scaled, isWanted, owners) => {
  const of = set(deleted, scaled);
  for (const before of [[], [SET], [POD], [SET, POD], [{ ...SET, controller: false }]]) {
    const next = claimOwners(of, pod, isWanted, claim([OTHER, ...before]));
    const result = next ?? [OTHER, ...before];
    expect(result).toEqual([OTHER, ...owners]);
    // Nothing is written when it is right.
    expect(claimOwners(of, pod, isWanted, claim(result))).toBeUndefined();
  }
});

it('leaves a claim of a former set or pod, or with another manager, alone', () => {
  const former = { ...SET, uid: 'set-0' };
  expect(claimOwners(set('Delete'), pod, true, claim([former]))).toBeUndefined();
  const before = { ...POD, uid: 'pod-0' };
  expect(claimOwners(set('Delete'), pod, true, claim([before]))).toBeUndefined();
  const managed = { ...OTHER, controller: true };
  expect(claimOwners(set('Delete'), pod, true, claim([managed]))).toBeUndefined();
  expect(claimOwners(set('Delete'), pod, true, claim([managed, SET]))).toEqual([managed]);
});

it('waits for a claim that goes with an earlier pod of the name', () => {
  const before = claim([{ ...POD, uid: 'pod-0' }]);
  expect(isStale(set('Retain', 'Delete'), 'db-0', before)).toBe(true);
  expect(isStale(set('Retain', 'Retain'), 'db-0', before)).toBe(false);
  expect(isStale(set('Retain', 'Delete'), 'db-0', claim([SET, OTHER]))).toBe(false);
});
