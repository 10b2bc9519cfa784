import { podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(240_000);

const cluster = sharedCluster('e2e-metrics', { nodes: 1 });

afterEach(() => cluster.clear());

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
    return code === 0 && stdout.includes('busy') && stdout.includes('idle') ? stdout : undefined;
  });
  expect(pods).toMatch(/^NAME +CPU\(cores\) +MEMORY\(bytes\) +\n/);
  const [busyMillis = 0] = numbersIn(pods, 'busy');
  const [idleMillis = 1000] = numbersIn(pods, 'idle');
  expect(busyMillis).toBeGreaterThan(50);
  expect(idleMillis).toBeLessThan(50);
  const containers = await cluster.kubectl('top', 'pod', 'busy', '--containers');
  expect(containers.stdout).toMatch(
    /^POD +NAME +CPU\(cores\) +MEMORY\(bytes\) +\nbusy +main +\d+m +\d+Mi/,
  );
  const nodes = await cluster.kubectl('top', 'nodes');
  expect(nodes.stdout).toMatch(/^NAME +CPU\(cores\) +CPU\(%\) +MEMORY\(bytes\) +MEMORY\(%\) +\n/);
  const [nodeMillis = 0] = numbersIn(nodes.stdout, 'node-1');
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
