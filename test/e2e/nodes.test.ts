import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Node } from '../../api/types';
import { clusterPaths } from '../../cli/cluster-paths';
import { endAgent, takeOver } from './support/agent-takeover';
import { isReady, podYaml, TestCluster } from './support/cluster';
import { leftBehind, sharedState } from './support/machine';

jest.setTimeout(240_000);

const NAME = 'e2e-nodes';

let before: readonly string[];
let cluster: TestCluster;
let agent: ChildProcess | undefined;
let node: string;

beforeAll(async () => {
  before = sharedState();
  cluster = await TestCluster.start(NAME, { nodes: 1, flags: ['--node-disk', '1Gi'] });
  const nodes = JSON.parse(await cluster.must('get', 'nodes', '-o', 'json')) as { items: Node[] };
  node = nodes.items[0]?.metadata.name ?? '';
});
afterAll(async () => {
  await endAgent(agent);
  await cluster[Symbol.asyncDispose]();
  expect(leftBehind(NAME, before)).toEqual([]);
});

/** The node's agent ends, and one with these flags besides its own takes over. */
const restartAgent = async (...flags: readonly string[]): Promise<void> => {
  const pid = agent?.pid ?? cluster.pid(node);
  agent = await takeOver(cluster, pid, /^--(eviction|system|shutdown|pod-manifest)-/, flags);
};

const CGROUPS = existsSync('/sys/fs/cgroup/cgroup.controllers')
  ? '/sys/fs/cgroup/dhow'
  : '/sys/fs/cgroup/memory/dhow';

const nodeOf = async () => (await cluster.object('node', node)) as Node;
const condition = async (type: string) =>
  (await nodeOf()).status.conditions?.find((each) => each.type === type);
const taints = async () => ((await nodeOf()).spec.taints ?? []).map(({ key }) => key);

/** Holds so much memory in a volume of its own, which counts as the pod's. */
const holder = (name: string, mebibytes: number, more: object = {}) =>
  podYaml(
    name,
    ['sh', '-c', `dd if=/dev/zero of=/held/file bs=1M count=${mebibytes} && exec sleep 1000000`],
    { volumeMounts: [{ name: 'held', mountPath: '/held' }], ...more },
    { volumes: [{ name: 'held', emptyDir: { medium: 'Memory' } }] },
  );

it('evicts by memory who takes more than it asked for, tells why, and lets nothing greedy in', async () => {
  await cluster.apply(holder('greedy', 60));
  await cluster.apply(
    holder('honest', 40, {
      resources: {
        requests: { memory: '80Mi', cpu: '100m' },
        limits: { memory: '80Mi', cpu: '100m' },
      },
    }),
  );
  const uidOf = async (name: string) => (await cluster.podIsReady(name)).metadata.uid ?? '';
  expect(existsSync(join(CGROUPS, NAME, node, 'besteffort', await uidOf('greedy')))).toBe(true);
  expect(existsSync(join(CGROUPS, NAME, node, await uidOf('honest')))).toBe(true);
  await restartAgent('--eviction-hard', 'memory.available<99%');
  const { status } = await cluster.podIs('greedy', 'Failed', 120_000);
  expect(status.reason).toBe('Evicted');
  expect(status.message).toMatch(
    /^The node was low on resource: memory\. Threshold quantity: \d+(Ki)?, available: \d+Ki\. Container main was using \d+Ki, request is 0, has larger consumption of memory\. $/,
  );
  expect(status.conditions).toContainEqual(
    expect.objectContaining({ type: 'DisruptionTarget', reason: 'TerminationByKubelet' }),
  );
  await cluster.until(
    'the condition',
    async () => (await condition('MemoryPressure'))?.status === 'True',
  );
  expect(await condition('MemoryPressure')).toMatchObject({
    status: 'True',
    reason: 'KubeletHasInsufficientMemory',
    message: 'kubelet has insufficient memory available',
  });
  await cluster.until('the taint', async () =>
    (await taints()).includes('node.kubernetes.io/memory-pressure'),
  );
  await cluster.until('the event', async () =>
    (await cluster.must('get', 'events')).includes('Attempting to reclaim memory'),
  );
  await restartAgent(
    '--eviction-hard',
    'memory.available<1Mi',
    '--system-reserved',
    'cpu=100m,memory=64Mi',
  );
  await cluster.until(
    'relief',
    async () => (await condition('MemoryPressure'))?.status === 'False',
  );
  await cluster.until('no taint', async () => (await taints()).length === 0);
  const { capacity, allocatable } = (await nodeOf()).status;
  const kibi = (text = '') => Number(text.replace('Ki', ''));
  expect(kibi(capacity?.['memory']) - kibi(allocatable?.['memory'])).toBe(65 * 1024);
});

