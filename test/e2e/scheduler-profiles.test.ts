import { join } from 'node:path';
import { podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(240_000);

const FILE = join(__dirname, '../../deploy/scheduler/bin-packing.yaml');

const cluster = sharedCluster('e2e-sched', { nodes: 2, flags: ['--scheduler-config', FILE] });

const SLEEP = ['sleep', '1000000'];
const REQUESTS = { resources: { requests: { cpu: '50m', memory: '16Mi' } } };

describe('a cluster with a scheduler configuration', () => {
  afterEach(() => cluster.clear());

  it('fills one node by the bin-packing profile, and both by the usual one', async () => {
    const place = async (prefix: string, schedulerName: string): Promise<ReadonlySet<string>> => {
      const nodes = new Set<string>();
      for (let i = 0; i < 3; i++) {
        await cluster.apply(podYaml(`${prefix}${i}`, SLEEP, REQUESTS, { schedulerName }));
        const { spec } = await cluster.podIsReady(`${prefix}${i}`);
        nodes.add(spec.nodeName ?? '');
      }
      return nodes;
    };
    expect((await place('spread', 'default-scheduler')).size).toBe(2);
    await cluster.clear();
    expect((await place('packed', 'bin-packing')).size).toBe(1);
    await cluster.untilSaid(/"bin-packing"/, () => cluster.dhow('get', 'events', '-o', 'json'));
  });

  it('leaves a pod of another scheduler alone, and why says so', async () => {
    await cluster.apply(podYaml('foreign', SLEEP, {}, { schedulerName: 'nobody' }));
    const text = await cluster.until('an answer', async () => {
      const found = await cluster.must('why', 'foreign');
      return found.includes('nobody') ? found : undefined;
    });
    expect(text).toContain('only the scheduler nobody, which it names, would place it');
    expect(text).not.toContain('tried');
  });

  it('refuses a file by the field that is wrong, before anything is made', async () => {
    const { code, stderr } = await cluster.dhow(
      'up',
      ...['--name', 'e2e-never', '--scheduler-config', __filename],
    );
    expect(code).not.toBe(0);
    expect(stderr).toContain(`--scheduler-config ${__filename}: `);
  });

  it('places a pod group once enough of it is there', async () => {
    await cluster.apply(
      JSON.stringify({
        apiVersion: 'scheduling.x-k8s.io/v1alpha1',
        kind: 'PodGroup',
        metadata: { name: 'train' },
        spec: { minMember: 2 },
      }),
    );
    const member = (name: string) => {
      const pod = JSON.parse(podYaml(name, SLEEP)) as { metadata: { labels: object } };
      const labels = { ...pod.metadata.labels, 'scheduling.x-k8s.io/pod-group': 'train' };
      return JSON.stringify({ ...pod, metadata: { ...pod.metadata, labels } });
    };
    await cluster.apply(member('worker-0'));
    const why = await cluster.until('the reason', async () => {
      const found = await cluster.must('why', 'worker-0');
      return found.includes('tried again after more') ? found : undefined;
    });
    expect(why).toContain(
      'more pods of PodGroup default/train: 1 of the 2 that it needs are there',
    );
    const group = await cluster.must('why', 'podgroup/train');
    expect(group).toMatch(
      /^default\/train is Pending: 0 of the 2 pods that it needs have a node\n  1 pod not made yet\n/,
    );
    expect(group).toContain('it waits without a limit');
    expect(group).toMatch(/\n  worker-0 +- +0\/\d +\d the pod group cannot be placed as a whole\n/);
    await cluster.apply(member('worker-1'));
    for (const name of ['worker-0', 'worker-1']) await cluster.podIsReady(name);
    const table = await cluster.until('the phase', async () => {
      const found = await cluster.must('get', 'podgroups');
      return found.includes('Running') ? found : undefined;
    });
    expect(table).toMatch(/^NAME +PHASE +MINMEMBER +RUNNING +SUCCEEDED +FAILED +AGE\n/);
    expect(table).toMatch(/\ntrain +Running +2 +2 /);
    expect(await cluster.must('why', 'podgroup/train')).toMatch(
      /^default\/train is Running: 2 of the 2 pods that it needs have a node\n\n  POD +NODE +FIT +WHY\n  worker-0 +node-\d /,
    );
    await cluster.must('delete', 'podgroup', 'train');
  });
});
