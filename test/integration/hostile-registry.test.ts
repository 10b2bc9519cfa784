import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { withDeadline } from '../../lib/async/deadline';
import { systemClock, type Clock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom, systemRandom, type Random } from '../../lib/random';
import { ImageError, type ImageService } from '../../runtime/image-service';
import { createImageService, ownEndpoint } from '../../runtime/images';
import { digestOf } from '../../runtime/images/content-store';
import { HttpRegistry, type Answer } from './support/http-registry';

const { signal } = new AbortController();
const limits = {
  connectMs: 1001,
  answerMs: 1502,
  bodyMs: 2003,
  progressMs: 804,
  progressBytes: 4096,
};
const PULL_LIMIT_MS = 40_000;
const MEMORY_MAX_BYTES = 128 * 1024 * 1024;

let dir: string;
let registry: HttpRegistry;
let images: ImageService;

/** Limits are kept as they are; what is waited between tries is cut short. */
const clock: Clock = {
  now: () => systemClock.now(),
  monotonicMs: () => systemClock.monotonicMs(),
  after: (ms, call) => systemClock.after(shortened(ms), call),
  sleep: (ms, stop) => systemClock.sleep(shortened(ms), stop),
};
const shortened = (ms: number): number =>
  Object.values<number>(limits).includes(ms) ? ms : ms / 50;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dhow-hostile-'));
  registry = await HttpRegistry.open();
  images = await createImageService({
    stateDir: dir,
    endpoints: (reference) => [ownEndpoint(reference)],
    limits,
    log: silentLog,
    clock,
    random: systemRandom,
  });
});
afterEach(async () => {
  await images[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

/** What a pull fails with; whatever it does, it ends in time and within its memory. */
const failureOf = async (reference: string): Promise<ImageError | undefined> => {
  global.gc?.();
  const used = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const beforeBytes = used();
  let peakBytes = beforeBytes;
  const watch = setInterval(() => (peakBytes = Math.max(peakBytes, used())), 20);
  const credentials = [{ username: 'me', password: 'secret' }];
  try {
    const deadline = { what: 'the pull', limitMs: PULL_LIMIT_MS, clock: systemClock };
    await withDeadline(deadline, (over) => images.pull(reference, { credentials }, over));
    return undefined;
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return error;
  } finally {
    clearInterval(watch);
    expect(peakBytes - beforeBytes).toBeLessThan(MEMORY_MAX_BYTES);
  }
};

/** Nothing is left of what came, and other images are pulled as ever. */
const expectHealthy = async (): Promise<void> => {
  // A blob that broke off may be gone on with until then.
  await images.collectGarbage();
  for (const folder of ['ingest', 'blobs/sha256', 'snapshots'])
    expect([folder, readdirSync(join(dir, folder))]).toEqual([folder, []]);
  expect(await images.list()).toEqual([]);
  registry.override = () => undefined;
  const { reference } = registry.publish('healthy');
  expect((await images.pull(reference, {}, signal)).lowerDirs).toHaveLength(1);
};

const send =
  (status: number, headers: Record<string, string> = {}, body: string | Buffer = ''): Answer =>
  (_request, response) =>
    response.writeHead(status, headers).end(body);
const content = (value: unknown): Answer =>
  send(
    200,
    {},
    Buffer.isBuffer(value) || typeof value === 'string' ? value : JSON.stringify(value),
  );

const pump = (response: ServerResponse, chunk: Buffer): void => {
  if (response.destroyed) return;
  response.write(chunk, () => setImmediate(() => pump(response, chunk)));
};
/** As fast as they are taken, for ever. */
const endless =
  (text = 'x'): Answer =>
  (_request, response) => {
    response.writeHead(200);
    pump(response, Buffer.from(text.repeat(65536 / text.length)));
  };
const drip =
  (begin: (response: ServerResponse) => void): Answer =>
  (_request, response) => {
    begin(response);
    const timer = setInterval(() => response.write('x'), 100);
    response.once('close', () => clearInterval(timer));
  };
const dripHeaders: Answer = (_request, response) => {
  const { socket } = response;
  socket?.write('HTTP/1.1 200 OK\r\nx-slow: ');
  const timer = setInterval(() => socket?.write('x'), 100);
  socket?.once('close', () => clearInterval(timer));
};

const blob = (size: unknown = 2, digest: unknown = `sha256:${'a'.repeat(64)}`) => ({
  digest,
  size,
});
const manifest = (more: object = {}) => ({ schemaVersion: 2, config: blob(), layers: [], ...more });
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

const challenge = (realm: string): Answer => send(401, { 'www-authenticate': realm });

describe('a registry whose manifest', () => {
  it.each<[string, Answer | ((origin: string) => Answer), RegExp]>([
    ['never ends', endless(), /exceeds 4194304 bytes/],
    ['never begins', () => undefined, /no answer within/],
    ['drips', drip((response) => response.writeHead(200)), /no progress|did not end within/],
    ['has headers that drip', dripHeaders, /no answer within/],
    ['has huge headers', send(200, { 'x-huge': 'x'.repeat(200_000) }), /Header overflow/],
    [
      'is cut short',
      send(200, { 'content-length': '100' }, '{'),
      /aborted|no progress|did not end/,
    ],
    ['is somewhere else, in a circle', send(302, { location: '?again' }), /more than 5 redirects/],
    ['is a file', send(302, { location: 'file:///etc/shadow' }), /refused a redirect/],
    ['is nowhere', send(302, { location: 'http://[' }), /refused a redirect/],
    ['asks who we are, again and again', challenge('Basic realm="x"'), /access denied/],
    ['asks for no scheme that there is', challenge('Magic '.repeat(2000)), /access denied/],
    [
      'is of another digest',
      send(200, { 'docker-content-digest': blob().digest as string }, '{}'),
      /has the digest/,
    ],
    ['is a page', send(200, { 'content-type': 'text/html' }, '<html>'), /not JSON/],
    ['is nothing', send(204), /unexpected status .* 204/],
    ['is a part', send(206, { 'content-range': 'bytes 5-9/10' }, '{}'), /unexpected status .* 206/],
    ['is an odd status', send(999, {}, 'x'.repeat(99_999)), /unexpected status .* 999/],
    ['is an error, always', send(500, {}, '{"errors":[]}'), /unexpected status .* 500/],
    [
      'is an error without end',
      (_request, response) => pump(response.writeHead(503), Buffer.alloc(9999)),
      /503/,
    ],
    ['is too much for now', send(429, { 'retry-after': '99999999' }), /unexpected status .* 429/],
    ['is deep', content(nested(2_000_000)), /nested too deeply/],
    ['is deep and broken', content('['.repeat(4_000_000)), /nested too deeply/],
    [
      'is deep in one place',
      content(JSON.stringify(manifest({ annotations: 7 })).replace('7', nested(9999))),
      /nested too deeply/,
    ],
    ['is broad', content(`[${'{},'.repeat(1_000_000)}{}]`), /bad manifest/],
    [
      'has long names',
      content(
        manifest({ config: { ...blob(), annotations: { ['\n\u001b'.repeat(500_000)]: 5 } } }),
      ),
      /bad manifest: config.annotations/,
    ],
    [
      'has many layers',
      content(manifest({ layers: Array.from({ length: 513 }, () => blob()) })),
      /bad manifest: layers/,
    ],
    [
      'has a layer of no size',
      content(manifest({ layers: [blob(-1)] })),
      /bad manifest: layers.0.size/,
    ],
    [
      'has a layer of any size',
      content(manifest({ layers: [blob(1e300)] })),
      /bad manifest: layers.0.size/,
    ],
    [
      'has a layer of some size',
      content(manifest({ layers: [blob('2')] })),
      /bad manifest: layers.0.size/,
    ],
    [
      'has a layer outside',
      content(manifest({ layers: [blob(2, 'sha256:../../../etc/passwd')] })),
      /bad manifest: layers.0.digest/,
    ],
    [
      'has a layer of no kind',
      content(manifest({ layers: [{ ...blob(), mediaType: '\u0000evil' }] })),
      /unsupported layer type/,
    ],
    ['is two things', content(manifest({ manifests: [] })), /is an index, too/],
    ['is an index of nothing', content({ schemaVersion: 2, manifests: [] }), /no|platform/],
    ['has a huge config', content(manifest({ config: blob(9e6) })), /image config is too large/],
    ['is of the first kind', content({ schemaVersion: 1, fsLayers: [] }), /schema 1/],
  ])('%s', async (_what, answer, why) => {
    registry.override = (path) => (path.includes('/manifests/') ? (answer as Answer) : undefined);
    const failure = await failureOf(registry.publish('web').reference);
    expect(failure?.message).toMatch(why);
    expect(failure?.message).toMatch(/^\P{Cc}{1,2003}$/u);
    expect(registry.seen.length).toBeLessThan(60);
    await expectHealthy();
  });

  it('is an index of itself', async () => {
    const { reference } = registry.publish('web');
    const platform = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch };
    const inner = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [] }));
    const digest = digestOf(inner);
    registry.contents.set(`/v2/web/manifests/${digest}`, inner);
    const index = { schemaVersion: 2, manifests: [{ ...blob(inner.length, digest), platform }] };
    registry.contents.set('/v2/web/manifests/1', Buffer.from(JSON.stringify(index)));
    expect((await failureOf(reference))?.message).toContain('an index inside an index');
    await expectHealthy();
  });
});

