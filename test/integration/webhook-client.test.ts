import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { ApiError } from '../../api/errors';
import { WebhookClient, type WebhookTarget } from '../../control-plane/api-server/webhook-client';
import { systemClock } from '../../lib/clock';
import { sendJson, startWebhookServer, type WebhookServer } from './support/webhook-server';

/*
 * A webhook is code of somebody else. Whatever it does, a call ends within its time, with upstream's
 * words, and what it holds is bounded.
 */

const NAMES = ['127.0.0.1', 'hook.tools.svc'];
const LARGE = 64 * 1024;
const { signal } = new AbortController();

let hook: WebhookServer;
let other: WebhookServer;
let nameless: WebhookServer;
let silent: Server;
const silentSockets = new Set<Socket>();
let client: WebhookClient;
let underWay = 0;
let mostUnderWay = 0;

const ANSWERS: Readonly<Record<string, Parameters<typeof startWebhookServer>[0]>> = {
  '/ok': (_path, body, response) => sendJson(response, { seen: body as unknown }),
  '/redirect': (_path, _body, response) =>
    response.writeHead(307, { location: `${other.url}/ok` }).end(),
  '/missing': (_path, _body, response) => response.writeHead(404).end('no'),
  '/broken': (_path, _body, response) => response.writeHead(500).end('oh "no"'),
  '/garbage': (_path, _body, response) => response.end('<html>'),
  '/empty': (_path, _body, response) => response.end(),
  '/large': (_path, _body, response) => response.end(`"${'x'.repeat(LARGE)}"`),
  '/endless': (_path, _body, response) => {
    const write = (): void => void response.write('x'.repeat(1024), () => setImmediate(write));
    write();
  },
  '/half': (_path, _body, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('{"a":');
    setTimeout(() => response.destroy(), 20);
  },
  '/stuck': (_path, _body, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('{"a":');
  },
  '/cut': (_path, _body, response) => response.destroy(),
  '/close': (_path, _body, response, request) => {
    sendJson(response, {});
    // Says that it will stay, and goes.
    setTimeout(() => request.socket.destroy(), 20);
  },
  '/busy': (_path, _body, response) => {
    mostUnderWay = Math.max(mostUnderWay, ++underWay);
    setTimeout(() => {
      underWay--;
      sendJson(response, {});
    }, 20);
  },
};

