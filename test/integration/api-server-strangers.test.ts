import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { createApiServer, type ApiServer } from '../../control-plane/api-server/api-server';
import { openPki, type Pki } from '../../control-plane/pki/pki';
import { MemoryStore } from '../../control-plane/store/memory-store';
import type { WatchCaches } from '../../control-plane/store/watch-cache';
import { createWatchCaches } from '../../control-plane/store/watch-caches';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { systemRandom } from '../../lib/random';

let directory: string;
let pki: Pki;
let caches: WatchCaches;
let server: ApiServer;
let port: number;
const opened = new Set<Socket>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-strangers-'));
  pki = await openPki({ directory: join(directory, 'pki'), serverNames: [], clock: systemClock });
  const store = new MemoryStore();
  caches = createWatchCaches({ store, clock: systemClock, log: silentLog });
  server = createApiServer({
    store,
    caches,
    tls: pki,
    nodeConnections: {
      isConnected: () => false,
      logs: () => {
        throw new Error('no nodes');
      },
      exec: () => Promise.reject(new Error('no nodes')),
      connect: () => Promise.reject(new Error('no nodes')),
      usage: () => Promise.reject(new Error('no nodes')),
      metrics: () => Promise.reject(new Error('no nodes')),
      isolation: () => Promise.reject(new Error('no nodes')),
    },
    virtualResources: [],
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    version: '0.0.0',
  });
  ({ port } = await server.listen({ host: '127.0.0.1', port: 0 }));
});

afterEach(() => {
  for (const socket of opened) socket.destroy();
  opened.clear();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await caches[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const keep = <S extends Socket>(socket: S): S => {
  socket.on('error', () => undefined);
  opened.add(socket);
  socket.once('close', () => opened.delete(socket));
  return socket;
};

const secure = (): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, () =>
      resolve(socket),
    );
    socket.once('error', reject);
    keep(socket);
  });

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.destroyed) resolve();
    socket.once('close', () => resolve());
    socket.resume();
  });

/** GET by an administrator on a connection of its own. */
const asAdmin = (path: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const { certificate: cert, key } = pki.admin;
    const sent = request(
      { host: '127.0.0.1', port, path, ca: pki.caCertificate, cert, key, agent: false },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
      },
    );
    sent.on('error', reject);
    sent.end();
  });

it('ends unfinished bodies that nobody will read, after it has answered', async () => {
  const sockets = await Promise.all(Array.from({ length: 50 }, () => secure()));
  const answers = sockets.map(async (socket) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.write(
      'POST /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{',
    );
    await closed(socket);
    return text.slice(0, 12);
  });
  expect(new Set(await Promise.all(answers))).toEqual(new Set(['HTTP/1.1 401']));
});

it('does not read more of a refused body than a body may have', async () => {
  const socket = await secure();
  socket.write('POST /api/v1/pods HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
  const chunk = Buffer.concat([
    Buffer.from('10000\r\n'),
    Buffer.alloc(65_536),
    Buffer.from('\r\n'),
  ]);
  let sentBytes = 0;
  const ended = closed(socket);
  while (!socket.destroyed && sentBytes < 64 * 1024 * 1024) {
    sentBytes += chunk.length;
    if (!socket.write(chunk))
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), ended]);
  }
  await ended;
  expect(sentBytes).toBeLessThan(32 * 1024 * 1024);
});

it('ends a refused upgrade whose peer does not close', async () => {
  const socket = await secure();
  const ended = closed(socket);
  socket.write(
    'GET /api/v1/namespaces/a/pods/b/exec?command=x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n' +
      'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await ended;
});

it('refuses a bomb of headers', async () => {
  const socket = await secure();
  const ended = closed(socket);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
  for (let i = 0; i < 100 && !socket.destroyed; i++)
    socket.write(`X-${i}: ${'a'.repeat(8000)}\r\n`);
  await ended;
});

it('answers those it knows through a crowd that finishes nothing', async () => {
  const handshakes = Array.from({ length: 700 }, () =>
    keep(connectTcp({ host: '127.0.0.1', port })),
  );
  await Promise.all(
    handshakes.map((socket) => new Promise((resolve) => socket.once('connect', resolve))),
  );
  const half = await Promise.allSettled(Array.from({ length: 100 }, () => secure()));
  for (const result of half)
    if (result.status === 'fulfilled') result.value.write('GET /livez HTTP/1.1\r\nHost: x\r\nX: ');
  expect(await asAdmin('/api/v1/nodes')).toBe(200);
  expect(await asAdmin('/livez')).toBe(200);
  // No more than its bound of one address is left.
  const deadlineMs = Date.now() + 60_000;
  while (opened.size > 513 && Date.now() < deadlineMs)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(opened.size).toBeLessThanOrEqual(513);
});

/** The ticket by which the next connection of a client without a certificate goes on with its session. */
const ticket = async (): Promise<Buffer> => {
  const socket = await secure();
  const session = new Promise<Buffer>((resolve) => socket.once('session', resolve));
  socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
  return session;
};

const resumed = (session: Buffer): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, rejectUnauthorized: false, session };
    const socket = connectTls(options, () => resolve(socket));
    socket.once('error', reject);
    keep(socket);
  });

it('takes nobody without a certificate for known because a session goes on', async () => {
  const session = await ticket();
  const socket = await resumed(session);
  const answer = new Promise<string>((resolve) =>
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString().slice(0, 12))),
  );
  socket.write('GET /api/v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(await answer).toBe('HTTP/1.1 401');
  expect(socket.isSessionReused()).toBe(false);
});

it('counts those whose session goes on among the strangers', async () => {
  const session = await ticket();
  for (let i = 0; i < 600; i += 50)
    await Promise.allSettled(Array.from({ length: 50 }, () => resumed(session)));
  // Before the server ends those that send no request at all.
  const deadlineMs = Date.now() + 8_000;
  while (opened.size > 513 && Date.now() < deadlineMs)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(opened.size).toBeLessThanOrEqual(513);
});