describe('a registry that gives tokens', () => {
  it.each<[string, Answer, RegExp]>([
    ['without end', endless(), /exceeds 262144 bytes/],
    ['slowly', drip((response) => response.writeHead(200)), /no progress|did not end within/],
    ['never', () => undefined, /no answer within/],
    ['in a circle', send(302, { location: '/token' }), /more than 5 redirects/],
    ['and takes none', content({ token: 'x' }), /access denied/],
    ['that are deep', content(`{"token":${nested(100_000)}}`), /no token/],
  ])('%s', async (_what, answer, why) => {
    registry.override = (path) =>
      path === '/token' ? answer : challenge(`Bearer realm="${registry.origin}/token"`);
    expect((await failureOf(registry.publish('web').reference))?.message).toMatch(why);
    await expectHealthy();
  });
});

describe('a registry whose layer', () => {
  const halfThen =
    (end: (response: ServerResponse, rest: Buffer) => void) =>
    (layer: Buffer): Answer =>
    (_request, response) => {
      response.writeHead(200, { 'content-length': layer.length });
      const half = layer.length >> 1;
      response.write(layer.subarray(0, half), () => end(response, layer.subarray(half)));
    };

  it.each<[string, (layer: Buffer) => Answer, RegExp]>([
    ['never ends', () => endless(), /more than the expected/],
    ['is longer', (layer) => content(Buffer.concat([layer, layer])), /more than the expected/],
    ['is shorter', (layer) => content(layer.subarray(1)), /cut short/],
    ['is empty', () => content(''), /cut short/],
    ['is something else', (layer) => content(Buffer.alloc(layer.length)), /digest mismatch/],
    ['breaks off', halfThen((response) => response.destroy()), /aborted|ECONNRESET|cut short/],
    ['stops', halfThen(() => undefined), /no progress/],
    ['drips', halfThen((response) => drip(() => undefined)(response.req, response)), /no progress/],
    [
      'is another part',
      (layer) => send(206, { 'content-range': 'bytes 7-9/10' }, layer),
      /another range/,
    ],
    ['is no part at all', () => send(416), /refused to go on/],
    ['is gone', () => send(404), /not found/],
    [
      'is somewhere else, in a circle',
      () => send(307, { location: '?again' }),
      /more than 5 redirects/,
    ],
    ['is forbidden', () => send(403, {}, 'x'.repeat(999_999)), /access denied/],
    ['fails', () => send(500), /unexpected status .* 500/],
  ])('%s', async (_what, answer, why) => {
    const { reference, layer } = registry.publish('web', 'text'.repeat(999));
    const path = `/v2/web/blobs/${layer}`;
    const override = answer(registry.contents.get(path)!);
    registry.override = (asked) => (asked === path ? override : undefined);
    const failure = await failureOf(reference);
    expect(failure?.message).toMatch(why);
    await expectHealthy();
  });

  it('is larger than the disk', async () => {
    const { reference } = registry.publish('web');
    const digests = Array.from({ length: 500 }, (_none, i) => digestOf(Buffer.from(`${i}`)));
    const config = Buffer.from(JSON.stringify({ rootfs: { diff_ids: digests } }));
    registry.contents.set(`/v2/web/blobs/${digestOf(config)}`, config);
    const layers = digests.map((digest) => blob(60 * 1024 ** 3, digest));
    const content = manifest({ config: blob(config.length, digestOf(config)), layers });
    registry.contents.set('/v2/web/manifests/1', Buffer.from(JSON.stringify(content)));
    expect((await failureOf(reference))?.message).toMatch(
      /no room: layers of 32212254720000 bytes/,
    );
    expect(registry.seen).toHaveLength(2);
    await expectHealthy();
  });

  it('says that it is packed in another way than it is', async () => {
    const { reference, layer } = registry.publish('web');
    const path = `/v2/web/blobs/${layer}`;
    const headers = { 'content-encoding': 'gzip', 'content-type': 'text/html' };
    registry.override = (asked) =>
      asked === path ? send(200, headers, registry.contents.get(path)) : undefined;
    expect(await failureOf(reference)).toBeUndefined();
  });
});

