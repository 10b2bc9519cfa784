import {
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  STORAGE_CLASSES,
  PODS,
  type Resource,
} from '../resources';
import { pod, refusal } from '../testing';

const named = { metadata: { name: 'a' } };
const CLAIM = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const VOLUME = {
  ...{ accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } },
  hostPath: { path: '/a' },
};

it.each<[string, Resource, object, readonly string[]]>([
  ['a claim', PERSISTENT_VOLUME_CLAIMS, { spec: CLAIM }, []],
  [
    'an empty claim',
    PERSISTENT_VOLUME_CLAIMS,
    { spec: {} },
    [
      'spec.accessModes: Required value: at least 1 access mode is required',
      'spec.resources[storage]: Required value',
    ],
  ],
  [
    'a claim on nothing, in all ways',
    PERSISTENT_VOLUME_CLAIMS,
    {
      spec: {
        accessModes: ['ReadWriteOncePod', 'Write'],
        resources: { requests: { storage: '0' } },
        ...{ storageClassName: 'A', volumeMode: 'Tape' },
      },
    },
    [
      'spec.accessModes: Unsupported value: "Write": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
      'spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes',
      'spec.resources[storage]: Invalid value: "0": must be greater than zero',
      expect.stringContaining('spec.storageClassName: Invalid value: "A"'),
      'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"',
    ] as string[],
  ],
  ['a volume', PERSISTENT_VOLUMES, { spec: VOLUME }, []],
  [
    'an empty volume',
    PERSISTENT_VOLUMES,
    { spec: {} },
    [
      'spec.accessModes: Required value: at least 1 access mode is required',
      'spec.capacity: Required value',
      'spec.capacity: Unsupported value: {}: supported values: "storage"',
      'spec: Required value: must specify a volume type',
    ],
  ],
  [
    'a volume of two sorts',
    PERSISTENT_VOLUMES,
    { spec: { ...VOLUME, nfs: { server: 's', path: '/' } } },
    ['spec.nfs: Forbidden: may not specify more than 1 volume type'],
  ],
  [
    'a volume of a server that is not said',
    PERSISTENT_VOLUMES,
    { spec: { ...VOLUME, hostPath: undefined, nfs: { server: '', path: 'a' } } },
    [
      'spec.nfs.server: Required value',
      'spec.nfs.path: Invalid value: "a": must be an absolute path',
    ],
  ],
  [
    'a folder of no place',
    PERSISTENT_VOLUMES,
    { spec: { ...VOLUME, hostPath: undefined, local: { path: '/a/../b' } } },
    [
      `spec.local.path: Invalid value: "/a/../b": must not contain '..'`,
      'spec.nodeAffinity: Required value: Local volume requires node affinity',
    ],
  ],
  [
    'a volume that nobody can reach',
    PERSISTENT_VOLUMES,
    {
      spec: {
        ...{ ...VOLUME, hostPath: { path: '', type: 'Disk' } },
        nodeAffinity: { required: { nodeSelectorTerms: [] } },
      },
    },
    [
      'spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term',
      'spec.hostPath.path: Required value',
      expect.stringContaining('spec.hostPath.type: Unsupported value: "Disk"'),
    ] as string[],
  ],
  [
    'a root that is to be emptied, of nodes that are not said',
    PERSISTENT_VOLUMES,
    {
      spec: {
        ...{ ...VOLUME, hostPath: { path: '/.' }, nodeAffinity: {} },
        persistentVolumeReclaimPolicy: 'Recycle',
      },
    },
    [
      'spec.nodeAffinity.required: Required value: must specify required node constraints',
      "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
    ],
  ],
  [
    'a volume of no driver',
    PERSISTENT_VOLUMES,
    {
      spec: {
        ...{ ...VOLUME, hostPath: undefined },
        csi: { driver: 'A_b', volumeHandle: '', nodePublishSecretRef: { name: 's' } },
      },
    },
    [
      expect.stringContaining('spec.csi.driver: Invalid value: "A_b"'),
      'spec.csi.volumeHandle: Required value',
      'spec.csi.nodePublishSecretRef.namespace: Required value',
    ] as string[],
  ],
  ['a class', STORAGE_CLASSES, { provisioner: 'kubernetes.io/no-provisioner' }, []],
  [
    'a class of nobody',
    STORAGE_CLASSES,
    { reclaimPolicy: 'Recycle' },
    [
      'provisioner: Required value',
      'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
    ],
  ],
])('judges %s', (_what, resource, body, expected) => {
  expect(refusal(resource, { ...named, ...body })).toEqual(expected);
});

