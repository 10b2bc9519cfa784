import { credentials } from '@grpc/grpc-js';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTls } from 'node:tls';

import { CertificateAuthority } from '../../control-plane/pki/certificates';
import { EtcdConnection } from '../../control-plane/store/etcd/connection';
import { LEADER_KEY } from '../../control-plane/store/etcd/keys';
import {
  createWatchCaches,
  openStore,
  type OpenStoreOptions,
} from '../../control-plane/store/index';
import { systemClock } from '../../lib/clock';
import { describeError, silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import { eventually } from './support/agent-plane';
import { openEtcd, type EtcdForTest } from './support/etcd';
import { FlakyProxy } from './support/flaky-proxy';

jest.setTimeout(120_000);

let folder: string;
const servers: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dhow-wrong-etcd-'));
});

afterEach(async () => {
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(folder, { recursive: true, force: true });
});

/** Where it listens. It is closed after the test with all that is open on it. */
const listen = async (server: Server): Promise<string> => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  servers.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
};

/** gRPC in form: every call is answered by `answer`. */
const grpcLike = (answer: (stream: ServerHttp2Stream) => void): Promise<string> => {
  const server = createHttp2();
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc' },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    answer(stream);
  });
  server.on('sessionError', () => undefined);
  return listen(server);
};

const framed = (message: Buffer, length = message.length): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
};

/** Why a server that is given this etcd does not start. */
const refusal = async (
  endpoint: string,
  more: Partial<OpenStoreOptions> = {},
): Promise<{ readonly text: string; readonly tookMs: number }> => {
  const startMs = performance.now();
  const options = { endpoints: [endpoint], clock: systemClock, log: silentLog };
  try {
    const opened = await openStore({ ...options, startTimeoutMs: 2_000, ...more });
    await opened[Symbol.asyncDispose]();
  } catch (error) {
    return { text: describeError(error), tookMs: performance.now() - startMs };
  }
  throw new Error('it was taken for an etcd');
};

const certificateOf = async () => {
  const ca = await CertificateAuthority.create(systemClock.now());
  const names = ['localhost', '127.0.0.1'];
  const request = { commonName: 'etcd', use: 'server', names } as const;
  return { ca, pair: await ca.issue(request, systemClock.now()) };
};

const WRONG: readonly (readonly [string, () => Promise<string>, string])[] = [
  [
    'a web server',
    () => listen(createHttp((_request, response) => void response.end('<html>'))),
    'etcd: ',
  ],
  ['one that takes connections and is silent', () => listen(createTcp()), 'etcd: '],
  [
    'one that speaks TLS where none was asked for',
    async () => {
      const { pair } = await certificateOf();
      return listen(createTls({ cert: pair.certificate, key: pair.key }));
    },
    'etcd: ',
  ],
  ['a gRPC server with other services', () => grpcLike((stream) => stream.end()), 'etcd: '],
  [
    'one that answers with empty messages',
    () => grpcLike((stream) => stream.end(framed(Buffer.alloc(0)))),
    'tells no version of etcd',
  ],
  [
    'one that answers with bytes that are no messages',
    () => grpcLike((stream) => stream.end(framed(Buffer.alloc(100, 0xff)))),
    'etcd: ',
  ],
  [
    'one that answers with bytes that are no frames',
    () => grpcLike((stream) => stream.end(Buffer.alloc(1000, 0xff))),
    'etcd answered with more than the store ever asks for',
  ],
];

it.each(WRONG)('says so of %s', async (_title, open, why) => {
  const endpoint = await open();
  const { text, tookMs } = await refusal(endpoint);
  expect(text).toContain(`cannot use etcd at ${endpoint}: tried for 2 s`);
  expect(text).toContain(why);
  // Two seconds of trying, and the deadline of the last call.
  expect(tookMs).toBeLessThan(20_000);
});

it('says so of an etcd whose certificate nobody vouches for', async () => {
  const [{ pair }, { ca }] = [await certificateOf(), await certificateOf()];
  const endpoint = await listen(createTls({ cert: pair.certificate, key: pair.key }));
  const trusting = credentials.createSsl(Buffer.from(ca.pem.certificate));
  const { text } = await refusal(endpoint, { credentials: trusting });
  expect(text).toContain(`cannot use etcd at ${endpoint}`);
  expect(text).toMatch(/certificate/);
});

