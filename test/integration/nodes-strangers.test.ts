import { mkdtemp, rm } from 'node:fs/promises';
import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type ClientHttp2Stream,
} from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { NODES } from '../../api/resources';
import { eventually, startAgent, startPlane, type Plane } from './support/agent-plane';

const MB = 1024 * 1024;

describe('strangers at the port of the agents', () => {
  let directory: string;
  let plane: Plane;
  let sockets: Socket[];
  let sessions: ClientHttp2Session[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dhow-strangers-'));
    plane = await startPlane(directory);
    sockets = [];
    sessions = [];
  });
  afterEach(async () => {
    for (const each of [...sockets, ...sessions]) each.destroy();
    await plane[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const session = (): ClientHttp2Session => {
    const opened = connectHttp2(`https://127.0.0.1:${plane.port}`, { rejectUnauthorized: false });
    opened.on('error', () => undefined);
    sessions.push(opened);
    return opened;
  };

  /** A call whose first message announces `announcedBytes`. */
  const call = (on: ClientHttp2Session, method: string, announcedBytes: number) => {
    const stream = on.request({
      ':method': 'POST',
      ':path': `/dhow.agent.v1.${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => undefined);
    stream.setMaxListeners(0);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(announcedBytes, 1);
    stream.write(head);
    return stream;
  };

  const statusOf = (stream: ClientHttp2Stream): Promise<number> =>
    new Promise((resolve, reject) => {
      const read = (headers: Record<string, unknown>) => {
        if (headers['grpc-status'] !== undefined) resolve(Number(headers['grpc-status']));
      };
      stream.on('response', read);
      stream.on('trailers', read);
      stream.once('close', () => reject(new Error('no status came')));
      stream.resume();
    });

  it('hold no large messages: one is refused by its length', async () => {
    const before = process.memoryUsage.rss();
    const statuses = Array.from({ length: 24 }, async () => {
      const stream = call(session(), 'BootstrapService/Join', 31 * MB);
      const status = statusOf(stream);
      const part = Buffer.alloc(MB);
      for (let i = 0; i < 30 && !stream.destroyed; i++)
        if (!stream.write(part))
          await new Promise((resolve) => {
            stream.once('drain', resolve);
            stream.once('close', resolve);
          });
      return status;
    });
    const results = await Promise.allSettled(statuses);
    for (const result of results) if (result.status === 'fulfilled') expect(result.value).toBe(8);
    expect(process.memoryUsage.rss() - before).toBeLessThan(250 * MB);
  });

  it('stay strangers when their session goes on', async () => {
    const first = connectTls({
      host: '127.0.0.1',
      port: plane.port,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    first.on('error', () => undefined);
    sockets.push(first);
    const ticket = await new Promise<Buffer>((resolve) => first.once('session', resolve));
    const opened = connectHttp2(`https://127.0.0.1:${plane.port}`, {
      rejectUnauthorized: false,
      session: ticket,
    });
    opened.on('error', () => undefined);
    sessions.push(opened);
    const stream = call(opened, 'BootstrapService/Join', 31 * MB);
    const status = statusOf(stream);
    stream.write(Buffer.alloc(MB));
    expect(await status).toBe(8);
    expect((opened.socket as TLSSocket).isSessionReused()).toBe(false);
    expect(opened.remoteSettings.maxConcurrentStreams).toBe(2);
  });

  it('are told that they need a certificate for anything but joining', async () => {
    expect(await statusOf(call(session(), 'NodeService/Session', 10))).toBe(16);
    expect(await statusOf(call(session(), 'NodeService/Attach', 10))).toBe(16);
  });

  it('are cut off when they finish nothing, and keep nobody out meanwhile', async () => {
    for (let i = 0; i < 200; i++) {
      const socket = connectTcp({ host: '127.0.0.1', port: plane.port });
      socket.on('error', () => undefined);
      sockets.push(socket);
    }
    const unfinished = Array.from({ length: 60 }, () => {
      const stream = call(session(), 'BootstrapService/Join', 1000);
      return new Promise<void>((resolve) => stream.once('close', () => resolve()));
    });
    await using _agent = await startAgent(plane, directory);
    await eventually(async () => {
      const { items } = await plane.client.list(NODES);
      return items.length === 1 ? true : undefined;
    });
    await Promise.all(unfinished);
    await eventually(async () => (sockets.every(({ closed }) => closed) ? true : undefined));
  });
});