const IMMUTABLE =
  'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
const sized = (storage: string) => ({ ...CLAIM, resources: { requests: { storage } } });
const bound = { status: { phase: 'Bound', capacity: { storage: '512Mi' } } };

it.each<[string, object, object, readonly string[]]>([
  ['gets its volume', {}, { ...CLAIM, volumeName: 'v' }, []],
  ['changes its class', {}, { ...CLAIM, storageClassName: 'b' }, [IMMUTABLE]],
  ['grows before it is bound', {}, sized('2Gi'), [IMMUTABLE]],
  ['grows', bound, sized('2Gi'), []],
  [
    'shrinks',
    bound,
    sized('1Mi'),
    ['spec.resources.requests.storage: Forbidden: field can not be less than status.capacity'],
  ],
  ['takes back what it was not given', bound, sized('768Mi'), []],
])('judges a claim that %s', (_what, more, spec, expected) => {
  const old = { ...named, ...more, spec: CLAIM };
  expect(refusal(PERSISTENT_VOLUME_CLAIMS, { ...named, ...more, spec }, old)).toEqual(expected);
});

it('keeps where a volume is, once that has been said', () => {
  const at = (node: string) => ({
    required: {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
      ],
    },
  });
  const volume = (more: object) => ({ ...named, spec: { ...VOLUME, ...more } });
  const local = volume({ nodeAffinity: at('a') });
  const judged = (next: object, old: object) => refusal(PERSISTENT_VOLUMES, next, old);
  expect(judged(local, volume({}))).toEqual([]);
  expect(judged({ ...local, metadata: { name: 'a', labels: { b: 'c' } } }, local)).toEqual([]);
  const [moved = '', ...others] = judged(volume({ nodeAffinity: at('b') }), local);
  expect(others).toEqual([]);
  expect(moved).toMatch(/^nodeAffinity: Invalid value: .*: field is immutable$/);
  expect(judged(volume({}), local)).toEqual([
    'nodeAffinity: Invalid value: null: field is immutable',
  ]);
  expect(judged(volume({ volumeMode: 'Block' }), volume({ volumeMode: 'Filesystem' }))).toEqual([
    'volumeMode: Invalid value: "Block": field is immutable',
  ]);
});

it('keeps what a class is', () => {
  const old = { ...named, provisioner: 'a.example/b' };
  const next = { ...old, provisioner: 'a.example/c', volumeBindingMode: 'WaitForFirstConsumer' };
  expect(refusal(STORAGE_CLASSES, next, old)).toEqual([
    'provisioner: Forbidden: updates to provisioner are forbidden.',
    'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
  ]);
});

it.each<[string, object, readonly string[]]>([
  ['no claim', { persistentVolumeClaim: {} }, ['persistentVolumeClaim.claimName: Required value']],
  ['no template', { ephemeral: {} }, ['ephemeral.volumeClaimTemplate: Required value']],
  [
    'a claim on nothing',
    { ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'] } } } },
    ['ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value'],
  ],
  ['a claim', { ephemeral: { volumeClaimTemplate: { spec: CLAIM } } }, []],
  [
    'a driver with a secret of no name',
    { csi: { driver: 'd.test', nodePublishSecretRef: {} } },
    ['csi.nodePublishSecretRef.name: Required value'],
  ],
  [
    'a server of no name',
    { nfs: { server: '', path: '' } },
    [
      'nfs.server: Required value',
      'nfs.path: Required value',
      'nfs.path: Invalid value: "": must be an absolute path',
    ],
  ],
])('judges what a pod has as a volume: %s', (_what, source, expected) => {
  const volumes = [{ name: 'v', ...source }];
  expect(refusal(PODS, pod({ volumes }))).toEqual(
    expected.map((text) => `spec.volumes[0].${text}`),
  );
});

it('takes changes of a volume that was there before its place was judged', () => {
  const old = { ...named, spec: { ...VOLUME, hostPath: undefined, local: { path: '/srv' } } };
  const released = { ...old, spec: { ...old.spec, persistentVolumeReclaimPolicy: 'Retain' } };
  expect(refusal(PERSISTENT_VOLUMES, old)).not.toEqual([]);
  expect(refusal(PERSISTENT_VOLUMES, released, old)).toEqual([]);
});
