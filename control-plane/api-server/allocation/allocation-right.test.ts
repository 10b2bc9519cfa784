import { clusterNetworkOf, DEFAULT_CLUSTER_NETWORK } from '../../../api/cluster-network';
import { holdingsOf } from '../../../api/service-fields';
import type { Service } from '../../../api/types';
import { ManualClock } from '../../../lib/clock';
import { MemoryStore } from '../../store/memory-store';
import { startTestServer, type TestServer } from '../testing';
import { AllocationRight } from './allocation-right';

const { signal } = new AbortController();

const rightOf = (store: MemoryStore, server: string, instance = 'first') => {
  const clock = new ManualClock();
  return {
    clock,
    right: new AllocationRight('services', { store, clock, allocator: { server, instance } }),
  };
};

it('is had by one server at a time, who is told by a version', async () => {
  const store = new MemoryStore();
  const a = rightOf(store, 'a');
  const b = rightOf(store, 'b');
  await a.right.take(signal);
  const taken = b.right.take(signal);
  await b.clock.advance(1000);
  await taken;
  const [former, present] = [a.right.guard, b.right.guard];
  expect(present?.version).toBeGreaterThan(former?.version ?? 0);
  const write = (guards: (typeof former)[]) => {
    const object = { apiVersion: 'v1', kind: 'X', metadata: { name: 'x' } };
    const key = { resource: 'xs', namespace: '', name: 'x' };
    return store.create(
      key,
      object,
      signal,
      guards.filter((each) => each !== undefined),
    );
  };
  await expect(write([former])).rejects.toMatchObject({ reason: 'Conflict' });
  await expect(write([present])).resolves.toBeDefined();
});

it('is left to its holder for the time of a write, and asked for once by all who want it', async () => {
  const store = new MemoryStore();
  await rightOf(store, 'a').right.take(signal);
  const { clock, right } = rightOf(store, 'b');
  let reads = 0;
  const get = store.get.bind(store);
  store.get = (...args) => {
    reads++;
    return get(...args);
  };
  const taken = Promise.all([right.take(signal), right.take(signal), right.take(signal)]);
  await clock.advance(49);
  expect([reads, right.guard]).toEqual([1, undefined]);
  await clock.advance(1);
  await taken;
  expect([reads, right.guard]).toEqual([2, expect.anything()]);
});

it('waits for no earlier start of the same server', async () => {
  const store = new MemoryStore();
  const before = rightOf(store, 'a').right;
  await before.take(signal);
  const { right } = rightOf(store, 'a', 'second');
  await right.take(signal);
  expect(right.guard?.version).toBeGreaterThan(before.guard?.version ?? 0);
});

it('is still had when a write fails for another reason', async () => {
  const { right } = rightOf(new MemoryStore(), 'a');
  await right.take(signal);
  const guard = right.guard!;
  right.doubt(guard);
  expect(right.guard).toBeUndefined();
  await right.take(signal);
  expect(right.guard).toEqual(guard);
});

describe('two servers of one store', () => {
  const COUNT = 40;
  let store: MemoryStore;
  let servers: readonly TestServer[];
  let isOver: boolean;

  beforeEach(async () => {
    store = new MemoryStore();
    const network = clusterNetworkOf({
      ...DEFAULT_CLUSTER_NETWORK,
      ...{ serviceClusterIpRange: '10.96.0.0/25', serviceNodePortRange: `30000+${2 * COUNT}` },
    });
    servers = await Promise.all(
      ['a', 'b'].map((serverId) => startTestServer({ store, network, serverId })),
    );
    isOver = false;
    for (const { clock } of servers)
      void (async () => {
        while (!isOver) await clock.advance(10);
      })();
  });

  afterEach(async () => {
    isOver = true;
    for (const server of servers) await server[Symbol.asyncDispose]();
  });

  const all = async () =>
    (await store.list('services')).items.flatMap(({ object }) => [
      ...holdingsOf(object as Service),
    ]);

  it('give nothing twice, and refuse nobody while there is enough', async () => {
    const path = '/api/v1/namespaces/default/services';
    const of = (name: string) => ({
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
      spec: { type: 'NodePort', ports: [{ port: 80 }] },
    });
    const answers = await Promise.all(
      servers.flatMap((server, at) =>
        Array.from({ length: COUNT }, (_, i) => server.request('POST', path, of(`s-${at}-${i}`))),
      ),
    );
    expect(answers.map(({ status }) => status).filter((status) => status !== 201)).toEqual([]);
    const held = await all();
    expect(held).toHaveLength(4 * COUNT);
    expect(new Set(held).size).toBe(held.length);
  });

  it('give nothing twice as services change what they are', async () => {
    const path = '/api/v1/namespaces/default/services';
    const of = (name: string) => ({
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
      spec: { type: 'ExternalName', externalName: 'a.example', ports: [{ port: 80 }] },
    });
    const names = Array.from({ length: 20 }, (_, i) => `t-${i}`);
    for (const name of names) await servers[0]!.request('POST', path, of(name));
    const options = { headers: { 'content-type': 'application/merge-patch+json' } };
    const answers = await Promise.all(
      names.map((name, i) =>
        servers[i % 2]!.request(
          ...(['PATCH', `${path}/${name}`] as const),
          { spec: { type: 'NodePort', externalName: null } },
          options,
        ),
      ),
    );
    expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
    const held = await all();
    expect(held).toHaveLength(2 * names.length);
    expect(new Set(held).size).toBe(held.length);
  });
});
