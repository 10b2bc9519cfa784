import { ApiError } from '../api/errors';
import { CONFIG_MAPS, PODS } from '../api/resources';
import type { ConfigMap } from '../api/types';
import { Channel } from '../lib/async/channel';
import { ManualClock } from '../lib/clock';
import { silentLog } from '../lib/log';
import { seededRandom } from '../lib/random';
import type { ApiClient, WatchEvent } from './api-client';
import { Informer } from './informer';
import { Informers } from './informers';
import type { ObjectFault } from './object-faults';

const configMap = (name: string, resourceVersion: number, uid = name): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default', uid, resourceVersion: String(resourceVersion) },
});

/** A server of which the test decides every list and every watch. */
class ScriptedServer {
  items: ConfigMap[] = [];
  resourceVersion = 1;
  readonly watchedFrom: string[] = [];
  watch = new Channel<WatchEvent<ConfigMap>>(100);

  readonly client = {
    list: () =>
      Promise.resolve({ items: this.items, resourceVersion: String(this.resourceVersion) }),
    watch: (_resource: unknown, { resourceVersion }: { resourceVersion: string }) => {
      this.watchedFrom.push(resourceVersion);
      this.watch = new Channel(100);
      return this.watch;
    },
  } as unknown as ApiClient;
}

const setUp = async (...items: ConfigMap[]) => {
  const server = new ScriptedServer();
  server.items = items;
  const clock = new ManualClock();
  const faults: ObjectFault[] = [];
  const informer = new Informer(CONFIG_MAPS, {
    client: server.client,
    clock,
    random: seededRandom(1),
    log: silentLog,
    faults: { report: (fault) => void faults.push(fault) },
  });
  const seen: string[] = [];
  informer.subscribe({
    onAdd: ({ metadata }) => seen.push(`+${metadata.uid ?? ''}`),
    onUpdate: ({ metadata }) => seen.push(`~${metadata.uid ?? ''}`),
    onDelete: ({ metadata }) => seen.push(`-${metadata.uid ?? ''}`),
  });
  const stop = new AbortController();
  const running = informer.run(stop.signal);
  await informer.whenSynced();
  await clock.advance(0);
  const end = async () => {
    stop.abort();
    server.watch.end();
    await running;
  };
  return { server, clock, informer, seen, faults, end };
};

it('tells each change once, in order', async () => {
  const { server, clock, seen, end } = await setUp(configMap('a', 1));
  server.watch.push({ type: 'ADDED', object: configMap('b', 2) });
  server.watch.push({ type: 'MODIFIED', object: configMap('a', 3) });
  server.watch.push({ type: 'DELETED', object: configMap('b', 4) });
  await clock.advance(0);
  expect(seen).toEqual(['+a', '+b', '~a', '-b']);
  await end();
});

it('resumes a cut watch where it stopped', async () => {
  const { server, clock, end } = await setUp(configMap('a', 1));
  server.watch.push({ type: 'MODIFIED', object: configMap('a', 7) });
  await clock.advance(0);
  server.watch.fail(new ApiError('ServiceUnavailable', 'cut'));
  await clock.advance(1000);
  expect(server.watchedFrom).toEqual(['1', '7']);
  await end();
});

it('lists again once its history is gone, and reports what vanished meanwhile', async () => {
  const { server, clock, informer, seen, end } = await setUp(configMap('a', 1), configMap('b', 1));
  server.items = [configMap('b', 1), configMap('c', 9)];
  server.resourceVersion = 9;
  server.watch.fail(new ApiError('Expired', 'too old'));
  await clock.advance(1000);
  expect(seen).toEqual(['+a', '+b', '-a', '+c']);
  expect([...informer.list()].map(({ metadata }) => metadata.name)).toEqual(['b', 'c']);
  await end();
});

it('shows a name that was taken anew as two objects', async () => {
  const { server, clock, seen, end } = await setUp(configMap('a', 1, 'first'));
  server.watch.push({ type: 'MODIFIED', object: configMap('a', 5, 'second') });
  await clock.advance(0);
  expect(seen).toEqual(['+first', '-first', '+second']);
  await end();
});

it('shows own writes at once and takes no older state after them', async () => {
  const { server, clock, informer, seen, end } = await setUp(configMap('a', 1));
  informer.noteWritten(configMap('a', 6));
  server.watch.push({ type: 'MODIFIED', object: configMap('a', 5) });
  await clock.advance(0);
  expect(informer.get('default/a')?.metadata.resourceVersion).toBe('6');
  expect(seen).toEqual(['+a', '~a']);
  await end();
});

it('lets nobody wait for a list that does not come, once it has been stopped', async () => {
  const deps = { clock: new ManualClock(), random: seededRandom(1), log: silentLog };
  const list = (_resource: unknown, _options: unknown, signal: AbortSignal) =>
    deps.clock.sleep(Infinity, signal).then(() => signal.throwIfAborted());
  const informers = new Informers({ ...deps, client: { list } as unknown as ApiClient });
  const stop = new AbortController();
  const before = informers.of(CONFIG_MAPS);
  const running = informers.run(stop.signal);
  stop.abort();
  await running;
  await Promise.all([before, informers.of(PODS)].map((informer) => informer.whenSynced()));
  expect(before.hasSynced).toBe(false);
});

