import { deploymentYaml, isReady, podYaml, shell, TestCluster } from './support/cluster';
import { leftBehind, sharedState } from './support/machine';

jest.setTimeout(360_000);

const NAME = 'e2e-survival';
const SLEEP = ['sleep', '1000000'];

let before: readonly string[];
let cluster: TestCluster;

beforeAll(async () => {
  before = sharedState();
  // Longer than a machine with much else to do needs to start an agent again.
  cluster = await TestCluster.start(NAME, {
    flags: ['--node-grace', '20', '--eviction-after', '10'],
  });
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  expect(leftBehind(NAME, before)).toEqual([]);
});

afterEach(() => cluster.clear());

const containerOf = (pod: Awaited<ReturnType<TestCluster['pod']>>) =>
  pod?.status.containerStatuses?.[0];

it('leads a host port to its pod, over kill -9 of the agent, and no longer than that', async () => {
  const listen = 'while true; do echo here | nc -l -p 80; done';
  const ports = [{ containerPort: 80, hostPort: 18080 }];
  await cluster.apply(podYaml('reached', ['sh', '-c', listen], { ports }));
  const { spec, status } = await cluster.podIsReady('reached');
  const answers = async (): Promise<boolean> =>
    (await shell(`timeout 2 busybox nc ${status.hostIP ?? ''} 18080 < /dev/null`)).stdout ===
    'here\n';
  await cluster.until('an answer', answers);
  process.kill(cluster.pid(spec.nodeName ?? ''), 'SIGKILL');
  await cluster.until('an answer without the agent', answers);
  await cluster.up();
  await cluster.until('an answer with the next agent', answers);
  await cluster.must('delete', 'pod', 'reached');
  await cluster.until('silence', async () => !(await answers()));
});

it('kill -9 of an agent: containers run on and are taken over, no restart counted', async () => {
  await cluster.apply(podYaml('steady', ['sh', '-c', 'echo started; exec sleep 1000000']));
  const pod = await cluster.podIsReady('steady');
  process.kill(cluster.pid(pod.spec.nodeName ?? ''), 'SIGKILL');
  await cluster.up();
  await cluster.until(
    'an answer',
    async () => (await cluster.dhow('exec', 'steady', '--', 'true')).code === 0,
  );
  const after = await cluster.podIsReady('steady');
  expect(containerOf(after)).toMatchObject({
    restartCount: 0,
    containerID: containerOf(pod)?.containerID,
  });
  expect(await cluster.must('logs', 'steady')).toBe('started\n');
});

it('kill -9 of the server: what was acknowledged is there, agents come back', async () => {
  await cluster.apply(deploymentYaml('app', 3, SLEEP));
  await cluster.until(
    'three pods',
    async () => (await cluster.pods()).filter(isReady).length === 3,
  );
  const uids = (await cluster.pods()).map(({ metadata }) => metadata.uid).sort();
  process.kill(cluster.pid('server'), 'SIGKILL');
  await cluster.up();
  await cluster.must('delete', 'pod', (await cluster.pods())[0]?.metadata.name ?? '');
  const pods = await cluster.until('the replacement', async () => {
    const found = await cluster.pods();
    return found.length === 3 && found.every(isReady) && found;
  });
  const kept = pods.filter(({ metadata }) => uids.includes(metadata.uid));
  expect(kept).toHaveLength(2);
  for (const pod of kept) expect(containerOf(pod)?.restartCount).toBe(0);
});

it('kill -9 of etcd: writes go on once it is back, watches resume', async () => {
  const written: string[] = [];
  process.kill(cluster.etcdPid(), 'SIGKILL');
  for (let i = 0; i < 20; i++) {
    const name = `after-${i}`;
    const manifest = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
    const { code } = await cluster.dhowWith(manifest, 'apply', '-f', '-');
    if (code === 0) written.push(name);
  }
  expect(written.length).toBeGreaterThan(0);
  for (const name of written) expect(await cluster.object('cm', name)).toBeDefined();
  await cluster.apply(podYaml('later', SLEEP));
  await cluster.podIsReady('later');
});

