import { ApiError } from '../../api/errors';
import type { Node, Pod } from '../../api/types';
import type { UsageReport } from '../../client/node-connections';
import { ManualClock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import { NodeMetricsResource, PodMetricsResource } from './metrics-resources';
import { UsageCollector } from './usage-collector';

const MIB = 2 ** 20;

/** A node whose counters follow the clock: half a core for each of its pods. */
class FakeNode {
  isConnected = true;
  clockId = 'one';
  askedCount = 0;
  answer: (() => Promise<UsageReport>) | undefined;
  pods: readonly Pod[] = [];

  constructor(private readonly clock: ManualClock) {}

  async usage(): Promise<UsageReport> {
    this.askedCount++;
    if (this.answer !== undefined) return this.answer();
    const monotonicMs = this.clock.monotonicMs();
    const own = {
      cpu: { usageCoreNanoSeconds: monotonicMs * 500_000 },
      memory: { workingSetBytes: 3 * MIB },
    };
    const pods = this.pods.map(({ metadata }) => ({
      podRef: { name: metadata.name, namespace: metadata.namespace, uid: metadata.uid },
      containers: [{ name: 'main', ...own }],
    }));
    const summary = Buffer.from(stringifyJson({ node: own, pods }));
    return { clockId: this.clockId, monotonicMs, summary };
  }
}

const podOn = (nodeName: string, name: string, more: Partial<Pod['metadata']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', uid: `uid-${name}`, labels: { app: name }, ...more },
  spec: { nodeName, containers: [{ name: 'main', image: 'a:1' }] },
  status: { phase: 'Running' },
});

const viewOf = <T extends Node | Pod>(objects: () => readonly T[]) => ({
  get: (key: string) =>
    objects().find(({ metadata: { namespace, name } }) =>
      namespace === undefined ? name === key : `${namespace}/${name}` === key,
    ),
  list: () => objects().values(),
  subscribe: () => () => undefined,
});

const bench = (names: readonly string[]) => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const nodes = new Map(names.map((name) => [name, new FakeNode(clock)]));
  const pods: Pod[] = [];
  const nodeView = viewOf<Node>(() =>
    names.map((name) => ({
      ...{ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {}, status: {} },
    })),
  );
  const collector = new UsageCollector({
    connections: {
      isConnected: (name) => nodes.get(name)?.isConnected === true,
      usage: (name) => nodes.get(name)!.usage(),
    },
    nodes: nodeView,
    clock,
  });
  const deps = { collector, nodes: nodeView, pods: viewOf<Pod>(() => pods), clock };
  const [ofNodes, ofPods] = [new NodeMetricsResource(deps), new PodMetricsResource(deps)];
  const passing = async <T>(work: Promise<T>): Promise<T> => {
    const ended = work.then(
      () => true,
      () => true,
    );
    for (let ms = 0; ms < 60_000; ms += 100) {
      if (await Promise.race([ended, new Promise((next) => setImmediate(next, false))])) break;
      await clock.advance(100);
    }
    return work;
  };
  const add = (nodeName: string, pod: Pod) => {
    pods.push(pod);
    const node = nodes.get(nodeName)!;
    node.pods = [...node.pods, pod];
  };
  return {
    clock,
    collector,
    add,
    pods,
    node: (name: string) => nodes.get(name)!,
    ofNodes,
    ofPods,
    passing,
  };
};

it('measures when it is asked, at first over a second, then from one answer to the next', async () => {
  const { clock, add, node, ofPods, ofNodes, passing } = bench(['n1']);
  add('n1', podOn('n1', 'web'));
  expect(node('n1').askedCount).toBe(0);
  const first = await passing(ofPods.list('default'));
  expect(first.items).toEqual([
    {
      kind: 'PodMetrics',
      apiVersion: 'metrics.k8s.io/v1beta1',
      metadata: {
        ...{ name: 'web', namespace: 'default', labels: { app: 'web' } },
        creationTimestamp: expect.any(String),
      },
      timestamp: '2026-01-01T00:00:01Z',
      window: '1s',
      containers: [{ name: 'main', usage: { cpu: '500m', memory: '3Mi' } }],
    },
  ]);
  expect(node('n1').askedCount).toBe(2);
  await passing(ofNodes.list());
  expect(node('n1').askedCount).toBe(2);
  await clock.advance(15_000);
  const later = await passing(ofNodes.get({ namespace: '', name: 'n1' }));
  expect(later).toMatchObject({ window: '15s', usage: { cpu: '500m', memory: '3Mi' } });
  expect(node('n1').askedCount).toBe(3);
});

