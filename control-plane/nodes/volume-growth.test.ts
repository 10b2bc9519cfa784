import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { silentLog } from '../../lib/log';
import { grownClaim, noteGrown } from './volume-growth';

const volume: PersistentVolume = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'pv', uid: 'uid-pv' },
  spec: {
    capacity: { storage: '2Gi' },
    claimRef: { namespace: 'ns', name: 'c', uid: 'uid-c' },
  },
};
const condition = (type: string) => ({ type, status: 'True' });
const claim: PersistentVolumeClaim = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'c', namespace: 'ns', uid: 'uid-c' },
  spec: { volumeName: 'pv' },
  status: {
    phase: 'Bound',
    capacity: { storage: '1Gi' },
    conditions: ['Resizing', 'FileSystemResizePending', 'ModifyingVolume'].map(condition),
    allocatedResources: { storage: '2Gi' },
    allocatedResourceStatuses: { storage: 'NodeResizePending' },
  },
};

it('tells the claim how large it is now, and ends what was pending', () => {
  expect(grownClaim(claim, volume, '2Gi')?.status).toEqual({
    phase: 'Bound',
    capacity: { storage: '2Gi' },
    conditions: [condition('ModifyingVolume')],
    allocatedResources: { storage: '2Gi' },
  });
});

it.each([
  ['more than the volume says', '3Gi'],
  ['no more than is known', '1Gi'],
  ['no quantity', 'a lot'],
])('believes nothing that is %s', (_what, storage) => {
  expect(grownClaim(claim, volume, storage)).toBeUndefined();
  const other = { ...claim, metadata: { ...claim.metadata, uid: 'uid-other' } };
  expect(grownClaim(other, volume, '2Gi')).toBeUndefined();
});

it('believes a node of what its pods use, and of nothing else', async () => {
  const written: PersistentVolumeClaim[] = [];
  const deps = {
    client: {
      update: (_resource: unknown, object: PersistentVolumeClaim) => {
        written.push(object);
        return Promise.resolve(object);
      },
    } as unknown as ApiClient,
    claims: { get: () => claim },
    nodeVolumes: { volumesOf: (node: string) => (node === 'n1' ? [volume] : []) },
    log: silentLog,
  };
  const { signal } = new AbortController();
  const grown = [{ uid: 'uid-pv', storage: '2Gi' }];
  await noteGrown(deps, 'n2', grown, signal);
  await noteGrown(deps, 'n1', [{ uid: 'uid-strange', storage: '2Gi' }], signal);
  expect(written).toEqual([]);
  await noteGrown(deps, 'n1', grown, signal);
  expect(written[0]?.status?.capacity).toEqual({ storage: '2Gi' });
});
