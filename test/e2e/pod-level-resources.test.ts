import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(240_000);

const NAME = 'e2e-pod-level';
const cluster = sharedCluster(NAME, { nodes: 1 });

afterEach(() => cluster.clear());

const MIB = 2 ** 20;
const FIGURES = {
  quotaMicros: 'cpu/cpu.cfs_quota_us',
  shares: 'cpu/cpu.shares',
  memoryBytes: 'memory/memory.limit_in_bytes',
} as const;

const figures = async (read: (controller: string, file: string) => Promise<string> | string) =>
  Object.fromEntries(
    await Promise.all(
      Object.entries(FIGURES).map(async ([name, path]) => {
        const [controller = '', file = ''] = path.split('/');
        return [name, Number(await read(controller, file))] as const;
      }),
    ),
  );

/** What the kernel holds a container to, as it sees it itself. */
const ofContainer = (pod: string, container: string) =>
  figures((controller, file) =>
    cluster.must(
      ...['exec', pod, '-c', container, '--'],
      ...['cat', `/sys/fs/cgroup/${controller}/${file}`],
    ),
  );

/** What it holds the whole pod to. */
const ofPod = (node: string, group: string, uid: string) =>
  figures((controller, file) =>
    readFileSync(join('/sys/fs/cgroup', controller, 'dhow', NAME, node, group, uid, file), 'utf8'),
  );

const AMOUNTS = {
  requests: { cpu: '200m', memory: '64Mi' },
  limits: { cpu: '500m', memory: '128Mi' },
};
const sleeper = (name: string, more: object = {}) => ({
  name,
  image: 'dhow.local/busybox:1',
  imagePullPolicy: 'IfNotPresent',
  command: ['sleep', '1000000'],
  ...more,
});

it('holds a pod to what it asks for itself, and its containers within', async () => {
  const own = { requests: { cpu: '50m' }, limits: { cpu: '100m', memory: '32Mi' } };
  const env = [
    {
      name: 'MOST',
      valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } },
    },
  ];
  const containers = [sleeper('bounded', { resources: own }), sleeper('free', { env })];
  await cluster.apply(podYaml('shared', [], {}, { resources: AMOUNTS, containers }));
  const { metadata, spec, status } = await cluster.podIsReady('shared');
  expect(status.qosClass).toBe('Burstable');
  expect(await ofPod(spec.nodeName ?? '', 'burstable', metadata.uid ?? '')).toEqual({
    ...{ quotaMicros: 50_000, shares: 204, memoryBytes: 128 * MIB },
  });
  expect(await ofContainer('shared', 'bounded')).toEqual({
    ...{ quotaMicros: 10_000, shares: 51, memoryBytes: 32 * MIB },
  });
  expect(await ofContainer('shared', 'free')).toMatchObject({
    ...{ quotaMicros: 50_000, memoryBytes: 128 * MIB },
  });
  const read = (container: string, ...command: readonly string[]) =>
    cluster.must('exec', 'shared', '-c', container, '--', ...command);
  expect((await read('free', 'sh', '-c', 'echo $MOST')).trim()).toBe('128');
  const scores = await Promise.all(
    ['bounded', 'free'].map((each) => read(each, 'cat', '/proc/self/oom_score_adj')),
  );
  for (const score of scores.map(Number)) expect(score).toBeGreaterThan(900);
  expect(Number(scores[0])).toBeLessThanOrEqual(Number(scores[1]));
  await cluster.untilSaid(/Resources:\n +Limits: +cpu=500m\n +memory=128Mi/, () =>
    cluster.dhow('describe', 'pod', 'shared'),
  );
});

it('kills what takes more than the pod may have, though no container has a limit', async () => {
  // Each holds less than the pod may have, and both hold more.
  const names = ['first', 'second'];
  const containers = names.map((name) =>
    sleeper(name, {
      command: ['dd', 'if=/dev/zero', 'of=/held/file', 'bs=1M', 'count=80'],
      volumeMounts: [{ name, mountPath: '/held' }],
    }),
  );
  const volumes = names.map((name) => ({ name, emptyDir: { medium: 'Memory' } }));
  const limits = { cpu: '500m', memory: '128Mi' };
  const resources = { requests: limits, limits };
  await cluster.apply(podYaml('greedy', [], {}, { resources, containers, volumes }));
  const pod = await cluster.until('one of both is killed for memory', async () => {
    const now = await cluster.object('pod', 'greedy');
    return JSON.stringify(now).includes('OOMKilled') ? now : undefined;
  });
  expect(pod).toMatchObject({ status: { qosClass: 'Guaranteed' } });
});

it('says why a pod does not fit by what it asks for itself', async () => {
  const resources = { requests: { cpu: '1000' } };
  await cluster.apply(podYaml('large', ['sleep', '1'], {}, { resources }));
  await cluster.untilSaid(/1k needed, the whole node has/, () => cluster.dhow('why', 'large'));
  await cluster.untilSaid(/lower the cpu request from 1k to/, () => cluster.dhow('why', 'large'));
  const refused = await cluster.kubectl(
    ...['patch', 'pod', 'large', '--subresource', 'resize', '-p'],
    JSON.stringify({ spec: { resources: { requests: { cpu: '1' } } } }),
  );
  expect(refused.stderr).toContain('pods with pod-level resources cannot be resized');
});
