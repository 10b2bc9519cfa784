import type { Deployment, HorizontalPodAutoscaler } from '../../api/types';
import { deploymentYaml, podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(240_000);

const cluster = sharedCluster('e2e-metrics', { nodes: 1 });

afterEach(async () => {
  await cluster.must('delete', 'hpa', 'web', '--ignore-not-found');
  await cluster.clear();
});

const BUSY = ['sh', '-c', 'while :; do :; done'];

/** `busy  312m  1Mi` as the numbers it has. */
const numbersIn = (text: string, name: string): readonly number[] => {
  const line = text.split('\n').find((each) => each.split(/\s+/).includes(name));
  return [...(line ?? '').matchAll(/(\d+)(m|Mi|%)(?=\s|$)/g)].map(([, count]) => Number(count));
};

it('shows what a busy container, its pod and its node use', async () => {
  await cluster.apply(podYaml('busy', BUSY));
  await cluster.apply(podYaml('idle', ['sleep', '1000000']));
  await cluster.podIsReady('busy');
  await cluster.podIsReady('idle');
  const pods = await cluster.until('both are measured', async () => {
    const { code, stdout } = await cluster.kubectl('top', 'pods');
    const [busyMillis = 0] = numbersIn(stdout, 'busy');
    const [idleMillis = 1000] = numbersIn(stdout, 'idle');
    // The first window may have the start of a container in it.
    return code === 0 && busyMillis > 50 && idleMillis < 50 ? stdout : undefined;
  });
  expect(pods).toMatch(/^NAME +CPU\(cores\) +MEMORY\(bytes\) +\n/);
  const containers = await cluster.kubectl('top', 'pod', 'busy', '--containers');
  expect(containers.stdout).toMatch(
    /^POD +NAME +CPU\(cores\) +MEMORY\(bytes\) +\nbusy +main +\d+m +\d+Mi/,
  );
  expect(await cluster.must('top', 'pod', 'idle')).toMatch(
    /^NAME +CPU\(cores\) +MEMORY\(bytes\) +\nidle +\d+m +\d+Mi +\n$/,
  );
  const nodes = await cluster.untilSame(
    async () => (await cluster.kubectl('top', 'nodes')).stdout,
    () => cluster.must('top', 'nodes'),
  );
  expect(nodes).toMatch(/^NAME +CPU\(cores\) +CPU\(%\) +MEMORY\(bytes\) +MEMORY\(%\) +\n/);
  const [nodeMillis = 0] = numbersIn(nodes, 'node-1');
  expect(nodeMillis).toBeGreaterThan(50);
  const summary = await cluster.kubectl('get', '--raw', '/api/v1/nodes/node-1/proxy/stats/summary');
  const { node, pods: measured } = JSON.parse(summary.stdout) as {
    node: { nodeName: string; cpu: { usageCoreNanoSeconds: number } };
    pods: { podRef: { name: string }; containers: { memory: { workingSetBytes: number } }[] }[];
  };
  expect(node).toMatchObject({ nodeName: 'node-1' });
  expect(node.cpu.usageCoreNanoSeconds).toBeGreaterThan(0);
  const busy = measured.find(({ podRef }) => podRef.name === 'busy');
  expect(busy?.containers[0]?.memory.workingSetBytes).toBeGreaterThan(0);
});

/** The value of one series of a page of metrics. */
const valueIn = (page: string, name: string, ...labels: readonly string[]): number => {
  const line = page
    .split('\n')
    .find((each) => each.startsWith(name) && labels.every((label) => each.includes(label)));
  return Number(/^\S+ (\S+)/.exec(line ?? '')?.[1]);
};

it('has the pages of metrics of a node, which whoever collects them reads', async () => {
  await cluster.apply(podYaml('busy', BUSY));
  await cluster.podIsReady('busy');
  // Before anybody counts: it is done once a minute.
  await cluster.must('exec', 'busy', '--', 'sh', '-c', 'head -c 1000000 /dev/zero > /filled');
  const page = (path: string) => cluster.must('get', '--raw', `/api/v1/nodes/node-1/proxy/${path}`);
  const own = ['container="main"', 'namespace="default"', 'pod="busy"'];
  const resource = await cluster.until('it has been at work', async () => {
    const text = await page('metrics/resource');
    return valueIn(text, 'container_cpu_usage_seconds_total', ...own) > 0.1 ? text : undefined;
  });
  expect(valueIn(resource, 'pod_cpu_usage_seconds_total', 'pod="busy"')).toBeGreaterThan(0.1);
  expect(valueIn(resource, 'node_memory_working_set_bytes')).toBeGreaterThan(2 ** 20);
  expect(valueIn(resource, 'container_start_time_seconds', ...own)).toBeGreaterThan(1e9);
  expect(valueIn(resource, 'resource_scrape_error')).toBe(0);
  const cadvisor = await page('metrics/cadvisor');
  expect(valueIn(cadvisor, 'container_memory_rss', ...own, 'image="')).toBeGreaterThan(0);
  expect(valueIn(cadvisor, 'container_spec_cpu_shares', ...own)).toBe(2);
  expect(valueIn(cadvisor, 'machine_cpu_cores')).toBeGreaterThan(0);
  const filled = await cluster.until('its files are counted', async () => {
    const text = await page('metrics/cadvisor');
    return text.includes('container_fs_usage_bytes{container="main"') ? text : undefined;
  });
  expect(valueIn(filled, 'container_fs_usage_bytes', ...own)).toBeGreaterThanOrEqual(1_000_000);
  expect(valueIn(filled, 'container_fs_limit_bytes', 'id="/"')).toBeGreaterThan(1_000_000);
  const metrics = await cluster.until('the rules of services are in', async () => {
    const text = await page('metrics');
    return valueIn(text, 'dhow_service_changes_total') > 0 ? text : undefined;
  });
  expect(valueIn(metrics, 'kubelet_running_pods')).toBeGreaterThan(0);
  const running = 'container_state="running"';
  expect(valueIn(metrics, 'kubelet_running_containers', running)).toBeGreaterThan(0);
  expect(valueIn(metrics, 'process_resident_memory_bytes')).toBeGreaterThan(2 ** 20);
  expect(valueIn(metrics, 'dhow_event_loop_lag_seconds_count')).toBeGreaterThan(0);
  // The resolver says every few seconds what it has counted.
  await cluster.until('a question to the resolver is counted', async () => {
    await cluster.kubectl('exec', 'busy', '--', 'nslookup', 'kubernetes.default.svc.cluster.local');
    return valueIn(await page('metrics'), 'dhow_dns_queries_total', 'type="A"') > 0;
  });
  const none = await cluster.kubectl('get', '--raw', '/api/v1/nodes/node-1/proxy/metrics/probes');
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('(NotFound)')]);
});