beforeAll(async () => {
  hook = await startWebhookServer((path, body, response, request) => {
    ANSWERS[path.replace(/\?.*/, '')]?.(path, body, response, request);
  }, NAMES);
  other = await startWebhookServer((_path, _body, response) => sendJson(response, {}));
  nameless = await startWebhookServer((_path, _body, response) => sendJson(response, {}), []);
  silent = createServer((socket) => {
    silentSockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  client = new WebhookClient({
    clock: systemClock,
    resolveService: async (namespace, name) => {
      if (namespace !== 'tools') throw new ApiError('NotFound', `service "${name}" not found`);
      return { host: '127.0.0.1', port: hook.port };
    },
    limits: { answerBytesMax: LARGE, concurrencyMax: 4, callsMax: 20 },
  });
});
afterAll(async () => {
  client[Symbol.dispose]();
  for (const socket of silentSockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
  for (const server of [hook, other, nameless]) await server[Symbol.asyncDispose]();
});

const at = (path: string, change: Partial<WebhookTarget> = {}): WebhookTarget => ({
  url: `${hook.url}${path}`,
  caBundle: hook.caBundle,
  ...change,
});
const call = (target: WebhookTarget, timeoutMs = 5000) =>
  client.call(target, { a: 1n }, { timeoutMs }, signal);
const failure = async (target: WebhookTarget, timeoutMs?: number): Promise<string> => {
  const error: unknown = await call(target, timeoutMs).catch((thrown: unknown) => thrown);
  return error instanceof Error && error.name === 'WebhookCallError' ? error.message : 'no failure';
};
const post = (path: string, timeout = '5s') => `Post "${hook.url}${path}?timeout=${timeout}": `;

it('sends JSON and returns what is answered, over one connection', async () => {
  const before = hook.connectionCount();
  for (let i = 0; i < 5; i++) expect(await call(at('/ok'))).toEqual({ seen: { a: 1 } });
  expect(hook.connectionCount() - before).toBe(1);
  expect(hook.asked.at(-1)?.path).toBe('/ok?timeout=5s');
});

it('says what trace the call is part of', async () => {
  const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
  await client.call(at('/ok'), {}, { timeoutMs: 5000, traceparent }, signal);
  expect(hook.asked.at(-1)?.headers['traceparent']).toBe(traceparent);
  await call(at('/ok'));
  expect(hook.asked.at(-1)?.headers['traceparent']).toBeUndefined();
});

it('calls again when a kept connection was closed just then', async () => {
  for (let i = 0; i < 3; i++) {
    expect(await call(at('/close'))).toEqual({});
    await new Promise((resolve) => setTimeout(resolve, 18));
  }
});

it.each<[string, string]>([
  ['/redirect', 'redirects are not followed: the server answered 307'],
  ['/missing', 'the server could not find the requested resource'],
  ['/broken', 'an error on the server ("oh \\"no\\"") has prevented the request from succeeding'],
])('takes no answer but 200: %s', async (path, why) => {
  expect(await failure(at(path))).toBe(why);
});

it('follows no redirect', () => {
  expect(other.asked).toEqual([]);
});

it.each(['/garbage', '/empty'])('names what is no JSON: %s', async (path) => {
  expect(await failure(at(path))).toMatch(/^couldn't get version\/kind; json parse error: /);
});

it.each(['/large', '/endless'])('reads no more than an answer may hold: %s', async (path) => {
  expect(await failure(at(path))).toBe(`the answer is larger than ${LARGE} bytes`);
});

it.each<[string, string]>([
  ['/half', 'unexpected EOF'],
  ['/cut', 'EOF'],
])('says that an answer ended early: %s', async (path, why) => {
  expect(await failure(at(path))).toBe(`${post(path)}${why}`);
});

it('ends a call in time when the answer stops half-way', async () => {
  expect(await failure(at('/stuck'), 200)).toBe(`${post('/stuck', '1s')}context deadline exceeded`);
});

it('ends a call in time when nobody speaks TLS there', async () => {
  const { port } = silent.address() as AddressInfo;
  const url = `https://127.0.0.1:${port}/`;
  expect(await failure({ url, caBundle: hook.caBundle }, 200)).toBe(
    `Post "${url}?timeout=1s": context deadline exceeded`,
  );
});

it('ends with its caller', async () => {
  const gone = new AbortController();
  setTimeout(() => gone.abort(new Error('gone')), 50);
  await expect(client.call(at('/stuck'), {}, { timeoutMs: 5000 }, gone.signal)).rejects.toThrow(
    `${post('/stuck')}context canceled`,
  );
});

it('says that nobody listens', async () => {
  const { port } = silent.address() as AddressInfo;
  const closed = await startWebhookServer(() => undefined);
  await closed[Symbol.asyncDispose]();
  expect(port).not.toBe(closed.port);
  expect(await failure({ url: closed.url })).toBe(
    `Post "${closed.url}/?timeout=5s": dial tcp 127.0.0.1:${closed.port}: connect: connection refused`,
  );
});

const UNVERIFIED = 'tls: failed to verify certificate: x509: ';

it('trusts the authority of the configuration and no other', async () => {
  expect(await failure(at('/ok', { caBundle: other.caBundle }))).toBe(
    `${post('/ok')}${UNVERIFIED}certificate signed by unknown authority`,
  );
  const { caBundle: _none, ...without } = at('/ok');
  expect(await failure(without)).toBe(
    `${post('/ok')}${UNVERIFIED}certificate signed by unknown authority`,
  );
  expect(await failure(at('/ok', { caBundle: 'bm8=' }))).toBe(
    'unable to load root certificates: unable to parse bytes as PEM block',
  );
});

it('holds the certificate to the name of the host', async () => {
  expect(await failure({ url: `${nameless.url}/`, caBundle: nameless.caBundle })).toContain(
    'certificate relies on legacy Common Name field, use SANs instead',
  );
  const service = { namespace: 'tools', name: 'stranger', port: 8443 };
  expect(await failure({ service, caBundle: hook.caBundle })).toContain(
    `${UNVERIFIED}certificate is valid for hook.tools.svc, not stranger.tools.svc`,
  );
});

it('reaches a service by its name', async () => {
  const service = { namespace: 'tools', name: 'hook', path: '/ok' };
  expect(await call({ service, caBundle: hook.caBundle })).toEqual({ seen: { a: 1 } });
  const unknown = { namespace: 'none', name: 'hook', path: '/ok' };
  expect(await failure({ service: unknown, caBundle: hook.caBundle })).toBe(
    'Post "https://hook.none.svc:443/ok?timeout=5s": service "hook" not found',
  );
});

it('asks one webhook no more than it may at a time, and refuses beyond the bound', async () => {
  const results = await Promise.allSettled(Array.from({ length: 24 }, () => call(at('/busy'))));
  const refused = results.filter(({ status }) => status === 'rejected');
  expect([mostUnderWay, refused.length]).toEqual([4, 4]);
  expect(await call(at('/busy'))).toEqual({});
});

it('lets those who wait for others go when their time is up', async () => {
  const stuck = Array.from({ length: 4 }, () => failure(at('/stuck'), 600));
  // Its place comes free after its own time.
  expect(await failure(at('/stuck'), 100)).toContain('context deadline exceeded');
  await Promise.all(stuck);
  expect(await call(at('/ok'))).toEqual({ seen: { a: 1 } });
});
