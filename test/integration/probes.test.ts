import {
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server as NetServer,
} from 'node:net';

import { runProbe, type Probe } from '../../node-agent/probes/probe-action';
import { systemClock } from '../../lib/clock';
import { FakeContainerRuntime } from '../../runtime/containers';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const listening = async (server: NetServer, host = '127.0.0.1'): Promise<number> => {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  );
  return (server.address() as AddressInfo).port;
};

/** Accepts and says nothing. */
const silent = () => listening(createTcpServer());
const http = (listener: RequestListener) => listening(createHttpServer(listener));

const probe = (what: Probe, ports: readonly { name: string; containerPort: number }[] = []) => {
  const container = { name: 'web', ports };
  const target = { containerId: 'c1', container, podIp: '127.0.0.1' };
  const { signal } = new AbortController();
  const deps = { runtime: new FakeContainerRuntime(), clock: systemClock };
  return runProbe(deps, target, { timeoutSeconds: 1, ...what }, signal);
};

describe('by gRPC', () => {
  const HEALTH = '/grpc.health.v1.Health/Check';
  const serve = async (answer: (service: string) => Buffer): Promise<number> => {
    const server = new Server();
    const method = {
      path: HEALTH,
      requestStream: false as const,
      responseStream: false as const,
      requestSerialize: (value: Buffer) => value,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
    };
    server.addService(
      { check: method },
      {
        check: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
          const service = call.request.subarray(2).toString();
          if (service === 'unknown')
            callback({ code: status.NOT_FOUND, details: 'unknown service' });
          else callback(null, answer(service));
        },
      },
    );
    closers.push(async () => server.forceShutdown());
    return await new Promise((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    );
  };

  it('asks for the service and believes SERVING alone', async () => {
    const asked: string[] = [];
    const port = await serve((service) => {
      asked.push(service);
      if (service === 'empty') return Buffer.alloc(0);
      // A field of a later version first.
      return Buffer.from(service === 'down' ? [8, 2] : [18, 1, 65, 8, 1]);
    });
    const outputs = [];
    for (const service of ['', 'up', 'down', 'empty', 'unknown'])
      outputs.push(await probe({ grpc: { port, service } }));
    expect(asked).toEqual(['', 'up', 'down', 'empty']);
    expect(outputs.map(({ succeeded }) => succeeded)).toEqual([true, true, false, false, false]);
    expect(outputs.slice(2).map(({ output }) => output)).toEqual([
      'service unhealthy (responded with "NOT_SERVING")',
      'service unhealthy (responded with "UNKNOWN")',
      'error: health rpc probe failed: rpc error: code = NotFound desc = unknown service',
    ]);
  });

  it('says that a server knows no health service', async () => {
    const server = new Server();
    closers.push(async () => server.forceShutdown());
    const port = await new Promise<number>((resolve) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_error, bound) =>
        resolve(bound),
      ),
    );
    expect(await probe({ grpc: { port } })).toMatchObject({
      succeeded: false,
      output: expect.stringContaining('does not implement the grpc health protocol'),
    });
  });

  it('fails in time when nobody answers, or nobody is there', async () => {
    expect(await probe({ grpc: { port: await silent() } })).toEqual({
      succeeded: false,
      output: 'timeout: health rpc did not complete within 1s',
    });
    expect(await probe({ grpc: { port: 1 } })).toEqual({
      succeeded: false,
      output:
        'error: failed to connect service at "127.0.0.1:1": ' +
        'dial tcp 127.0.0.1:1: connect: connection refused',
    });
  });

  it('takes any code and any bytes for an answer', async () => {
    const server = createHttp2Server();
    const sessions = new Set<{ destroy(): void }>();
    server.on('session', (session) => sessions.add(session));
    server.on('stream', (stream) => {
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '99' },
        { endStream: true },
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(
      () =>
        new Promise((resolve) => {
          for (const session of sessions) session.destroy();
          server.close(() => resolve());
        }),
    );
    const { port } = server.address() as AddressInfo;
    const { succeeded, output } = await probe({ grpc: { port } });
    expect(succeeded).toBe(false);
    expect(output).toMatch(/^error: health rpc probe failed: rpc error: code = Unknown desc = /);
    const broken = await serve(() => Buffer.from([8, 255, 255]));
    expect((await probe({ grpc: { port: broken } })).succeeded).toBe(false);
  });

  it('says the same of what speaks another protocol each time, so that events are counted', async () => {
    const port = await http((_request, response) => void response.end());
    const told = [await probe({ grpc: { port } }), await probe({ grpc: { port } })];
    const output = `error: failed to connect service at "127.0.0.1:${port}": Protocol error`;
    expect(told).toEqual([
      { succeeded: false, output },
      { succeeded: false, output },
    ]);
  });
});

