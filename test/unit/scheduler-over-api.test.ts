import type { Pod } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { startTestServer, type TestServer } from '../../control-plane/api-server/testing';
import { createScheduler, type Scheduler } from '../../control-plane/scheduler';
import {
  testNode,
  testPod,
  type NodeOptions,
  type PodOptions,
} from '../../control-plane/scheduler/testing';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';

type PodJson = Pick<Pod, 'spec' | 'status'>;

/** The scheduler against the real API over a store in memory, seen through REST. */
interface Cluster extends AsyncDisposable {
  readonly server: TestServer;
  readonly scheduler: Scheduler;
  addNode(name: string, options?: NodeOptions): Promise<void>;
  addPod(name: string, options?: PodOptions): Promise<void>;
  pod(name: string): Promise<PodJson>;
}

const startCluster = async (): Promise<Cluster> => {
  const made: { client?: ApiClient } = {};
  // The API serves what the scheduler answers, and the scheduler asks the API: one must come first.
  const late = new Proxy({} as ApiClient, {
    get: (_target, method: keyof ApiClient) => made.client![method].bind(made.client),
  });
  const scheduler = createScheduler({
    client: late,
    clock: systemClock,
    random: seededRandom(1),
    log: silentLog,
    seed: 1,
  });
  const server = await startTestServer({ virtual: [scheduler.decisions, scheduler.explanations] });
  made.client = server.api.client;
  const abort = new AbortController();
  const running = scheduler.run(abort.signal);
  const create = async (path: string, object: object) => {
    const { status, text } = await server.request('POST', path, object);
    if (status !== 201) throw new Error(text);
  };
  return {
    server,
    scheduler,
    addNode: async (name, options) => {
      const { metadata, status, ...node } = testNode(name, options);
      await create('/api/v1/nodes', { ...node, metadata: { ...metadata, uid: undefined } });
      const written = await server.request(
        'PATCH',
        `/api/v1/nodes/${name}/status`,
        { status },
        {
          headers: { 'content-type': 'application/merge-patch+json' },
        },
      );
      if (written.status !== 200) throw new Error(written.text);
    },
    addPod: async (name, options) => {
      const { metadata, status: _status, ...pod } = testPod(name, options);
      await create('/api/v1/namespaces/default/pods', {
        ...pod,
        metadata: { ...metadata, uid: undefined },
      });
    },
    pod: async (name) =>
      (await server.request('GET', `/api/v1/namespaces/default/pods/${name}`)).json,
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await running;
      await server[Symbol.asyncDispose]();
    },
  };
};

const until = async <T>(read: () => Promise<T | undefined | false>): Promise<T> => {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
    const value = await read();
    if (value !== undefined && value !== false) return value;
    await systemClock.sleep(5);
  }
  throw new Error('condition not reached');
};

const conditionOf = (pod: PodJson) =>
  pod.status.conditions?.find(({ type }) => type === 'PodScheduled');

describe('scheduler over the API', () => {
  it('binds pods and serves why', async () => {
    await using cluster = await startCluster();
    await cluster.addNode('node-1', { cpu: '1' });
    await cluster.addNode('node-2', { cpu: '8' });
    await cluster.addPod('web', { cpu: '500m' });

    const pod = await until(async () => {
      const current = await cluster.pod('web');
      return current.spec.nodeName !== undefined && current;
    });
    expect(pod.spec.nodeName).toBe('node-2');
    expect(conditionOf(pod)).toMatchObject({ status: 'True' });

    const base = '/apis/scheduling.dhow.dev/v1/namespaces/default';
    const { json: decisions } = await cluster.server.request('GET', `${base}/schedulingdecisions`);
    expect(decisions.items).toHaveLength(1);
    expect(decisions.items[0].status).toMatchObject({ nodeName: 'node-2', nodesConsidered: 2 });
    const name = decisions.items[0].metadata.name as string;
    const { json: decision } = await cluster.server.request(
      'GET',
      `${base}/schedulingdecisions/${name}`,
    );
    expect(decision.spec.podName).toBe('web');
    const { json: why } = await cluster.server.request(
      'GET',
      `${base}/podexplanations/web?node=node-1`,
    );
    expect(why.status.nodes).toMatchObject([{ node: 'node-1', fits: true }]);

    const events = await until(async () => {
      const { json } = await cluster.server.request('GET', '/api/v1/namespaces/default/events');
      return json.items.length > 0 && json.items;
    });
    expect(events).toMatchObject([
      {
        reason: 'Scheduled',
        message: 'Successfully assigned default/web to node-2',
        involvedObject: { kind: 'Pod', name: 'web' },
      },
    ]);
  });

  it('says why a pod waits, and places it when another is deleted', async () => {
    await using cluster = await startCluster();
    await cluster.addNode('node-1', { cpu: '1' });
    await cluster.addPod('first', { cpu: '1' });
    await until(async () => (await cluster.pod('first')).spec.nodeName);
    await cluster.addPod('second', { cpu: '1' });

    const condition = await until(async () => conditionOf(await cluster.pod('second')));
    expect(condition).toMatchObject({
      status: 'False',
      reason: 'Unschedulable',
      message:
        '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: ' +
        '0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    });
    const { json: why } = await cluster.server.request(
      'GET',
      '/apis/scheduling.dhow.dev/v1/namespaces/default/podexplanations/second',
    );
    expect(why.status.suggestion).toBe('free 1 cpu on node-1 (delete pod default/first)');

    await cluster.server.request(
      'DELETE',
      '/api/v1/namespaces/default/pods/first?gracePeriodSeconds=0',
    );
    expect(await until(async () => (await cluster.pod('second')).spec.nodeName)).toBe('node-1');
  });
});
