import { all, kept, shown, tests, warned, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const MATCH = tests('api/volumes/match.test.ts');
const PLANS = tests('control-plane/controllers/volumes/plans.test.ts');
const MAKES = tests('control-plane/controllers/volumes/plan-local-path.test.ts');
const PLACES = tests('control-plane/scheduler/volumes/volumes.test.ts');
const MOUNTS = tests('node-agent/volumes/claims.test.ts');

const MADE = shown(MAKES('makes a volume on the node that was chosen, of what the claim asks for'));
const LEFT = shown(MATCH('leaves a volume of %s'));
const SIZE = shown(
  MATCH('takes the smallest volume that is large enough, whatever order they come in'),
);
const NAMED = shown(
  PLANS('keeps to the volume that the claim names, and to the claim that the volume names'),
);
const PREPARED = shown(
  MOUNTS('uses what an administrator has prepared, and makes no folder in its place'),
);

/** Sources that no node has: pods wait, and say for what. */
const MISSING = [
  ...['awsElasticBlockStore', 'azureDisk', 'azureFile', 'cephfs', 'cinder', 'fc'],
  ...['flexVolume', 'flocker', 'gcePersistentDisk', 'glusterfs', 'iscsi'],
  ...['photonPersistentDisk', 'portworxVolume', 'quobyte', 'rbd', 'scaleIO', 'storageos'],
  'vsphereVolume',
];

const CSI = tests('test/integration/csi-volumes.test.ts');
const STAGED = shown(
  CSI('stages a volume once for a node, publishes it to each pod, and takes all of it back'),
);
const TOLD = shown(CSI('tells the driver what its object asks for: the pod, its tokens, secrets'));
const GROUP = shown(CSI('has %s: %d'));
const INLINE = shown(
  CSI('makes a volume that lives with its pod, unless the driver has none of these'),
);
const SHOWN_NODE = shown(
  'control-plane/nodes/csi-node-keeper.test.ts: shows the drivers of a node, and where it is',
);
const DRIVERS = tests('control-plane/scheduler/volumes/drivers.test.ts');
const LIMITED = shown(
  DRIVERS(
    'counts what the pods of a node have of a driver, each volume once, and says who could go',
  ),
);
const ROOM = shown(
  DRIVERS('goes where the driver says that there is room for the volume, if it wants that gone by'),
);
const ATTACHED = shown(
  'control-plane/controllers/attach-detach/plan.test.ts: attaches what the pods of a node use',
);
const DEVICE = shown(
  ...(LEFT.shown ?? []),
  'test/e2e/block-volumes.test.ts: keeps what a pod has written to its device for the next one',
  'test/e2e/block-volumes.test.ts: gives a pod the device of its node, to read only where it says so',
);
const NFS = shown(
  'node-agent/volumes/nfs-mount.test.ts: mounts what the volume behind a claim says, with its options',
);
const FOR_OTHERS = kept('for the controllers of the driver, which run beside it');

export const STORAGE_EFFECTS: Effects = {
  CSIDriver: { ...OBJECT, spec: TOLD },
  CSIDriverSpec: {
    attachRequired: shown(
      CSI('waits until the volume is attached, and passes on what that has told'),
    ),
    fsGroupPolicy: GROUP,
    nodeAllocatableUpdatePeriodSeconds: warned(60),
    podInfoOnMount: TOLD,
    preventPodSchedulingIfMissing: warned(true),
    requiresRepublish: shown(
      CSI('tells a driver again that wants to be, when there is something new'),
    ),
    seLinuxMount: warned(true),
    serviceAccountTokenInSecrets: shown(
      CSI('puts tokens among the secrets where the driver wants them there'),
    ),
    storageCapacity: ROOM,
    tokenRequests: TOLD,
    volumeLifecycleModes: INLINE,
  },
  CSINode: { ...OBJECT, spec: SHOWN_NODE },
  CSINodeSpec: { drivers: SHOWN_NODE },
  CSINodeDriver: {
    allocatable: LIMITED,
    name: SHOWN_NODE,
    nodeID: FOR_OTHERS,
    topologyKeys: FOR_OTHERS,
  },
  VolumeNodeResources: { count: LIMITED },
  CSIStorageCapacity: {
    ...OBJECT,
    ...all(['capacity', 'maximumVolumeSize', 'nodeTopology', 'storageClassName'], ROOM),
  },
  VolumeAttachment: {
    ...OBJECT,
    spec: shown(CSI('waits until the volume is attached, and passes on what that has told')),
    status: STATUS,
  },
  VolumeAttachmentSpec: {
    attacher: FOR_OTHERS,
    nodeName: shown(CSI('waits until the volume is attached, and passes on what that has told')),
    source: ATTACHED,
  },
  VolumeAttachmentSource: {
    inlineVolumeSpec: FOR_OTHERS,
    persistentVolumeName: ATTACHED,
  },
  CSIPersistentVolumeSource: {
    ...all(['controllerExpandSecretRef', 'controllerPublishSecretRef', 'readOnly'], FOR_OTHERS),
    driver: STAGED,
    fsType: GROUP,
    nodeExpandSecretRef: shown(
      CSI('grows a volume where it is mounted, with the secret that is for it'),
    ),
    ...all(['nodePublishSecretRef', 'nodeStageSecretRef', 'volumeAttributes'], TOLD),
    volumeHandle: STAGED,
  },
  SecretReference: all(['name', 'namespace'], TOLD),
  CSIVolumeSource: {
    ...all(['driver', 'fsType', 'readOnly', 'volumeAttributes'], INLINE),
    nodePublishSecretRef: shown(
      'control-plane/nodes/assignments.test.ts: finds every way in which a pod names secrets and config maps',
    ),
  },
  StorageClass: {
    ...OBJECT,
    metadata: shown(
      'control-plane/api-server/admission/default-storage-class.test.ts: gives a claim without a class',
    ),
    allowVolumeExpansion: shown(
      'control-plane/api-server/admission/storage-in-use.test.ts: gets it where its class lets it: %s',
      'test/e2e/csi-claims.test.ts: grows a claim by its controller and on the node, over kill -9',
    ),
    allowedTopologies: shown(
      PLACES('lets volumes be made where the class allows it, and stays with the node once chosen'),
    ),
    mountOptions: warned(['ro']),
    parameters: kept('for the provisioner of the class; the one in the box has none'),
    provisioner: shown(
      PLANS('hands a claim to who makes volumes of its class, once a node is chosen'),
    ),
    reclaimPolicy: MADE,
    volumeBindingMode: shown(PLANS('leaves a free volume to the scheduler where a pod is waited')),
  },
  TopologySelectorTerm: {
    matchLabelExpressions: shown(PLACES('lets volumes be made where the class allows it')),
  },
  TopologySelectorLabelRequirement: all(
    ['key', 'values'],
    shown(PLACES('lets volumes be made where the class allows it')),
  ),
  PersistentVolume: { ...OBJECT, spec: NAMED, status: STATUS },
  PersistentVolumeSpec: {
    accessModes: LEFT,
    capacity: SIZE,
    claimRef: NAMED,
    ...all(['hostPath', 'local'], PREPARED),
    mountOptions: { ...warned(['ro']), ...shown(...(TOLD.shown ?? []), ...(NFS.shown ?? [])) },
    csi: STAGED,
    nfs: NFS,
    nodeAffinity: shown(PLACES('goes where its volume is')),
    persistentVolumeReclaimPolicy: shown(PLANS('releases a volume whose claim is gone: %s')),
    storageClassName: LEFT,
    volumeAttributesClassName: warned('fast'),
    volumeMode: { ...warned('Block'), ...DEVICE },
    ...all(MISSING, kept('no node has it, and pods that use it will not start: that is warned of')),
  },
  LocalVolumeSource: {
    path: PREPARED,
    fsType: kept('for a device that is to be formatted: a path is a folder'),
  },
  VolumeNodeAffinity: { required: shown(PLACES('goes where its volume is')) },
  PersistentVolumeClaim: { ...OBJECT, spec: NAMED, status: STATUS },
  PersistentVolumeClaimSpec: {
    accessModes: LEFT,
    dataSource: warned({ kind: 'PersistentVolumeClaim', name: 'other' }),
    dataSourceRef: warned({ kind: 'PersistentVolumeClaim', name: 'other' }),
    resources: SIZE,
    selector: shown(MATCH('selects by labels, and only what the node can reach')),
    storageClassName: LEFT,
    volumeAttributesClassName: warned('fast'),
    volumeMode: DEVICE,
    volumeName: NAMED,
  },
  VolumeResourceRequirements: {
    limits: kept('a volume is as large as it is: what is asked for is the least'),
    requests: SIZE,
  },
  PersistentVolumeClaimVolumeSource: {
    claimName: shown(MOUNTS('gives pods the folder of their claim, which outlives them')),
    readOnly: shown(
      'node-agent/containers/container-fields.test.ts: mounts a claim as its volume says',
    ),
  },
  EphemeralVolumeSource: {
    volumeClaimTemplate: shown(
      'test/e2e/volumes.test.ts: makes the claim that a pod brings with it, and takes it away',
    ),
  },
  PersistentVolumeClaimTemplate: all(
    ['metadata', 'spec'],
    shown('test/e2e/volumes.test.ts: makes the claim that a pod brings with it, and takes it away'),
  ),
};
