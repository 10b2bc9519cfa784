import type { Pod } from '../../api/types';
import { podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(240_000);

const cluster = sharedCluster('e2e-resize', { nodes: 1 });

afterEach(() => cluster.clear());

const MIB = 2 ** 20;
const of = (cpu: string, memory: string) => ({ cpu, memory });
const both = (cpu: string, memory: string) => ({
  requests: of(cpu, memory),
  limits: of(cpu, memory),
});

const podNamed = async (name: string): Promise<Pod> =>
  JSON.parse(await cluster.must('get', 'pod', name, '-o', 'json')) as Pod;

const resize = (name: string, resources: object) =>
  cluster.kubectl(
    ...['patch', 'pod', name, '--subresource', 'resize', '-p'],
    JSON.stringify({ spec: { containers: [{ name: 'main', resources }] } }),
  );

const untilInForce = (name: string, cpu: string, memory: string) =>
  cluster.until(`${name} has ${cpu} of cpu and ${memory} of memory`, async () => {
    const pod = await podNamed(name);
    const [status] = pod.status.containerStatuses ?? [];
    const { limits } = status?.resources ?? {};
    return limits?.['cpu'] === cpu && limits['memory'] === memory ? pod : undefined;
  });

const conditionOf = ({ status }: Pod, type: string) =>
  status.conditions?.find((condition) => condition.type === type);

/** What the kernel holds the container to, as it sees it itself. */
const figures = async (name: string) => {
  const read = (file: string) => cluster.must('exec', name, '--', 'cat', `/sys/fs/cgroup/${file}`);
  return {
    quotaMicros: Number(await read('cpu/cpu.cfs_quota_us')),
    shares: Number(await read('cpu/cpu.shares')),
    memoryBytes: Number(await read('memory/memory.limit_in_bytes')),
  };
};

it('resizes a pod that runs on, up and down, and tells what is in force', async () => {
  await cluster.apply(podYaml('web', ['sleep', '1000000'], { resources: both('100m', '64Mi') }));
  await cluster.podIsReady('web');
  expect(await figures('web')).toEqual({
    ...{ quotaMicros: 10_000, shares: 102, memoryBytes: 64 * MIB },
  });
  expect(await resize('web', both('200m', '128Mi'))).toMatchObject({ code: 0 });
  const grown = await untilInForce('web', '200m', '128Mi');
  expect(await figures('web')).toEqual({
    ...{ quotaMicros: 20_000, shares: 204, memoryBytes: 128 * MIB },
  });
  expect(grown.status.containerStatuses?.[0]).toMatchObject({
    restartCount: 0,
    allocatedResources: of('200m', '128Mi'),
  });
  await resize('web', both('50m', '32Mi'));
  await untilInForce('web', '50m', '32Mi');
  expect(await figures('web')).toEqual({
    ...{ quotaMicros: 5_000, shares: 51, memoryBytes: 32 * MIB },
  });
  const settled = await cluster.until('all is in force', async () => {
    const pod = await podNamed('web');
    return conditionOf(pod, 'PodResizeInProgress') === undefined ? pod : undefined;
  });
  expect(settled.metadata.generation).toBe(3);
  expect(settled.status).toMatchObject({ observedGeneration: 3 });
  await cluster.untilSaid(/ResizeCompleted/, () => cluster.dhow('describe', 'pod', 'web'));
});

it('restarts a container only for what its policy says', async () => {
  const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
  await cluster.apply(
    podYaml('web', ['sleep', '1000000'], { resources: both('100m', '64Mi'), resizePolicy }),
  );
  await cluster.podIsReady('web');
  await resize('web', both('100m', '128Mi'));
  const again = await untilInForce('web', '100m', '128Mi');
  expect(again.status.containerStatuses?.[0]?.restartCount).toBe(1);
  await cluster.podIsReady('web');
  await resize('web', both('200m', '128Mi'));
  const same = await untilInForce('web', '200m', '128Mi');
  expect(same.status.containerStatuses?.[0]?.restartCount).toBe(1);
});

it('keeps what a pod has where the node cannot give more, and says why', async () => {
  await cluster.apply(podYaml('web', ['sleep', '1000000'], { resources: both('100m', '64Mi') }));
  await cluster.podIsReady('web');
  await resize('web', both('1000', '64Mi'));
  const refused = await cluster.until('the node has answered', async () => {
    const pod = await podNamed('web');
    return conditionOf(pod, 'PodResizePending') === undefined ? undefined : pod;
  });
  expect(conditionOf(refused, 'PodResizePending')).toMatchObject({
    ...{ status: 'True', reason: 'Infeasible', observedGeneration: 2 },
    message: expect.stringMatching(
      /^Node didn't have enough capacity: cpu, requested: 1000000, capacity: \d+$/,
    ),
  });
  expect(refused.status.containerStatuses?.[0]?.resources).toEqual(both('100m', '64Mi'));
  expect((await cluster.dhow('why', 'web')).stdout).toContain('ResizeInfeasible');
  await cluster.untilSaid(/Limits in force: +cpu=100m/, () =>
    cluster.dhow('describe', 'pod', 'web'),
  );
  await resize('web', both('100m', '64Mi'));
  await cluster.until('the wish is forgotten', async () =>
    conditionOf(await podNamed('web'), 'PodResizePending') === undefined ? true : undefined,
  );
});

it('lowers no memory limit below what is used', async () => {
  const fill = 'dd if=/dev/zero of=/dev/shm/x bs=1M count=40 && exec sleep 1000000';
  await cluster.apply(podYaml('full', ['sh', '-c', fill], { resources: both('100m', '128Mi') }));
  await cluster.podIsReady('full');
  await cluster.until('it is full', async () =>
    (await cluster.kubectl('exec', 'full', '--', 'pidof', 'sleep')).code === 0 ? true : undefined,
  );
  await resize('full', both('100m', '32Mi'));
  const refused = await cluster.until('the node has tried', async () => {
    const pod = await podNamed('full');
    return conditionOf(pod, 'PodResizeInProgress')?.reason === 'Error' ? pod : undefined;
  });
  expect(conditionOf(refused, 'PodResizeInProgress')?.message).toMatch(
    /^cannot decrease memory limits: .*memory limit \(33554432\) below current usage \(\d+\)/,
  );
  expect((await figures('full')).memoryBytes).toBe(128 * MIB);
  await cluster.must('exec', 'full', '--', 'rm', '/dev/shm/x');
  await untilInForce('full', '100m', '32Mi');
  expect((await figures('full')).memoryBytes).toBe(32 * MIB);
});

it('kill -9 of the agent: what was asked for comes into force all the same, and stays', async () => {
  await cluster.apply(podYaml('web', ['sleep', '1000000'], { resources: both('100m', '64Mi') }));
  const before = await cluster.podIsReady('web');
  await resize('web', both('200m', '128Mi'));
  process.kill(cluster.pid('node-1'), 'SIGKILL');
  await cluster.up();
  await untilInForce('web', '200m', '128Mi');
  process.kill(cluster.pid('node-1'), 'SIGKILL');
  await cluster.up();
  await cluster.until('an answer', async () =>
    (await cluster.kubectl('exec', 'web', '--', 'true')).code === 0 ? true : undefined,
  );
  const after = await untilInForce('web', '200m', '128Mi');
  expect(after.status.containerStatuses?.[0]).toMatchObject({
    restartCount: 0,
    containerID: before.status.containerStatuses?.[0]?.containerID,
  });
  expect(await figures('web')).toMatchObject({ quotaMicros: 20_000, memoryBytes: 128 * MIB });
});

it('refuses what cannot be resized, in upstream’s words, and changes nothing by the pod itself', async () => {
  await cluster.apply(podYaml('web', ['sleep', '1000000'], { resources: both('100m', '64Mi') }));
  await cluster.podIsReady('web');
  expect((await resize('web', { limits: { cpu: '200m' } })).stderr).toContain(
    'Pod QOS Class may not change as a result of resizing',
  );
  expect((await resize('web', { limits: null })).stderr).toContain(
    'spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed',
  );
  const storage = { limits: { 'ephemeral-storage': '1Gi' } };
  expect((await resize('web', storage)).stderr).toContain(
    'spec: Forbidden: only cpu and memory resources are mutable',
  );
  const plain = await cluster.kubectl(
    ...['patch', 'pod', 'web', '-p'],
    JSON.stringify({
      spec: { containers: [{ name: 'main', resources: both('200m', '64Mi') }] },
    }),
  );
  expect(plain.stderr).toContain('pod updates may not change fields other than');
});
