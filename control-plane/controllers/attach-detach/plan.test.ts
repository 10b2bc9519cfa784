import type {
  CSIDriver,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  VolumeAttachment,
} from '../../../api/types';
import { attachmentNameOf } from '../../../api/volumes';
import { isUnresponsive, planAttachments, type NodeWorld } from './plan';

const DRIVER = 'csi.example.org';
const NAME = attachmentNameOf('vol-1', DRIVER, 'n1');

const volume = (accessModes: readonly string[] = ['ReadWriteOnce']): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'pv-1', uid: 'uid-pv' },
  spec: {
    accessModes,
    csi: { driver: DRIVER, volumeHandle: 'vol-1' },
    claimRef: { name: 'c', namespace: 'ns', uid: 'uid-c' },
  },
});
const claim: PersistentVolumeClaim = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'c', namespace: 'ns', uid: 'uid-c' },
  spec: { volumeName: 'pv-1' },
};
const pod = (phase = 'Running'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', uid: 'uid-p' },
  spec: {
    containers: [{ name: 'c' }],
    nodeName: 'n1',
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }],
  },
  status: { phase },
});
const node = (volumesInUse: readonly string[] = [], ready = 'True'): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1' },
  spec: {},
  status: { volumesInUse, conditions: [{ type: 'Ready', status: ready }] },
});
const attachment = (name = NAME, metadata: object = {}): VolumeAttachment => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'VolumeAttachment',
  metadata: { name, ...metadata },
  spec: { attacher: DRIVER, nodeName: 'n1', source: { persistentVolumeName: 'pv-1' } },
});
const driver = (attachRequired: boolean): CSIDriver => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIDriver',
  metadata: { name: DRIVER },
  spec: { attachRequired },
});
const world = (more: Partial<NodeWorld> = {}): NodeWorld => ({
  nodeName: 'n1',
  node: node(),
  pods: [pod()],
  attachments: [],
  claim: () => claim,
  volume: () => volume(),
  driver: () => undefined,
  nodesOf: () => [],
  ...more,
});
const planned = (more: Partial<NodeWorld>) => {
  const plan = planAttachments(world(more));
  return Object.fromEntries(
    Object.entries(plan)
      .map(([what, found]) => [what, found.length] as const)
      .filter(([, count]) => count > 0),
  );
};

it('attaches what the pods of a node use', () => {
  const { attach } = planAttachments(world({ driver: () => driver(true) }));
  expect(
    attach.map(({ name, volume: found, pods }) => [name, found.metadata.name, pods.length]),
  ).toEqual([[NAME, 'pv-1', 1]]);
  expect(planned({ attachments: [attachment()] })).toEqual({});
});

it.each<[string, Partial<NodeWorld>]>([
  ['a driver that needs none', { driver: () => driver(false) }],
  ['a pod that has ended', { pods: [pod('Succeeded')] }],
  ['a claim that is not bound', { claim: () => ({ ...claim, spec: {} }) }],
  ['a node that is gone', { node: undefined }],
])('attaches nothing for %s', (_what, more) => {
  expect(planned(more)).toEqual({});
});

it('attaches a volume for one node to one', () => {
  expect(planned({ nodesOf: () => ['n2'] })).toEqual({ blocked: 1 });
  expect(planned({ nodesOf: () => ['n2'], volume: () => volume(['ReadWriteMany']) })).toEqual({
    attach: 1,
  });
});

it('detaches what no pod uses, once the node has it no longer', () => {
  const more = { pods: [], attachments: [attachment()] };
  expect(planned(more)).toEqual({ detach: 1 });
  const inUse = node([`kubernetes.io/csi/${DRIVER}^vol-1`]);
  expect(planned({ ...more, node: inUse })).toEqual({ waiting: 1 });
  expect(planned({ ...more, node: undefined })).toEqual({ detach: 1 });
  expect(planned({ ...more, volume: () => undefined })).toEqual({ detach: 1 });
});

it('leaves what is being detached, and what others have attached', () => {
  const gone = attachment(NAME, { deletionTimestamp: '2026-01-01T00:00:00Z' });
  expect(planned({ pods: [], attachments: [gone, attachment('by-hand')] })).toEqual({});
});

it('takes a node that is not ready, or out of service, for one that will not answer', () => {
  const out = {
    ...node(),
    spec: { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] },
  };
  expect([node(), node([], 'Unknown'), out, undefined].map(isUnresponsive)).toEqual([
    false,
    true,
    true,
    false,
  ]);
});
