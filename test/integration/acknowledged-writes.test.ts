import { hasReason, type StatusReason } from '../../api/errors';
import { CONFIG_MAPS, LEASES, NODES, PODS, type Resource } from '../../api/resources';
import type { ApiObject, Pod } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { createApiServer } from '../../control-plane/api-server/api-server';
import { ensureSystemObjects } from '../../control-plane/api-server/system-objects';
import { EtcdConnection } from '../../control-plane/store/etcd/connection';
import { Envelopes } from '../../control-plane/store/etcd/envelope';
import { EtcdStore } from '../../control-plane/store/etcd/etcd-store';
import { createWatchCaches } from '../../control-plane/store/index';
import type { Store } from '../../control-plane/store/store';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom, systemRandom } from '../../lib/random';
import { openEtcd, type EtcdForTest } from './support/etcd';
import { FlakyProxy } from './support/flaky-proxy';

jest.setTimeout(300_000);

let etcd: EtcdForTest;
const cleanups: (() => Promise<void>)[] = [];

beforeEach(async () => {
  etcd = await openEtcd();
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await etcd[Symbol.asyncDispose]();
});

/** The API over `store`, with every rule of the real one. */
const serve = async (store: Store): Promise<ApiClient> => {
  const shared = { store, clock: systemClock, log: silentLog };
  const caches = createWatchCaches(shared);
  const refuse = (): never => {
    throw new Error('no nodes');
  };
  const api = createApiServer({
    ...shared,
    caches,
    tls: { caCertificate: '', server: { certificate: '', key: '' } },
    nodeConnections: {
      ...{ isConnected: () => false, logs: refuse, exec: refuse, connect: refuse, usage: refuse },
      ...{ metrics: refuse, isolation: refuse },
    },
    virtualResources: [],
    random: systemRandom,
    version: '0.0.0',
  });
  cleanups.push(async () => {
    await api[Symbol.asyncDispose]();
    await caches[Symbol.asyncDispose]();
  });
  await ensureSystemObjects(api.client);
  return api.client;
};

const DELETED = '(deleted)';

/** What one name must have gone through: every acknowledged change once, in order, and no other. */
class Course {
  readonly states: string[] = [];

  constructor(
    readonly resource: string,
    readonly name: string,
  ) {}
}

/** Runs writes until each is settled, and keeps what their answers promise. */
class Oracle {
  readonly courses: Course[] = [];
  doubtCount = 0;
  refusedCount = 0;
  isOver = false;

  course(resource: string, name: string): Course {
    const course = new Course(resource, name);
    this.courses.push(course);
    return course;
  }

  get acknowledgedCount(): number {
    return this.courses.reduce((count, { states }) => count + states.length, 0);
  }

  /**
   * Nobody else writes to the object, so an answer other than success is one's own doing: it is in
   * order only after a try whose outcome was unknown. "Unavailable" promises that nothing happened.
   */
  async settle<T>(
    course: Course,
    state: string,
    write: (isInDoubt: boolean) => Promise<T>,
    ownTrace: StatusReason,
  ): Promise<T | undefined> {
    for (let isInDoubt = false; ;) {
      try {
        const result = await write(isInDoubt);
        course.states.push(state);
        return result;
      } catch (error) {
        if (isInDoubt && hasReason(error, ownTrace)) {
          course.states.push(state);
          return undefined;
        }
        if (!hasReason(error, 'Timeout', 'ServiceUnavailable', 'TooManyRequests'))
          throw new Error(`${course.name} -> ${state}: ${String(error)}`, { cause: error });
        if (hasReason(error, 'Timeout')) {
          this.doubtCount++;
          isInDoubt = true;
        } else this.refusedCount++;
        await systemClock.sleep(20);
      }
    }
  }

  /** Reads again and again until the answer comes. */
  async read<T>(get: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await get();
      } catch (error) {
        if (!hasReason(error, 'Timeout', 'ServiceUnavailable')) throw error;
        await systemClock.sleep(20);
      }
    }
  }
}

const named = (name: string) => ({ namespace: 'default', name });

const configMap = (name: string, serial = 'a') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { ...named(name), labels: { serial } },
});

const pod = (name: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...named(name), labels: { serial: 'a' } },
  spec: { containers: [{ name: 'main', image: 'app' }] },
  status: {},
});

const serialOf = ({ metadata }: ApiObject): string => metadata.labels?.['serial'] ?? '';

const withSerial = <T extends ApiObject>(object: T, serial: string): T => ({
  ...object,
  metadata: { ...object.metadata, labels: { serial } },
});