it('does not hold up the images of other registries', async () => {
  const published = Array.from({ length: 8 }, (_none, i) => registry.publish(`web${i}`));
  const isLayer = (path: string) => published.some(({ layer }) => path.endsWith(layer));
  registry.override = (path) => (isLayer(path) ? () => undefined : undefined);
  await using other = await HttpRegistry.open();
  const stop = new AbortController();
  let endedCount = 0;
  const stuck = published.map(({ reference }) =>
    images.pull(reference, {}, stop.signal).finally(() => endedCount++),
  );
  const settled = Promise.allSettled(stuck);
  // As many as may download at once.
  while (registry.seen.filter(({ path }) => isLayer(path)).length < 3) await clock.sleep(500);
  await images.pull(other.publish('other').reference, {}, signal);
  expect(endedCount).toBe(0);
  stop.abort();
  await settled;
});

const seed = Number(process.env['DHOW_SEED'] ?? Math.floor(systemRandom.next() * 2 ** 31));

it(`survives a registry that talks nonsense (DHOW_SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const { reference } = registry.publish('web', 'text'.repeat(99));
  const sockets = new Set<Socket>();
  const babbler = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).once('close', () => sockets.delete(socket)));
    socket.once('data', (request) => {
      const [, path = ''] = request.toString('latin1').split(' ');
      socket.end(babble(registry.contents.get(path) ?? Buffer.alloc(0), random));
    });
  });
  await new Promise<void>((resolve) => babbler.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(babbler.address() as AddressInfo).port}`;
  try {
    for (let round = 0; round < 60; round++) {
      const failure = await failureOf(reference.replace(/^[^/]+/, host));
      if (failure === undefined) await images.remove(reference.replace(/^[^/]+/, host));
      else expect(failure.message).toMatch(/^\P{Cc}{1,2003}$/u);
    }
    await expectHealthy();
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => babbler.close(resolve));
  }
});

/** An answer that is right, or wrong in one of many ways. */
const babble = (body: Buffer, random: Random): Buffer => {
  const upTo = (count: number): number => Math.floor(random.next() * count);
  const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => upTo(256)));
  const answer = Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`),
    body,
  ]);
  const changed = (bytes: Buffer, count: number): Buffer => {
    const copy = Buffer.from(bytes);
    for (let i = 0; i < count; i++) copy[upTo(copy.length)] = upTo(256);
    return copy;
  };
  const kinds = [
    () => answer,
    () => answer,
    () => noise(upTo(5000)),
    () => answer.subarray(0, upTo(answer.length)),
    () => changed(answer, 1 + upTo(8)),
    () => Buffer.concat([answer, noise(upTo(5000))]),
    () => Buffer.concat([answer.subarray(0, answer.length - body.length), noise(body.length)]),
    () => Buffer.concat([Buffer.from('HTTP/1.1 '), noise(40)]),
  ];
  return kinds[upTo(kinds.length)]?.() ?? answer;
};
