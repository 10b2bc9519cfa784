import type { CSINode, PersistentVolume, Pod, VolumeAttachment } from '../../api/types';
import { volumeTroubles, type DriverVolume } from './volume-waits';

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', uid: 'u' },
  spec: { nodeName: 'n1', containers: [] },
  status: {},
};
const volume: PersistentVolume = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'pv' },
};
const on = (...drivers: readonly string[]): { value: CSINode } => ({
  value: {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSINode',
    metadata: { name: 'n1' },
    spec: { drivers: drivers.map((name) => ({ name, nodeID: 'n' })) },
  },
});
const attachment = (status: object): { value: VolumeAttachment } => ({
  value: {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'VolumeAttachment',
    metadata: { name: 'csi-1', creationTimestamp: '2030-01-01T00:00:00Z' },
    status: { attached: false, ...status },
  },
});
const behindClaim = (more: Partial<DriverVolume>): DriverVolume => ({
  ...{ name: 'data', driverName: 'csi.test', volume, object: { value: undefined } },
  ...{ csiNode: on('csi.test'), attachment: attachment({ attached: true }) },
  ...more,
});
const texts = (...volumes: readonly DriverVolume[]) =>
  volumeTroubles(pod, volumes).map(({ reason, message = '' }) => `${reason}: ${message}`);

it.each<[string, Partial<DriverVolume>, readonly string[]]>([
  ['is attached, and its driver is there', {}, []],
  [
    'has not been attached, and nobody says why',
    { attachment: attachment({}) },
    [
      'VolumeNotAttached: volume data (pv) waits for the attacher of csi.test to attach it to n1, which has not answered',
    ],
  ],
  [
    'cannot be attached',
    { attachment: attachment({ attachError: { message: 'no such disk' } }) },
    ['VolumeNotAttached: volume data (pv) cannot be attached to n1 by csi.test: no such disk'],
  ],
  [
    'nobody attaches',
    { attachment: { value: undefined } },
    [
      'VolumeNotAttached: volume data (pv) waits for being attached to n1: nobody has been told to yet',
    ],
  ],
  [
    'has a driver that attaches nothing, and is not on the node',
    {
      object: {
        value: {
          ...{ apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', metadata: { name: 'csi.test' } },
          spec: { attachRequired: false },
        },
      },
      ...{ attachment: { value: undefined }, csiNode: on('other.test') },
    },
    [
      'DriverNotRegistered: volume data needs the driver csi.test, which is not registered on n1: other.test is',
    ],
  ],
])('says of a volume what it waits for that %s', (_what, more, expected) => {
  expect(texts(behindClaim(more))).toEqual(expected);
});

it('says nothing of what it may not read, and of a volume of the pod itself whether its driver is there', () => {
  expect(texts({ name: 'data', driverName: 'csi.test', volume })).toEqual([]);
  expect(texts({ name: 'scratch', driverName: 'csi.test', csiNode: { value: undefined } })).toEqual(
    [
      'DriverNotRegistered: volume scratch needs the driver csi.test, which is not registered on n1: none is',
    ],
  );
});