describe('by HTTP', () => {
  it('takes 200 to 399 for success, and sends the headers asked for', async () => {
    const seen: string[] = [];
    const port = await http((request, response) => {
      seen.push(`${request.url ?? ''} ${String(request.headers['x-probe'])}`);
      response.writeHead(Number(request.url?.slice(1))).end('x'.repeat(1 << 20));
    });
    const httpHeaders = [{ name: 'X-Probe', value: 'yes' }];
    const codes = [200, 204, 301, 399, 400, 404, 503];
    const results = [];
    for (const code of codes)
      results.push(await probe({ httpGet: { path: `/${code}`, port, httpHeaders } }));
    expect(results.map(({ succeeded }) => succeeded)).toEqual(codes.map((code) => code < 400));
    expect(results.at(-1)?.output).toBe('HTTP probe failed with statuscode: 503');
    expect(seen[0]).toBe('/200 yes');
  });

  it('asks the host and by the scheme that it names', async () => {
    const answers = createHttpServer((_request, response) => void response.end());
    const port = await listening(answers, '127.0.0.2');
    const asked = async (more: object) => (await probe({ httpGet: { port, ...more } })).succeeded;
    expect(await asked({})).toBe(false);
    expect(await asked({ host: '127.0.0.2' })).toBe(true);
    expect(await asked({ host: '127.0.0.2', scheme: 'HTTPS' })).toBe(false);
  });

  it('follows redirects on the same host, and takes the last answer', async () => {
    const to: Record<string, string> = {
      '/well': '/ok',
      '/ill': '/broken',
      '/away': 'http://192.0.2.1:1/',
      '/round': '/round',
    };
    const port = await http((request, response) => {
      const location = to[request.url ?? ''];
      if (location !== undefined) response.writeHead(302, { location }).end();
      else response.writeHead(request.url === '/ok' ? 200 : 500).end();
    });
    const results = [];
    for (const path of ['/well', '/ill', '/away', '/round'])
      results.push(await probe({ httpGet: { path, port } }));
    expect(results.map(({ succeeded }) => succeeded)).toEqual([true, false, true, false]);
    expect(results[1]?.output).toBe('HTTP probe failed with statuscode: 500');
    expect(results[3]?.output).toContain('stopped after 10 redirects');
  });

  it('finds a port by its name, and fails in time when nobody answers', async () => {
    const port = await http((_request, response) => void response.end());
    const ports = [{ name: 'web', containerPort: port }];
    expect((await probe({ httpGet: { port: 'web' } }, ports)).succeeded).toBe(true);
    expect(await probe({ httpGet: { port: await silent() } })).toEqual({
      succeeded: false,
      output: expect.stringContaining('context deadline exceeded'),
    });
    expect((await probe({ httpGet: { port: 1 } })).output).toBe(
      'Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused',
    );
  });
});

it('opens a TCP connection, to the host that it names', async () => {
  const elsewhere = await listening(createTcpServer(), '127.0.0.2');
  expect((await probe({ tcpSocket: { port: elsewhere } })).succeeded).toBe(false);
  const host = '127.0.0.2';
  expect((await probe({ tcpSocket: { port: elsewhere, host } })).succeeded).toBe(true);
  expect((await probe({ tcpSocket: { port: await silent() } })).succeeded).toBe(true);
  expect(await probe({ tcpSocket: { port: 1 } })).toEqual({
    succeeded: false,
    output: 'dial tcp 127.0.0.1:1: connect: connection refused',
  });
});

it('does not try a port that the container has no name for', async () => {
  const ports = [{ name: 'web', containerPort: 1 }];
  for (const what of [{ tcpSocket: { port: 'wed' } }, { httpGet: { port: 'wed' } }])
    expect(await probe(what, ports)).toEqual({
      ...{ succeeded: false, isUnknown: true },
      output: 'strconv.Atoi: parsing "wed": invalid syntax',
    });
});
