import { all, shown, tests, warned, type Effects } from './effect';

const VOLUMES = tests('node-agent/volumes/volumes.test.ts');

const FILES = shown(VOLUMES('gives the files of config maps and of the pod itself the modes'));
const SECRETS = shown(VOLUMES('gives secrets their modes, and a group the right to read'));
const PROJECTED = shown(VOLUMES('joins sources in a projected volume'));
const IMAGE = shown(
  'node-agent/pods/image-volumes.test.ts: brings an image that is a volume, by its own policy',
);
const EMPTY = shown(VOLUMES('bounds memory volumes, shares disk ones, and removes both'));

/** Sources that no node has: the pod waits, and says for what. */
const MISSING = {
  awsElasticBlockStore: { volumeID: 'v' },
  azureDisk: { diskName: 'd', diskURI: 'u' },
  azureFile: { secretName: 's', shareName: 'n' },
  cephfs: { monitors: ['m'] },
  cinder: { volumeID: 'v' },
  fc: { targetWWNs: ['w'], lun: 1 },
  flexVolume: { driver: 'd' },
  flocker: { datasetName: 'd' },
  gcePersistentDisk: { pdName: 'd' },
  gitRepo: { repository: 'r' },
  glusterfs: { endpoints: 'e', path: 'p' },
  iscsi: { targetPortal: 't', iqn: 'iqn', lun: 0 },
  photonPersistentDisk: { pdID: 'd' },
  portworxVolume: { volumeID: 'v' },
  quobyte: { registry: 'r', volume: 'v' },
  rbd: { monitors: ['m'], image: 'i' },
  scaleIO: { gateway: 'g', system: 's', secretRef: { name: 's' } },
  storageos: { volumeName: 'v' },
  vsphereVolume: { volumePath: 'p' },
};

const NFS = shown('node-agent/volumes/nfs-mount.test.ts: mounts what a pod asks for');

const TOKENS = shown(VOLUMES('gives a pod the tokens that the server has issued for it'));

export const VOLUME_EFFECTS: Effects = {
  Volume: {
    name: EMPTY,
    ...all(['configMap', 'downwardAPI'], FILES),
    emptyDir: EMPTY,
    hostPath: shown(VOLUMES('checks that a host path is a %s')),
    ephemeral: shown('test/e2e/volumes.test.ts: makes the claim that a pod brings with it'),
    persistentVolumeClaim: shown(
      'node-agent/volumes/claims.test.ts: gives pods the folder of their claim, which outlives them',
    ),
    image: IMAGE,
    nfs: NFS,
    csi: shown('test/integration/csi-volumes.test.ts: makes a volume that lives with its pod'),
    projected: PROJECTED,
    secret: SECRETS,
    ...Object.fromEntries(Object.entries(MISSING).map(([name, source]) => [name, warned(source)])),
  },
  ImageVolumeSource: all(['pullPolicy', 'reference'], IMAGE),
  EmptyDirVolumeSource: {
    medium: {
      ...warned('Tape'),
      ...shown(
        'node-agent/volumes/huge-page-volume.test.ts: mounts pages of the size that is asked for',
        ...(EMPTY.shown ?? []),
      ),
    },
    sizeLimit: shown(
      'node-agent/pods/pod-storage.test.ts: evicts a pod for a volume beyond its size limit',
      ...(EMPTY.shown ?? []),
    ),
  },
  NFSVolumeSource: all(['path', 'readOnly', 'server'], NFS),
  HostPathVolumeSource: all(['path', 'type'], shown(VOLUMES('checks that a host path is a %s'))),
  ConfigMapVolumeSource: all(['defaultMode', 'items', 'name', 'optional'], FILES),
  SecretVolumeSource: {
    ...all(['defaultMode', 'items', 'secretName'], SECRETS),
    optional: shown(VOLUMES('starts without a secret that may be missing')),
  },
  DownwardAPIVolumeSource: all(['defaultMode', 'items'], FILES),
  DownwardAPIVolumeFile: all(['fieldRef', 'mode', 'path', 'resourceFieldRef'], FILES),
  KeyToPath: all(['key', 'mode', 'path'], FILES),
  ProjectedVolumeSource: { defaultMode: FILES, sources: PROJECTED },
  VolumeProjection: {
    ...all(['configMap', 'downwardAPI', 'secret'], PROJECTED),
    clusterTrustBundle: warned({ path: 'p', signerName: 's' }),
    podCertificate: warned({ signerName: 's', keyType: 'ED25519' }),
    serviceAccountToken: TOKENS,
  },
  ServiceAccountTokenProjection: all(['audience', 'expirationSeconds', 'path'], TOKENS),
  ConfigMapProjection: { ...all(['items', 'name'], FILES), optional: PROJECTED },
  SecretProjection: {
    ...all(['items', 'name'], PROJECTED),
    optional: shown(VOLUMES('starts without a secret that may be missing')),
  },
  DownwardAPIProjection: { items: PROJECTED },
};