it('evicts by disk who has written more than it asked for, first the one that matters less', async () => {
  const writer = (name: string, more: object = {}, spec: object = {}) =>
    podYaml(
      name,
      ['sh', '-c', 'dd if=/dev/zero of=/data/file bs=1M count=64 && exec sleep 1000000'],
      { volumeMounts: [{ name: 'data', mountPath: '/data' }], ...more },
      { volumes: [{ name: 'data', emptyDir: {} }], ...spec },
    );
  await cluster.must('create', 'priorityclass', 'dear', '--value', '1000');
  await cluster.apply(
    writer('asked', { resources: { requests: { 'ephemeral-storage': '80Mi' } } }),
  );
  await cluster.apply(writer('dear', {}, { priorityClassName: 'dear' }));
  await cluster.apply(writer('free'));
  const written = async (name: string) =>
    (await cluster.dhow('exec', name, '--', 'wc', '-c', '/data/file')).stdout.split(' ')[0];
  for (const name of ['asked', 'dear', 'free']) {
    await cluster.podIsReady(name);
    await cluster.until('its file', async () => (await written(name)) === String(64 * 2 ** 20));
  }
  const { bavail, bsize } = statfsSync(clusterPaths(NAME).nodeStateDir(node));
  // One of them has to go, and with it there is enough.
  const bytes = bavail * bsize + 32 * 2 ** 20;
  const hard = `memory.available<1Mi,imagefs.available<0%,nodefs.available<${bytes}`;
  await restartAgent('--eviction-hard', hard, '--eviction-pressure-transition-period', '1s');
  const { status } = await cluster.podIs('free', 'Failed', 120_000);
  expect(status.reason).toBe('Evicted');
  expect(status.message).toMatch(
    /^The node was low on resource: ephemeral-storage\. Threshold quantity: \d+, available: \d+Ki\. Container main was using \d+Ki, request is 0, has larger consumption of ephemeral-storage\. $/,
  );
  await cluster.until('the event', async () =>
    (await cluster.must('get', 'events')).includes('Attempting to reclaim ephemeral-storage'),
  );
  await cluster.until('relief', async () => (await condition('DiskPressure'))?.status === 'False');
  for (const name of ['asked', 'dear'])
    expect((await cluster.pod(name))?.status.phase).toBe('Running');
});

it('runs a static pod, shows its mirror and logs, and restarts it with its file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dhow-static-'));
  const put = (word: string) =>
    writeFileSync(
      join(folder, 'web.json'),
      podYaml('web', ['sh', '-c', `echo ${word}; exec sleep 1000000`]),
    );
  try {
    put('first');
    await restartAgent('--pod-manifest-path', folder);
    const name = `web-${node}`;
    const logs = () => cluster.dhow('logs', name);
    const { metadata } = await cluster.podIsReady(name, 120_000);
    await cluster.untilSaid('first\n', logs);
    expect((await cluster.kubectl('delete', 'pod', name, '--wait=false')).code).toBe(0);
    await cluster.until('another mirror', async () => {
      const pod = await cluster.pod(name);
      return pod?.metadata.uid !== metadata.uid && isReady(pod);
    });
    await cluster.untilSaid('first\n', logs);
    put('second');
    await cluster.untilSaid('second\n', logs);
    rmSync(join(folder, 'web.json'));
    await cluster.until('the end', async () => (await cluster.pod(name)) === undefined);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('ends its pods in order when the machine goes down', async () => {
  await restartAgent(
    '--shutdown-grace-period',
    '20s',
    '--shutdown-grace-period-critical-pods',
    '10s',
  );
  await cluster.apply(podYaml('last', ['sleep', '1000000']));
  await cluster.podIsReady('last', 120_000);
  const ended = once(agent ?? process, 'exit');
  agent?.kill('SIGPWR');
  await ended;
  const { status } = await cluster.podIs('last', 'Failed');
  expect(status).toMatchObject({
    reason: 'Terminated',
    message: 'Pod was terminated in response to imminent node shutdown.',
  });
});