it('a whole node dies: its pods are replaced elsewhere; when it returns the stale ones go', async () => {
  await cluster.apply(deploymentYaml('app', 4, SLEEP));
  const pods = await cluster.until('four pods', async () => {
    const found = await cluster.pods();
    return found.length === 4 && found.every(isReady) && found;
  });
  const victim = pods[0]?.spec.nodeName ?? '';
  const doomed = pods
    .filter(({ spec }) => spec.nodeName === victim)
    .map(({ metadata }) => metadata.uid);
  cluster.killNode(victim);
  await cluster.until(
    'NotReady',
    async () => new RegExp(`^${victim} +NotReady`, 'm').test(await cluster.must('get', 'nodes')),
    120_000,
  );
  await cluster.until(
    'replacements',
    async () => {
      const ready = (await cluster.pods()).filter(isReady);
      return ready.length === 4 && ready.every(({ spec }) => spec.nodeName !== victim);
    },
    120_000,
  );
  await cluster.up();
  await cluster.until(
    'the stale pods gone',
    async () => {
      const found = await cluster.pods();
      return (
        found.length === 4 &&
        found.every((pod) => isReady(pod) && !doomed.includes(pod.metadata.uid))
      );
    },
    120_000,
  );
});

it('a process that ignores SIGTERM ends when its grace does', async () => {
  await cluster.apply(podYaml('deaf', ['sh', '-c', 'trap "" TERM; while true; do sleep 1; done']));
  await cluster.podIsReady('deaf');
  const { code } = await cluster.dhow('delete', 'pod', 'deaf');
  expect(code).toBe(0);
  expect(await cluster.pod('deaf')).toBeUndefined();
});

it('tells an out-of-memory kill from an exit with the same code', async () => {
  const limits = { resources: { limits: { memory: '24Mi' } } };
  const once = { restartPolicy: 'Never' };
  await cluster.apply(podYaml('greedy', ['tail', '/dev/zero'], limits, once));
  await cluster.apply(podYaml('liar', ['sh', '-c', 'exit 137'], {}, once));
  const greedy = await cluster.podIs('greedy', 'Failed');
  const liar = await cluster.podIs('liar', 'Failed');
  expect(containerOf(greedy)?.state?.terminated).toMatchObject({
    reason: 'OOMKilled',
    exitCode: 137,
  });
  expect(containerOf(liar)?.state?.terminated).toMatchObject({ reason: 'Error', exitCode: 137 });
});

it('a fork bomb stays in its pod', async () => {
  const bomb = 'f() { f | f & }; f; sleep 1000000';
  await cluster.apply(
    podYaml('bomb', ['sh', '-c', bomb], { resources: { limits: { memory: '64Mi' } } }),
  );
  await cluster.until('the bomb to go off', async () => {
    const pod = await cluster.pod('bomb');
    return (
      containerOf(pod) !== undefined &&
      (containerOf(pod)?.restartCount ?? 0) + (isReady(pod) ? 1 : 0) > 0
    );
  });
  await cluster.apply(podYaml('neighbour', SLEEP));
  await cluster.podIsReady('neighbour');
  await cluster.must('delete', 'pod', 'bomb');
});

it('a full emptyDir fails its pod, and only that', async () => {
  const filler = podYaml(
    'filler',
    ['sh', '-c', 'dd if=/dev/zero of=/data/file bs=1M count=64; exec sleep 1000000'],
    { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
    { volumes: [{ name: 'data', emptyDir: { sizeLimit: '8Mi' } }] },
  );
  await cluster.apply(filler);
  const pod = await cluster.podIs('filler', 'Failed', 120_000);
  expect(pod.status.reason).toBe('Evicted');
  expect(pod.status.message).toContain('data');
  const tmpfs = podYaml(
    'memory',
    [
      'sh',
      '-c',
      'dd if=/dev/zero of=/data/file bs=1M count=64 2>/dev/null; wc -c < /data/file; exec sleep 1000000',
    ],
    { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
    { volumes: [{ name: 'data', emptyDir: { medium: 'Memory', sizeLimit: '2Mi' } }] },
  );
  await cluster.apply(tmpfs);
  await cluster.podIsReady('memory');
  await cluster.until(
    'its log',
    async () => (await cluster.must('logs', 'memory')) === `${2 * 2 ** 20}\n`,
  );
});

it('down after everything was killed leaves nothing', async () => {
  await cluster.apply(deploymentYaml('app', 3, SLEEP));
  await cluster.until(
    'three pods',
    async () => (await cluster.pods()).filter(isReady).length === 3,
  );
  for (const name of ['server', 'node-1', 'node-2', 'node-3'])
    process.kill(cluster.pid(name), 'SIGKILL');
  process.kill(cluster.etcdPid(), 'SIGKILL');
  await cluster[Symbol.asyncDispose]();
  expect(leftBehind(NAME, before)).toEqual([]);
  cluster = await TestCluster.start(NAME, { nodes: 1 });
});
