import type { Node, PersistentVolume } from '../../../api/types';
import { planGrowth, planProvision, planReclaim } from './plan-local-path';
import { testClaim, testClass, testVolume } from './testing';

const CLASS = testClass('disk', { provisioner: 'dhow.dev/local-path' });
const NODE: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', labels: { 'kubernetes.io/hostname': 'host-1' } },
  spec: {},
  status: {},
};
const ASKED = { 'volume.kubernetes.io/storage-provisioner': 'dhow.dev/local-path' };
const CHOSEN = { ...ASKED, 'volume.kubernetes.io/selected-node': 'n1' };

const claim = (spec: object = {}, annotations: Readonly<Record<string, string>> = CHOSEN) => {
  const made = testClaim('c', spec);
  return { ...made, metadata: { ...made.metadata, annotations } };
};
const plan = (spec?: object, annotations?: Readonly<Record<string, string>>) =>
  planProvision({ claim: claim(spec, annotations), storageClass: CLASS, node: NODE });

it('makes a volume on the node that was chosen, of what the claim asks for', () => {
  expect(plan()).toEqual({
    kind: 'create',
    draft: {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: {
        name: 'pvc-uid-c',
        annotations: {
          'pv.kubernetes.io/provisioned-by': 'dhow.dev/local-path',
          'dhow.dev/volume-node': 'n1',
        },
        finalizers: ['dhow.dev/volume-folder'],
      },
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '1Gi' },
        persistentVolumeReclaimPolicy: 'Delete',
        storageClassName: 'disk',
        volumeMode: 'Filesystem',
        local: { path: 'pvc-uid-c' },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: 'kubernetes.io/hostname', operator: 'In', values: ['host-1'] },
                ],
              },
            ],
          },
        },
        claimRef: {
          ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
          ...{ namespace: 'ns', name: 'c', uid: 'uid-c', resourceVersion: '' },
        },
      },
    },
  });
});

it('leaves claims that are others’, bound, or on their way out', () => {
  expect(plan({}, {})).toEqual({ kind: 'none' });
  expect(plan({ volumeName: 'v' })).toEqual({ kind: 'none' });
  const going = claim();
  const metadata = { ...going.metadata, deletionTimestamp: '2030-01-01T00:00:00Z' };
  expect(planProvision({ claim: { ...going, metadata }, storageClass: CLASS, node: NODE })).toEqual(
    { kind: 'none' },
  );
  expect(planProvision({ claim: claim(), storageClass: testClass('disk'), node: NODE })).toEqual({
    kind: 'none',
  });
});

it.each<[string, object, Readonly<Record<string, string>> | undefined]>([
  ['only volumeMode Filesystem is supported', { volumeMode: 'Block' }, undefined],
  ['claim.Spec.Selector is not supported', { selector: {} }, undefined],
  [
    'only ReadWriteOnce and ReadWriteOncePod access modes are supported',
    { accessModes: ['ReadWriteMany'] },
    undefined,
  ],
  [
    'a volume cannot be filled from a data source',
    { dataSource: { kind: 'PersistentVolumeClaim', name: 'x' } },
    undefined,
  ],
  [
    'no node was chosen: a class of this provisioner needs volumeBindingMode WaitForFirstConsumer',
    {},
    ASKED,
  ],
])('refuses: %s', (message, spec, annotations) => {
  expect(plan(spec, annotations)).toEqual({ kind: 'fail', message });
});

it('asks for another node when the one that was chosen is gone', () => {
  expect(planProvision({ claim: claim(), storageClass: CLASS, node: undefined })).toEqual({
    kind: 'reschedule',
  });
});

const made = (spec: object = {}, metadata: object = {}, phase = 'Released'): PersistentVolume => {
  const volume = testVolume('v', { persistentVolumeReclaimPolicy: 'Delete', ...spec });
  const annotations = { 'pv.kubernetes.io/provisioned-by': 'dhow.dev/local-path' };
  return {
    ...volume,
    metadata: {
      ...{ ...volume.metadata, annotations, finalizers: ['dhow.dev/volume-folder'] },
      ...metadata,
    },
    status: { phase },
  };
};
const GOING = { deletionTimestamp: '2030-01-01T00:00:00Z' };

it('deletes what is released, and lets go of it only without a folder to remove', () => {
  expect(planReclaim(made(), true)).toBe('delete');
  expect(planReclaim(made({}, {}, 'Bound'), true)).toBe('none');
  expect(planReclaim(made({ persistentVolumeReclaimPolicy: 'Retain' }), true)).toBe('none');
  expect(planReclaim(made({}, { annotations: {} }), true)).toBe('none');
  // Its agent removes the folder first.
  expect(planReclaim(made({}, GOING), true)).toBe('none');
  expect(planReclaim(made({}, GOING), false)).toBe('let-go');
  expect(planReclaim(made({ persistentVolumeReclaimPolicy: 'Retain' }, GOING), true)).toBe(
    'let-go',
  );
  expect(planReclaim(made({}, { ...GOING, finalizers: [] }), false)).toBe('none');
});

it('grows the volume, then what the claim says that it has', () => {
  const asking = { resources: { requests: { storage: '2Gi' } }, volumeName: 'v' };
  const small = { phase: 'Bound', capacity: { storage: '1Gi' } };
  const growing = { ...testClaim('c', asking), status: small };
  const claimRef = { uid: 'uid-c', name: 'c', namespace: 'ns' };
  expect(planGrowth(growing, made({ claimRef }))).toEqual({ kind: 'volume', storage: '2Gi' });
  const grown = made({ claimRef, capacity: { storage: '2Gi' } });
  expect(planGrowth(growing, grown)).toEqual({ kind: 'claim', storage: '2Gi' });
  const done = { ...growing, status: { ...small, capacity: { storage: '2Gi' } } };
  expect(planGrowth(done, grown)).toEqual({ kind: 'none' });
  expect(planGrowth(growing, made())).toEqual({ kind: 'none' });
});