it('does not bring an object back whose deletion it has seen before its writer notes it', async () => {
  const { server, clock, informer, seen, end } = await setUp(configMap('a', 1));
  server.watch.push({ type: 'DELETED', object: configMap('a', 7) });
  await clock.advance(0);
  informer.noteWritten(configMap('a', 6));
  expect(informer.get('default/a')).toBeUndefined();
  expect(seen).toEqual(['+a', '-a']);
  await end();
});

it('shows at once what was made again under a deleted name', async () => {
  const { server, clock, informer, seen, end } = await setUp(configMap('a', 1, 'first'));
  server.watch.push({ type: 'DELETED', object: configMap('a', 7, 'first') });
  await clock.advance(0);
  informer.noteWritten(configMap('a', 8, 'second'));
  expect(informer.get('default/a')?.metadata.uid).toBe('second');
  server.watch.push({ type: 'ADDED', object: configMap('a', 8, 'second') });
  await clock.advance(0);
  expect(seen).toEqual(['+first', '-first', '+second']);
  await end();
});

it('takes the end of a successor for the end of the one it knew', async () => {
  const { server, clock, informer, seen, end } = await setUp(configMap('a', 1, 'first'));
  server.watch.push({ type: 'DELETED', object: configMap('a', 9, 'second') });
  await clock.advance(0);
  expect(informer.size).toBe(0);
  expect(seen).toEqual(['+first', '-first']);
  await end();
});

it('does not go back with a bookmark', async () => {
  const { server, clock, end } = await setUp(configMap('a', 1));
  server.watch.push({ type: 'MODIFIED', object: configMap('a', 7) });
  server.watch.push({ type: 'BOOKMARK', resourceVersion: '5' });
  await clock.advance(0);
  server.watch.fail(new ApiError('ServiceUnavailable', 'cut'));
  await clock.advance(1000);
  expect(server.watchedFrom).toEqual(['1', '7']);
  await end();
});

it('takes no list that is older than what it has seen, until the server keeps to it', async () => {
  const { server, clock, informer, seen, end } = await setUp(configMap('a', 1), configMap('b', 1));
  server.watch.push({ type: 'DELETED', object: configMap('a', 7) });
  await clock.advance(0);
  server.items = [configMap('a', 1), configMap('b', 1)];
  server.resourceVersion = 5;
  server.watch.fail(new ApiError('Expired', 'too old'));
  // The first two answers are behind; then the server has caught up.
  await clock.advance(300);
  expect(informer.get('default/a')).toBeUndefined();
  server.items = [configMap('b', 1)];
  server.resourceVersion = 8;
  await clock.advance(10_000);
  expect(seen).toEqual(['+a', '+b', '-a']);
  // A restored store knows nothing later and never will.
  server.items = [configMap('c', 2)];
  server.resourceVersion = 3;
  server.watch.fail(new ApiError('Expired', 'too old'));
  await clock.advance(60_000);
  expect(seen).toEqual(['+a', '+b', '-a', '-b', '+c']);
  server.watch.push({ type: 'MODIFIED', object: configMap('c', 4) });
  await clock.advance(0);
  expect(informer.get('default/c')?.metadata.resourceVersion).toBe('4');
  await end();
});

it('lists again when its history goes while it lists', async () => {
  const { server, clock, informer, end } = await setUp(configMap('a', 1));
  for (const version of [3, 5, 9]) {
    server.items = [configMap('a', version)];
    server.resourceVersion = version;
    server.watch.fail(new ApiError('Expired', 'compacted'));
    await clock.advance(20_000);
  }
  expect(informer.get('default/a')?.metadata.resourceVersion).toBe('9');
  expect(server.watchedFrom).toEqual(['1', '3', '5', '9']);
  await end();
});

it('does not ask without pause a server that ends each watch at once', async () => {
  const { server, clock, end } = await setUp(configMap('a', 1));
  for (let ms = 0; ms < 10_000; ms += 10) {
    server.watch.end();
    await clock.advance(10);
  }
  expect(server.watchedFrom.length).toBeLessThan(15);
  await end();
});

it('passes over an object that a handler cannot take, and says which and why', async () => {
  const { server, clock, informer, faults, end } = await setUp(
    configMap('a', 1),
    configMap('b', 1),
  );
  const seen: string[] = [];
  informer.subscribe({
    name: 'picky',
    onAdd: ({ metadata: { name } }) => {
      if (name === 'a' || name === 'c') throw new RangeError('too large');
      seen.push(name);
    },
  });
  server.watch.push({ type: 'ADDED', object: configMap('c', 2) });
  server.watch.push({ type: 'ADDED', object: configMap('d', 3) });
  await clock.advance(0);
  expect(seen).toEqual(['b', 'd']);
  const told = faults.map(({ consumer, object, error }) => [consumer, object.metadata.name, error]);
  expect(told).toEqual([
    ['picky', 'a', new RangeError('too large')],
    ['picky', 'c', new RangeError('too large')],
  ]);
  await end();
});