it('begins anew after a long silence, and with an agent that started again', async () => {
  const { clock, node, ofNodes, passing } = bench(['n1']);
  await passing(ofNodes.list());
  await clock.advance(61_000);
  expect((await passing(ofNodes.list())).items[0]).toMatchObject({ window: '1s' });
  await clock.advance(15_000);
  node('n1').clockId = 'two';
  expect((await passing(ofNodes.list())).items[0]).toMatchObject({ window: '1s' });
});

it('asks the nodes alone that have something to do with the question', async () => {
  const { add, node, ofPods, passing } = bench(['n1', 'n2']);
  add('n1', podOn('n1', 'web'));
  add('n2', podOn('n2', 'other', { namespace: 'elsewhere' }));
  await passing(ofPods.list('default'));
  expect(node('n2').askedCount).toBe(0);
});

describe('a node', () => {
  it('that is away is left out', async () => {
    const { node, ofNodes, passing } = bench(['n1', 'n2']);
    node('n1').isConnected = false;
    const { items } = await passing(ofNodes.list());
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['n2']);
    await expect(passing(ofNodes.get({ namespace: '', name: 'n1' }))).rejects.toMatchObject({
      reason: 'NotFound',
      message: 'nodemetrics.metrics.k8s.io "n1" not found',
    });
  });

  it('that does not answer keeps nobody waiting twice', async () => {
    const { clock, node, ofNodes, passing } = bench(['n1', 'n2']);
    node('n1').answer = async () => {
      await clock.sleep(5000);
      throw new ApiError('Timeout', 'late');
    };
    const names = async () =>
      (await passing(ofNodes.list())).items.map((each) => each.metadata.name);
    expect(await names()).toEqual(['n2']);
    await clock.advance(15_000);
    const beforeMs = clock.monotonicMs();
    expect(await names()).toEqual(['n2']);
    expect(clock.monotonicMs() - beforeMs).toBeLessThan(500);
    node('n1').answer = undefined;
    await clock.advance(15_000);
    await names();
    await clock.advance(5000);
    expect(await names()).toEqual(['n1', 'n2']);
  });

  it('that says nonsense is left out', async () => {
    const { node, ofNodes, passing } = bench(['n1', 'n2']);
    node('n1').answer = async () => ({
      ...{ clockId: '', monotonicMs: 1, summary: Buffer.from('{"node":{"cpu":{}}}') },
    });
    const { items } = await passing(ofNodes.list());
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['n2']);
  });

  it('speaks of no pods but its own, and of no containers but theirs', async () => {
    const { add, pods, node, ofPods, passing } = bench(['n1', 'n2']);
    add('n1', podOn('n1', 'web'));
    // Another node has it, and another pod had the name.
    node('n2').pods = [pods[0]!];
    pods.push(podOn('n2', 'gone'));
    node('n2').pods = [...node('n2').pods, podOn('n2', 'gone', { uid: 'before' })];
    const { items } = await passing(ofPods.list(undefined));
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['web']);
  });
});

it('ends what is under way when it is disposed of', async () => {
  const { clock, collector, node } = bench(['n1']);
  node('n1').answer = () => clock.sleep(5000).then(() => Promise.reject(new Error('late')));
  const asked = collector.usageOf(['n1']);
  const disposed = collector[Symbol.asyncDispose]();
  await clock.advance(5000);
  await disposed;
  expect((await asked).size).toBe(0);
});