it('holds no message without an end', async () => {
  const chunk = Buffer.alloc(256 * 1024);
  let sentBytes = 0;
  const endpoint = await grpcLike((stream) => {
    stream.write(framed(chunk, 0xffff_ffff));
    const more = () => {
      while (!stream.destroyed && stream.writable && stream.write(chunk)) sentBytes += chunk.length;
    };
    stream.on('drain', more);
    more();
  });
  const { text } = await refusal(endpoint);
  expect(text).toContain('etcd answered with more than the store ever asks for');
  expect(sentBytes).toBeLessThan(256 * 1024 * 1024);
});

const key = (name: string) => ({ resource: 'pods', namespace: 'default', name });
const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
});

const optionsFor = (endpoint: string) => ({
  endpoints: [endpoint],
  recordFile: join(folder, 'store.json'),
  clock: systemClock,
  log: silentLog,
});

/** A server's first hour with an etcd: it holds a pod afterwards. */
const use = async (endpoint: string): Promise<void> => {
  await using opened = await openStore(optionsFor(endpoint));
  await opened.store.create(key('web'), pod('web'));
};

const leaderOf = async ({ endpoint }: EtcdForTest): Promise<string | undefined> => {
  using connection = new EtcdConnection({ endpoints: [endpoint] });
  const { kvs } = await connection.range({ key: LEADER_KEY });
  return kvs[0]?.value.toString();
};

it('takes no empty etcd for its own, and changes nothing there', async () => {
  await using first = await openEtcd();
  await use(first.endpoint);
  await use(first.endpoint).catch((error: unknown) => {
    expect(describeError(error)).toContain('already exists');
  });
  await using other = await openEtcd();
  // Its own server leads it a moment after its start.
  const before = await eventually(() => leaderOf(other));
  const { text } = await refusal(other.endpoint, optionsFor(other.endpoint));
  expect(text).toContain(`etcd at ${other.endpoint}: it holds nothing of this cluster`);
  expect(text).toContain('start the server once with --accept-etcd-history');
  expect(await leaderOf(other)).toBe(before);
  // Somebody who knows says so: once is enough.
  const accepted = await openStore({ ...optionsFor(other.endpoint), isHistoryAccepted: true });
  await accepted[Symbol.asyncDispose]();
  await use(other.endpoint);
});

it('takes no other cluster for its own', async () => {
  await using first = await openEtcd();
  await use(first.endpoint);
  const mine = await readFile(join(folder, 'store.json'), 'utf8');
  await rm(join(folder, 'store.json'));
  await using other = await openEtcd();
  await use(other.endpoint);
  expect(await readFile(join(folder, 'store.json'), 'utf8')).not.toBe(mine);
  const { text } = await refusal(first.endpoint, optionsFor(first.endpoint));
  expect(text).toContain('it holds another cluster');
});

it('takes no older state for its own', async () => {
  const [dataDir, runDir] = [join(folder, 'data'), join(folder, 'run')];
  const own = {
    ...{ dataDir, runDir, clock: systemClock, log: silentLog },
    recordFile: join(folder, 'store.json'),
  };
  const first = await openStore(own);
  await first[Symbol.asyncDispose]();
  await cp(dataDir, join(folder, 'backup'), { recursive: true });
  const second = await openStore(own);
  await second.store.create(key('web'), pod('web'));
  await second[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true });
  await cp(join(folder, 'backup'), dataDir, { recursive: true });
  await expect(openStore(own)).rejects.toThrow(/it is at revision \d+, and this server has seen/);
  await rm(dataDir, { recursive: true });
  await expect(openStore(own)).rejects.toThrow('it holds nothing of this cluster');
});

it('keeps to what it knew when etcd is replaced under it, and stops', async () => {
  await using first = await openEtcd();
  await using other = await openEtcd();
  await other.opened.store.create(key('foreign'), pod('foreign'));
  let target = first.socketPath;
  const options = {
    get target() {
      return target;
    },
    random: seededRandom(1),
  };
  await using proxy = await FlakyProxy.open(options);
  await using opened = await openStore(optionsFor(proxy.endpoint));
  const { store, lost } = opened;
  await store.create(key('web'), pod('web'));
  await using caches = createWatchCaches({ store, clock: systemClock, log: silentLog });
  const cache = caches.of('pods');
  await cache.ready();
  await cache.waitFresh();
  target = other.socketPath;
  proxy.cutAll();
  await eventually(async () => lost.aborted, 30_000);
  expect(describeError(lost.reason)).toContain(
    `etcd at ${proxy.endpoint} holds another history than before`,
  );
  for (const work of [
    () => store.list('pods'),
    () => store.get(key('web')),
    () => store.create(key('late'), pod('late')),
  ])
    await expect(work()).rejects.toThrow(/another history than before|gave no answer/);
  const names = cache.list().items.map(({ object }) => object.metadata.name);
  expect(names).toEqual(['web']);
});
