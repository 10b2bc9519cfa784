import type { Node } from '../../api/types';
import type { CsiDriver } from '../../proto/gen/dhow/agent/v1/agent';
import { csiNodeOf, NODE_ID, shownOn } from './csi-node-keeper';

const node = (labels: Record<string, string> = {}, annotations = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', uid: 'u1', labels, annotations },
  spec: {},
  status: {},
});
const driver = (more: Partial<CsiDriver> = {}): CsiDriver => ({
  name: 'csi.example.org',
  nodeId: 'id-1',
  volumeCountMax: 0n,
  topology: {},
  ...more,
});
const REFUSES = (why: string): never => {
  throw new Error(why);
};

it('shows the drivers of a node, and where it is', () => {
  const topology = { 'example.org/zone': 'z1', 'example.org/rack': 'r1' };
  const drivers = [driver({ topology, volumeCountMax: 8n })];
  expect(csiNodeOf(node(), drivers)).toMatchObject({
    metadata: {
      name: 'n1',
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u1' }],
    },
    spec: {
      drivers: [
        {
          name: 'csi.example.org',
          nodeID: 'id-1',
          topologyKeys: ['example.org/rack', 'example.org/zone'],
          allocatable: { count: 8 },
        },
      ],
    },
  });
  const shown = shownOn(node({ other: 'x' }), drivers, REFUSES);
  expect(shown.metadata).toMatchObject({
    labels: { ...topology, other: 'x' },
    annotations: { [NODE_ID]: '{"csi.example.org":"id-1"}' },
  });
  expect(shownOn(shown, drivers, REFUSES)).toBe(shown);
});

it('takes away the names of drivers that are gone, and leaves a node alone that has none', () => {
  const before = node({}, { [NODE_ID]: '{"csi.example.org":"id-1"}', other: 'x' });
  expect(shownOn(before, [], REFUSES).metadata.annotations).toEqual({ other: 'x' });
  const plain = node();
  expect(shownOn(plain, [], REFUSES)).toBe(plain);
});

it('leaves a label that says otherwise', () => {
  const told: string[] = [];
  const topology = { 'example.org/zone': 'z2' };
  const shown = shownOn(node({ 'example.org/zone': 'z1' }), [driver({ topology })], (why) =>
    told.push(why),
  );
  expect(shown.metadata.labels).toEqual({ 'example.org/zone': 'z1' });
  expect(told).toEqual([
    'detected topology value collision: driver csi.example.org reported "example.org/zone":"z2" but existing label is "example.org/zone":"z1"',
  ]);
});
