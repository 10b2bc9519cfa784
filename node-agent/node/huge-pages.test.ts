import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readHugePages } from './huge-pages';
import { allocatableOf, nodeStatusOf } from './node-status';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dhow-pages-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const pool = (folder: string, count: string): void => {
  mkdirSync(join(root, folder));
  writeFileSync(join(root, folder, 'nr_hugepages'), count);
};

it('reads the pools of all sizes, and nothing that is none', () => {
  pool('hugepages-2048kB', '4\n');
  pool('hugepages-1048576kB', '0\n');
  pool('hugepages-64kB', 'many\n');
  pool('other', '1\n');
  mkdirSync(join(root, 'hugepages-32kB'));
  expect(readHugePages(root)).toEqual(
    new Map([
      [2 ** 30, 0],
      [2 ** 21, 4],
    ]),
  );
  expect(readHugePages(join(root, 'none')).size).toBe(0);
});

it('gives pods all pages, and no memory of what they take', () => {
  const facts = {
    ...{ cpuMillis: 1000, memoryBytes: 2 ** 30, machineId: '', bootId: '' },
    ...{ kernelVersion: '', osImage: '' },
  };
  const input = {
    ...{ facts, nodeName: 'n', nodeIps: [], version: '0', maxPods: 1, diskTotalBytes: 1 },
    hugePages: new Map([
      [2 ** 30, 0],
      [2 ** 21, 4],
    ]),
    unallocatable: { cpuMillis: 0, memoryBytes: 2 ** 20, ephemeralStorageBytes: 0 },
    ...{ pressures: new Set<never>(), images: [], volumesInUse: [], notReady: undefined },
    devices: { capacity: {}, allocatable: {} },
    handlers: [],
  };
  const pages = { 'hugepages-1Gi': '0', 'hugepages-2Mi': '8Mi' };
  expect(nodeStatusOf(input).capacity).toMatchObject({ ...pages, memory: '1Gi' });
  expect(allocatableOf(input)).toMatchObject({ ...pages, memory: '1015Mi' });
  const tooMany = { ...input, hugePages: new Map([[2 ** 30, 2]]) };
  expect(allocatableOf(tooMany)).toMatchObject({ 'hugepages-1Gi': '2Gi', memory: '0' });
});