type Writer = (client: ApiClient, oracle: Oracle, n: number) => Promise<void>;

/** Unconditional patches that toggle one field: each is a change of its own. */
const toggle: Writer = async (client, oracle, n) => {
  const name = `toggled-${n}`;
  const course = oracle.course('configmaps', name);
  const create = () => client.create(CONFIG_MAPS, configMap(name));
  await oracle.settle(course, 'a', create, 'AlreadyExists');
  for (let turn = 1; !oracle.isOver; turn++) {
    const serial = turn % 2 === 0 ? 'a' : 'b';
    const patch = { metadata: { labels: { serial } } };
    const write = () => client.patch(CONFIG_MAPS, named(name), 'merge', patch);
    await oracle.settle(course, serial, write, 'Conflict');
  }
};

/** Replacements at the version last seen. */
const replace =
  <T extends ApiObject>(resource: Resource<T>, store: string, draft: (name: string) => T): Writer =>
  async (client, oracle, n) => {
    const name = `replaced-${n}`;
    const course = oracle.course(store, name);
    const create = () => client.create(resource, draft(name));
    let current = await oracle.settle(course, 'a', create, 'AlreadyExists');
    for (let turn = 1; !oracle.isOver; turn++) {
      const serial = String(turn);
      const write = async (isInDoubt: boolean) => {
        if (isInDoubt || current === undefined)
          current = await oracle.read(() => client.get(resource, named(name)));
        if (isInDoubt && serialOf(current) === serial) return current;
        return client.update(resource, withSerial(current, serial));
      };
      current = await oracle.settle(course, serial, write, 'Expired');
    }
  };

/** Objects that are made and deleted under one name. */
const comeAndGo: Writer = async (client, oracle, n) => {
  const name = `passing-${n}`;
  const course = oracle.course('configmaps', name);
  while (!oracle.isOver) {
    const create = () => client.create(CONFIG_MAPS, configMap(name));
    await oracle.settle(course, 'a', create, 'AlreadyExists');
    const remove = () => client.delete(CONFIG_MAPS, named(name));
    await oracle.settle(course, DELETED, remove, 'NotFound');
  }
};

/** Pods that get a node, then a status, then go. */
const live: Writer = async (client, oracle, n) => {
  for (let turn = 0; !oracle.isOver; turn++) {
    const name = `pod-${n}-${turn}`;
    const course = oracle.course('pods', name);
    const create = () => client.create(PODS, pod(name));
    await oracle.settle(course, 'a', create, 'AlreadyExists');
    const bound = () => oracle.read(() => client.get(PODS, named(name)));
    const { uid = '' } = (await bound()).metadata;
    await oracle.settle(course, 'a', () => client.bind({ ...named(name), uid }, NODE), 'Conflict');
    const running = { metadata: { labels: { serial: 'b' } }, status: { phase: 'Failed' } };
    const report = () =>
      client.patch(PODS, named(name), 'merge', running, { subresource: 'status' });
    await oracle.settle(course, 'b', report, 'Conflict');
    const remove = () =>
      client.delete(PODS, named(name), { gracePeriodSeconds: 0, preconditions: { uid } });
    await oracle.settle(course, DELETED, remove, 'NotFound');
  }
};

const lease = (name: string) => ({
  ...configMap(name),
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  spec: { holderIdentity: 'me' },
});

const WRITERS: readonly Writer[] = [
  toggle,
  replace(CONFIG_MAPS, 'configmaps', configMap),
  replace(LEASES, 'leases.coordination.k8s.io', lease),
  comeAndGo,
  live,
];
const WRITERS_PER_KIND = 8;
/** Pods can be bound to nodes that are there. */
const NODE = 'node-1';
const RESOURCES = ['configmaps', 'pods', 'leases.coordination.k8s.io'];

/** What really happened, by resource and name, read straight from etcd. */
const follow = async (store: Store) => {
  const histories = new Map<string, string[]>();
  const ending = new AbortController();
  const reached = new Map<string, number>();
  const start = await store.currentVersion();
  const reading = RESOURCES.map(async (resource) => {
    for await (const event of resumed(store, resource, start, ending.signal)) {
      if (event.type === 'progress') reached.set(resource, event.resourceVersion);
      else {
        const key = `${resource}/${event.current.key.name}`;
        const state = event.type === 'delete' ? DELETED : serialOf(event.current.object);
        histories.set(key, [...(histories.get(key) ?? []), state]);
      }
    }
  });
  return {
    histories,
    end: async () => {
      for (const resource of RESOURCES) {
        const { changedVersion } = await store.progress(resource);
        await until(() => (reached.get(resource) ?? 0) >= changedVersion);
      }
      ending.abort();
      await Promise.all(reading);
    },
  };
};

