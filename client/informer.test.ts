import { ApiError } from '../api/errors';
import { CONFIG_MAPS } from '../api/resources';
import type { ConfigMap } from '../api/types';
import { Channel } from '../lib/async/channel';
import { ManualClock } from '../lib/clock';
import { silentLog } from '../lib/log';
import { seededRandom } from '../lib/random';
import type { ApiClient, WatchEvent } from './api-client';
import { Informer } from './informer';

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
  const informer = new Informer(CONFIG_MAPS, {
    client: server.client,
    clock,
    random: seededRandom(1),
    log: silentLog,
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
  return { server, clock, informer, seen, end };
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
