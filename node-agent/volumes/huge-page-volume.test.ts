import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { PodSpec } from '../../api/types';
import { testContainer, testPod } from '../pods/testing';
import { fakeMounter, noNfs } from './fake-mounter';
import { hugePageVolume } from './huge-page-volume';
import { VolumeManager } from './volume-manager';

type Texts = Readonly<Record<string, string>>;

const MIB = 2 ** 20;
const asking = (pages: Texts) => {
  const list = { memory: '1Gi', ...pages };
  return testContainer({ resources: { requests: list, limits: list } });
};
const podOf = (spec: Partial<PodSpec>) => testPod({ spec });
const small = podOf({ containers: [asking({ 'hugepages-2Mi': '8Mi' })] });
const both = podOf({ containers: [asking({ 'hugepages-2Mi': '8Mi', 'hugepages-1Gi': '1Gi' })] });

it.each([
  ['of the size that the pod asks for', small, { medium: 'HugePages' }, 2 * MIB, 8 * MIB],
  ['of the size that is named', both, { medium: 'HugePages-1Gi' }, 1024 * MIB, 1024 * MIB],
  ['up to a limit of its own', small, { medium: 'HugePages', sizeLimit: '4Mi' }, 2 * MIB, 4 * MIB],
  [
    'up to the limit of the pod',
    small,
    { medium: 'HugePages', sizeLimit: '1Gi' },
    2 * MIB,
    8 * MIB,
  ],
  [
    'of what the pod itself asks for',
    podOf({
      resources: {
        requests: { cpu: '1', 'hugepages-2Mi': '6Mi' },
        limits: { 'hugepages-2Mi': '6Mi' },
      },
    }),
    { medium: 'HugePages-2Mi' },
    2 * MIB,
    6 * MIB,
  ],
  [
    'of what its first steps ask for',
    podOf({
      initContainers: [asking({ 'hugepages-2Mi': '4Mi' })],
      containers: [testContainer()],
    }),
    { medium: 'HugePages' },
    2 * MIB,
    4 * MIB,
  ],
])('is %s', (_, pod, source, pageBytes, sizeBytes) => {
  expect(hugePageVolume(pod, source)).toEqual({ pageBytes, sizeBytes });
});

it.each([
  [
    "medium: HugePages can't be used if container requests multiple huge page sizes",
    both,
    'HugePages',
  ],
  [
    'medium HugePages-1Gi: hugePages storage requested, but there is no resource request for huge pages',
    small,
    'HugePages-1Gi',
  ],
  ['unknown storage medium "HugePages-x"', small, 'HugePages-x'],
])('is refused: %s', (message, pod, medium) => {
  expect(() => hugePageVolume(pod, { medium })).toThrow(message);
});

it('mounts pages of the size that is asked for, up to the amount', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'dhow-huge-'));
  const mounter = fakeMounter();
  const volumes = new VolumeManager({
    ...{ stateDir: join(directory, 'state'), runDir: join(directory, 'run'), mounter },
    nfs: noNfs,
    claims: { claim: () => undefined, volume: () => undefined },
    tokens: () => undefined,
    node: () => undefined,
  });
  try {
    const pod = {
      ...small,
      spec: { ...small.spec, volumes: [{ name: 'v', emptyDir: { medium: 'HugePages' } }] },
    };
    const prepared = volumes.prepare({
      pod,
      objects: { configMap: () => undefined, secret: () => undefined },
      node: {
        ...{ nodeName: 'n', hostIps: [], podIps: [] },
        ...{ allocatableCpuMillis: 1, allocatableMemoryBytes: 1 },
      },
    });
    const path = join(directory, 'run/pods', pod.metadata.uid ?? '', 'empty-dir/v');
    expect([...prepared]).toEqual([['v', path]]);
    expect([...mounter.mounts]).toEqual([[path, `hugetlbfs ${2 * MIB} ${8 * MIB}`]]);
    // It takes nothing of the disk.
    expect(volumes.diskPath(pod, 'v')).toBeUndefined();
    await volumes.remove(pod.metadata.uid ?? '');
    expect([...mounter.mounts]).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