/** Busy while there is a file, for at most a fifth of a core. */
const busyOnDemand = (): string => {
  const script = 'while :; do if [ -f /tmp/busy ]; then :; else sleep 1; fi; done';
  const deployment = JSON.parse(deploymentYaml('web', 1, ['sh', '-c', script])) as {
    spec: { template: { spec: { containers: Record<string, unknown>[] } } };
  };
  const [container] = deployment.spec.template.spec.containers;
  container!['resources'] = { requests: { cpu: '100m' }, limits: { cpu: '200m' } };
  return JSON.stringify(deployment);
};

it('scales a deployment up under load, and down when it ends', async () => {
  await cluster.apply(busyOnDemand());
  const [pod] = await cluster.until('a pod', async () => {
    const pods = await cluster.pods('-l', 'app=web');
    return pods.length === 1 ? pods : undefined;
  });
  const busy = pod?.metadata.name ?? '';
  await cluster.podIsReady(busy);
  await cluster.must('exec', busy, '--', 'touch', '/tmp/busy');
  const [max, cpu] = ['--max=3', '--cpu=20%'];
  expect(await cluster.must('autoscale', 'deploy/web', max, cpu, '--dry-run=server')).toBe(
    'horizontalpodautoscaler.autoscaling/web autoscaled (server dry run)\n',
  );
  expect(await cluster.dhow('autoscale', `pod/${busy}`, max)).toMatchObject({
    code: 1,
    stderr:
      'error: cannot autoscale a Pod: could not find scale subresource for /v1, Resource=pods in discovery information\n',
  });
  const made = await cluster.kubectl('autoscale', 'deploy', 'web', max, cpu);
  expect(made.stdout).toBe('horizontalpodautoscaler.autoscaling/web autoscaled\n');
  const behavior = { spec: { behavior: { scaleDown: { stabilizationWindowSeconds: 0 } } } };
  await cluster.must('patch', 'hpa', 'web', '--type=merge', '-p', JSON.stringify(behavior));
  const replicas = async () =>
    ((await cluster.object('deploy', 'web')) as Deployment | undefined)?.spec.replicas;
  await cluster.until('three replicas', async () => (await replicas()) === 3, 90_000);
  const status = async () =>
    ((await cluster.object('hpa', 'web')) as HorizontalPodAutoscaler | undefined)?.status;
  await cluster.until('a status', async () => (await status())?.desiredReplicas === 3);
  await cluster.untilSaid(/web +Deployment\/web +cpu: \d+%\/20% +1 +3 +\d +/, () =>
    cluster.kubectl('get', 'hpa', 'web'),
  );
  const described = await cluster.untilSaid(
    /New size: 3; reason: cpu resource utilization \(percentage of request\) above target/,
    () => cluster.kubectl('describe', 'hpa', 'web'),
  );
  expect(described).toMatch(/ScalingLimited +True +TooManyReplicas/);
  await cluster.untilSaid(
    /Decided by: +a limit: the desired replica count is more than the maximum replica count\n/,
    () => cluster.dhow('describe', 'hpa', 'web'),
  );
  await cluster.must('exec', busy, '--', 'rm', '/tmp/busy');
  await cluster.until('one replica', async () => (await replicas()) === 1, 120_000);
  // An event is written a little after what it tells of.
  await cluster.until('an event that says why', async () =>
    (await cluster.kubectl('get', 'events')).stdout.includes('reason: All metrics below target'),
  );
});