/** A watch that goes on from where etcd was gone for too long. */
async function* resumed(store: Store, resource: string, from: number, signal: AbortSignal) {
  for (let version = from; !signal.aborted;) {
    try {
      for await (const event of store.watch(resource, version, signal)) {
        version = event.type === 'progress' ? event.resourceVersion : event.current.resourceVersion;
        yield event;
      }
    } catch (error) {
      if (!hasReason(error, 'ServiceUnavailable')) throw error;
    }
  }
}

const until = async (condition: () => boolean, limitMs = 60_000): Promise<void> => {
  const deadlineMs = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error('gave up waiting');
    await systemClock.sleep(10);
  }
};

/** Writers of every kind work while `disturb` does its worst. */
const judge = async (client: ApiClient, disturb: (oracle: Oracle) => Promise<void>) => {
  const oracle = new Oracle();
  await client
    .create(NODES, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: NODE },
      spec: {},
      status: {},
    })
    .catch(() => client.get(NODES, { namespace: '', name: NODE }));
  const truth = await follow(etcd.opened.store);
  const writing = Promise.all(
    WRITERS.flatMap((writer) =>
      Array.from({ length: WRITERS_PER_KIND }, (_, n) => writer(client, oracle, n)),
    ),
  );
  try {
    await Promise.race([disturb(oracle), writing]);
  } finally {
    oracle.isOver = true;
  }
  await writing;
  await truth.end();
  const { acknowledgedCount, doubtCount, refusedCount } = oracle;
  process.stderr.write(`${JSON.stringify({ acknowledgedCount, doubtCount, refusedCount })}\n`);
  for (const { resource, name, states } of oracle.courses)
    expect({ name, states: truth.histories.get(`${resource}/${name}`) ?? [] }).toEqual({
      name,
      states,
    });
  return oracle;
};

const moreWrites = async (oracle: Oracle, count: number): Promise<void> => {
  const start = oracle.acknowledgedCount;
  await until(() => oracle.acknowledgedCount >= start + count);
};

it('keeps every acknowledged write, once, while etcd is killed', async () => {
  const client = await serve(etcd.opened.store);
  const oracle = await judge(client, async (oracle) => {
    for (let kill = 0; kill < 6; kill++) {
      await moreWrites(oracle, 200);
      const pid = etcd.opened.etcdPid ?? 0;
      process.kill(pid, 'SIGKILL');
      await until(() => etcd.opened.etcdPid !== pid);
      await systemClock.sleep(kill * 250);
    }
    await moreWrites(oracle, 200);
  });
  expect(oracle.acknowledgedCount).toBeGreaterThan(1_000);
});

it('keeps every acknowledged write, once, while etcd stops for moments and for long', async () => {
  const client = await serve(etcd.opened.store);
  const oracle = await judge(client, async (oracle) => {
    for (const stopMs of [700, 2_500, 4_000, 12_000, 15_000]) {
      await moreWrites(oracle, 200);
      const pid = etcd.opened.etcdPid ?? 0;
      process.kill(pid, 'SIGSTOP');
      await systemClock.sleep(stopMs).finally(() => process.kill(pid, 'SIGCONT'));
    }
    await moreWrites(oracle, 200);
  });
  // Longer than writes are tried: their outcome was unknown for a while.
  expect(oracle.doubtCount).toBeGreaterThan(0);
});

it('keeps every acknowledged write, once, while the way to etcd breaks', async () => {
  const random = seededRandom(5);
  const proxy = await FlakyProxy.open({ target: etcd.socketPath, random });
  const connection = new EtcdConnection({ endpoints: [proxy.endpoint] });
  cleanups.push(async () => {
    connection[Symbol.dispose]();
    await proxy[Symbol.asyncDispose]();
  });
  const store = new EtcdStore({
    connection,
    clock: systemClock,
    log: silentLog,
    envelopes: new Envelopes(),
    trustsProgress: etcd.opened.behaviour.freshness === 'progress',
    onFenced: () => undefined,
  });
  const client = await serve(store);
  await judge(client, async (oracle) => {
    proxy.cutAfter(5_000, 200_000);
    for (let round = 0; round < 5; round++) {
      await moreWrites(oracle, 300);
      proxy.swallow();
    }
    await moreWrites(oracle, 300);
    proxy.stopCutting();
  });
  expect(proxy.cutCount).toBeGreaterThan(10);
});
