import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, appendFileSync } from 'node:fs';
import { Agent, createServer, get, request, type IncomingMessage, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { connect as connectByTls } from 'node:tls';

import { systemClock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import { silentLog } from '../../lib/log';
import { systemRandom } from '../../lib/random';
import { readRecord, stopCompanion } from '../../node-agent/companion/record';
import { IngressKeeper } from '../../node-agent/ingress';
import { makeDefaultCertificate } from '../../node-agent/ingress/serving/default-certificate';
import { NetworkTables } from '../../node-agent/session/network-tables';

jest.setTimeout(180_000);

const PROGRAM = join(__dirname, '../../dist/ingress-proxy.js');
const ADDRESS = '127.80.0.1';
const CLUSTER = {
  ...{ podCidrs: ['10.42.0.0/16'], serviceCidrs: ['10.96.0.0/16'], clusterDns: ['10.96.0.10'] },
  ...{ nodePortRange: { first: 30_000, last: 32_767 }, clusterDomain: 'cluster.local' },
};

let directory: string;
let tables: NetworkTables;
let port = 18_000 + (process.pid % 1000) * 20;
let keepers: { readonly stop: () => Promise<void> }[];
let servers: { close(): unknown }[];
let problems: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ingress-'));
  tables = new NetworkTables(directory, silentLog, systemClock);
  port += 2;
  keepers = [];
  servers = [];
  problems = [];
});

afterEach(async () => {
  for (const { stop } of keepers) await stop();
  await stopCompanion(join(directory, 'ingress'), systemClock);
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true, force: true });
});

const row = (resource: string, name: string, value: object) => ({
  ...{ resource, key: `ns/${name}`, version: '' },
  json: Buffer.from(stringifyJson({ metadata: { namespace: 'ns', name }, ...value })),
});

const serviceRow = (name: string) =>
  row('services', name, { spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP' }] } });

const sliceRow = (
  service: string,
  port: number,
  conditions: object = { ready: true },
  name = `${service}-1`,
) =>
  row('endpointslices', name, {
    metadata: { namespace: 'ns', name, labels: { 'kubernetes.io/service-name': service } },
    ...{ addressType: 'IPv4', endpoints: [{ addresses: ['127.0.0.1'], conditions }] },
    ports: [{ name: 'http', port, protocol: 'TCP' }],
  });

/** More endpoints than one: a slice for each. */
const sliceRows = (service: string, ports: readonly number[]) =>
  ports.map((each) => sliceRow(service, each, { ready: true }, `${service}-${each}`));

const ingressRow = (name: string, spec: object) => row('ingresses', name, { spec });

const ruleFor = (host: string, service: string, path = '/') => ({
  host,
  http: {
    paths: [
      { path, pathType: 'Prefix', backend: { service: { name: service, port: { name: 'http' } } } },
    ],
  },
});

const clusterRow = {
  ...{ resource: 'clusternetwork', key: 'cluster', version: '' },
  json: Buffer.from(stringifyJson(CLUSTER)),
};

const tell = (...rows: ReturnType<typeof row>[]) => tables.applyChanges({ rows, removed: [] });

const keep = (program = PROGRAM) => {
  const stopping = new AbortController();
  const keeper = new IngressKeeper({
    ...{ directory: join(directory, 'ingress'), program, network: tables },
    settings: { addresses: [ADDRESS], httpPort: port, httpsPort: port + 1 },
    onProblem: (problem) => problems.push(problem),
    ...{ clock: systemClock, random: systemRandom, log: silentLog },
  });
  const ended = keeper.run(stopping.signal);
  keepers.push({ stop: () => (stopping.abort(), ended) });
};

const backend = async (server: Server | ReturnType<typeof createTcpServer>): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return (server.address() as AddressInfo).port;
};

/** Says who it is and what it was asked. */
const echo = (name: string) =>
  backend(
    createServer((asked, answer) => {
      answer.setHeader('X-Served-By', name);
      answer.end(stringifyJson({ name, url: asked.url, headers: asked.headers }));
    }),
  );

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

const ask = (host: string, path = '/', headers: object = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    get({ host: ADDRESS, port, path, agent: false, headers: { host, ...headers } }, (answer) => {
      text(answer).then(
        (body) => resolve({ status: answer.statusCode ?? 0, body, headers: answer.headers }),
        reject,
      );
    }).on('error', reject);
  });

const until = async (isDone: () => Promise<boolean> | boolean): Promise<void> => {
  const endMs = systemClock.monotonicMs() + 60_000;
  while (!(await Promise.resolve(isDone()))) {
    if (systemClock.monotonicMs() > endMs) throw new Error('it never came to pass');
    await systemClock.sleep(20);
  }
};

const isServed = (host: string, name: string) => async () => {
  const answer = await ask(host).catch(() => undefined);
  return answer?.headers['x-served-by'] === name;
};

/** Sends bytes as they are; what came back when the connection ends. */
const sendRaw = async (bytes: string): Promise<string> => {
  const socket = connect(port, ADDRESS);
  socket.on('error', () => undefined);
  socket.write(bytes, 'latin1');
  return text(socket).catch(() => '');
};

const serveOne = async (servicePort: number): Promise<void> => {
  tell(serviceRow('web'), sliceRow('web', servicePort));
  tell(ingressRow('web', { rules: [ruleFor('web.example', 'web')] }), clusterRow);
  keep();
  await until(async () => (await ask('none.example').catch(() => undefined))?.status === 404);
};

it('routes by host and path, tells backends who asked, and follows what changes', async () => {
  const [a, b] = [await echo('a'), await echo('b')];
  tell(serviceRow('a'), serviceRow('b'), sliceRow('a', a), sliceRow('b', b));
  const rules = [
    ruleFor('a.example', 'a'),
    ruleFor('a.example', 'b', '/b'),
    ruleFor('*.c.example', 'b'),
  ];
  tell(ingressRow('web', { rules }), clusterRow);
  keep();
  await until(isServed('a.example', 'a'));
  expect((await ask('a.example', '/b/x?y=1')).headers['x-served-by']).toBe('b');
  expect((await ask('x.c.example')).headers['x-served-by']).toBe('b');
  expect([(await ask('c.example')).status, (await ask('x.y.c.example')).status]).toEqual([
    404, 404,
  ]);
  const { body } = await ask('a.example', '/q', {
    ...{ 'x-forwarded-for': '1.2.3.4', x_forwarded_for: '1.2.3.4', forwarded: 'for=1.2.3.4' },
    ...{ connection: 'close, x-secret', 'x-secret': '1', 'x-kept': '2' },
  });
  const { url, headers } = JSON.parse(body) as { url: string; headers: Record<string, string> };
  expect(url).toBe('/q');
  expect(headers).toMatchObject({
    ...{ host: 'a.example', 'x-kept': '2', 'x-forwarded-proto': 'http' },
    ...{ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'a.example' },
    'x-forwarded-port': String(port),
  });
  for (const name of ['x-secret', 'forwarded', 'x_forwarded_for'])
    expect(headers).not.toHaveProperty(name);
  tell(sliceRow('a', b));
  await until(isServed('a.example', 'b'));
  tell(sliceRow('a', a, { ready: false }));
  await until(async () => (await ask('a.example')).status === 503);
  tell(sliceRow('a', a, { ready: false, serving: true, terminating: true }));
  await until(isServed('a.example', 'a'));
  tables.applyChanges({ rows: [], removed: [{ resource: 'ingresses', key: 'ns/web' }] });
  await until(async () => (await ask('a.example')).status === 404);
});

it('sends plain requests on to TLS where the ingress asks for it', async () => {
  const annotations = { 'ingress.dhow.dev/ssl-redirect': 'true' };
  const metadata = { namespace: 'ns', name: 'secure', annotations };
  tell(
    row('ingresses', 'secure', { metadata, spec: { rules: [ruleFor('a.example', 'web', '/a')] } }),
  );
  await serveOne(await echo('web'));
  const { status, headers } = await ask('A.example:1', '/a/b/../c?d=//e');
  expect([status, headers.location]).toEqual([308, `https://a.example:${port + 1}/a/c?d=//e`]);
  expect((await ask('web.example')).status).toBe(200);
  const socket = connectByTls({ host: ADDRESS, port: port + 1, rejectUnauthorized: false });
  socket.write('GET /a HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1.1 200 /);
});

it('gives each endpoint its turn, and another one what the first does not take', async () => {
  const [a, b] = [await echo('a'), await echo('b')];
  const closed = await backend(createTcpServer());
  servers.pop()?.close();
  tell(serviceRow('web'), ...sliceRows('web', [a, b, closed]));
  tell(ingressRow('web', { rules: [ruleFor('web.example', 'web')] }), clusterRow);
  keep();
  await until(isServed('web.example', 'a'));
  const names: unknown[] = [];
  for (let i = 0; i < 30; i++) names.push((await ask('web.example')).headers['x-served-by']);
  expect(names.filter((name) => name === 'a').length).toBeGreaterThanOrEqual(10);
  expect(names.filter((name) => name === 'b').length).toBeGreaterThanOrEqual(10);
});

it('keeps connections on both sides', async () => {
  let connectionCount = 0;
  const server = createServer((_asked, answer) => answer.end('hello'));
  server.on('connection', () => connectionCount++);
  await serveOne(await backend(server));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  for (let i = 0; i < 20; i++)
    await new Promise<void>((resolve, reject) => {
      const asked = get(
        { host: ADDRESS, port, agent, headers: { host: 'web.example' } },
        (answer) => void text(answer).then(() => resolve(), reject),
      );
      asked.on('socket', (socket) => sockets.add(socket));
    });
  agent.destroy();
  expect([sockets.size, connectionCount]).toEqual([1, 1]);
});

it('streams 100 MB both ways, and holds back who sends faster than is read', async () => {
  const size = 100 * 1024 * 1024;
  let isReading = false;
  let waiting: IncomingMessage | undefined;
  const server = createServer((asked, answer) => {
    if (asked.method === 'GET') {
      Readable.from(chunks(size)).pipe(answer);
      return;
    }
    waiting = asked;
    if (!isReading) asked.pause();
    let count = 0;
    asked.on('data', (data: Buffer) => (count += data.length));
    if (!isReading) asked.pause();
    asked.on('end', () => answer.end(String(count)));
  });
  await serveOne(await backend(server));
  const headers = { host: 'web.example' };
  const down = await new Promise<IncomingMessage>((resolve) => {
    get({ host: ADDRESS, port, headers, agent: false }, resolve);
  });
  let received = 0;
  for await (const data of down) received += (data as Buffer).length;
  expect(received).toBe(size);
  const up = request({ host: ADDRESS, port, headers, method: 'POST', agent: false });
  const answered = once(up, 'response') as Promise<[IncomingMessage]>;
  let sent = 0;
  const source = Readable.from(
    (function* () {
      for (const chunk of chunks(size)) {
        sent += chunk.length;
        yield chunk;
      }
    })(),
  );
  source.pipe(up);
  await until(() => waiting !== undefined);
  let before = -1;
  await until(async () => {
    const isStill = sent === before;
    before = sent;
    await systemClock.sleep(500);
    return isStill;
  });
  // Only what sockets hold is under way.
  expect(sent).toBeLessThan(size / 2);
  isReading = true;
  waiting?.resume();
  const [answer] = await answered;
  expect(await text(answer)).toBe(String(size));
});

it('passes on what is sent before the answer is whole', async () => {
  let finish: () => void = () => undefined;
  const server = createServer((_asked, answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.write('first');
    finish = () => answer.end('last');
  });
  await serveOne(await backend(server));
  const [answer] = (await once(
    get({ host: ADDRESS, port, headers: { host: 'web.example' }, agent: false }),
    'response',
  )) as [IncomingMessage];
  const [first] = (await once(answer, 'data')) as [Buffer];
  expect(first.toString()).toBe('first');
  finish();
  expect(await text(answer)).toBe('last');
});

it('joins the two ends of an upgraded connection, and passes on a refusal', async () => {
  const server = createServer((_asked, answer) => answer.end());
  server.on('upgrade', (asked, socket: Socket, head) => {
    if (asked.url === '/no') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
      return;
    }
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n',
    );
    socket.write(head);
    socket.pipe(socket);
  });
  await serveOne(await backend(server));
  const socket = connect(port, ADDRESS);
  const lines = ['Host: web.example', 'Connection: Upgrade', 'Upgrade: echo', '', 'early'];
  socket.write(['GET / HTTP/1.1', ...lines].join('\r\n'));
  let said = '';
  socket.on('data', (data: Buffer) => (said += data.toString()));
  await until(() => said.endsWith('\r\n\r\nearly'));
  expect(said).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\n/);
  socket.write(' and late');
  await until(() => said.endsWith('early and late'));
  socket.end();
  await once(socket, 'close');
  const refused = await sendRaw(['GET /no HTTP/1.1', ...lines.slice(0, 3), '', ''].join('\r\n'));
  expect(refused).toMatch(/^HTTP\/1.1 403 Forbidden\r\n[^]*\r\n\r\nno$/);
});

it('gives nobody what an endpoint says unasked, and upgrades nobody who did not ask', async () => {
  const answerOf = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${body}`;
  let unasked: () => void = () => undefined;
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      if (data.includes('GET /up'))
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
        );
      else socket.write(answerOf('ok'));
    });
    unasked = () => socket.write(answerOf('no'));
  });
  await serveOne(await backend(server));
  for (let i = 0; i < 10; i++) {
    expect((await ask('web.example')).body).toBe('ok');
    unasked();
  }
  expect((await ask('web.example', '/up')).status).toBe(502);
});

it('asks once more when a connection that was kept turns out to be closed', async () => {
  let requestCount = 0;
  const server = createTcpServer((socket) => {
    let isUsed = false;
    socket.on('error', () => undefined);
    socket.on('data', () => {
      requestCount++;
      if (isUsed) socket.destroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      isUsed = true;
    });
  });
  await serveOne(await backend(server));
  for (let i = 0; i < 3; i++) expect((await ask('web.example')).body).toBe('ok');
  expect(requestCount).toBe(5);
});

it('breaks an answer off where its endpoint does', async () => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () =>
      socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
    );
  });
  await serveOne(await backend(server));
  const answer = await sendRaw('GET / HTTP/1.1\r\nHost: web.example\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n5\r\nhello\r\n$/);
});

it.each([
  ['two lengths', 'Content-Length: 3\r\nContent-Length: 4'],
  ['equal lengths', 'Content-Length: 3\r\nContent-Length: 3'],
  ['a length and an encoding', 'Content-Length: 3\r\nTransfer-Encoding: chunked'],
  ['an encoding and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 3'],
  ['an unknown encoding', 'Transfer-Encoding: xchunked'],
  ['two encodings', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'],
  ['an encoding before the last', 'Transfer-Encoding: chunked, identity'],
  ['an encoding that hides', 'Transfer-Encoding: \x0bchunked'],
  ['a space before the colon', 'Transfer-Encoding : chunked'],
  ['a folded line', 'X: a\r\n Transfer-Encoding: chunked'],
  ['a signed length', 'Content-Length: +3'],
  ['a list of lengths', 'Content-Length: 3, 3'],
  ['a bare line feed', 'X: a\nContent-Length: 3'],
  ['two hosts', 'Host: other.example'],
  ['a length beyond all', `Content-Length: ${'9'.repeat(30)}`],
])('lets no request through with %s', async (_what, header) => {
  const seen: string[] = [];
  const server = createTcpServer((socket) => {
    socket.on('data', (data: Buffer) => seen.push(data.toString('latin1')));
    socket.on('error', () => undefined);
  });
  await serveOne(await backend(server));
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: web.example\r\n\r\n';
  const head = `POST / HTTP/1.1\r\nHost: web.example\r\n${header}\r\n\r\n`;
  const answer = await sendRaw(`${head}0\r\n\r\n${smuggled}`);
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1);
  expect(seen.join('')).not.toContain('HTTP/1.1');
});

it('refuses heads that are too large, and says when nobody answers', async () => {
  const closed = await backend(createTcpServer());
  servers.pop()?.close();
  await serveOne(closed);
  expect((await ask('web.example')).status).toBe(502);
  const large = `GET / HTTP/1.1\r\nHost: web.example\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`;
  expect(await sendRaw(large)).toMatch(/^HTTP\/1.1 431 /);
  expect(await sendRaw('GET / HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
});

it('shows the certificate of a host, a newer one at once, and its own where there is none', async () => {
  const secretRow = async (name: string) => {
    const { cert, key } = await makeDefaultCertificate(systemClock);
    const data = { 'tls.crt': cert, 'tls.key': key };
    const encoded = Object.entries(data).map(([of, pem]) => [
      of,
      Buffer.from(pem).toString('base64'),
    ]);
    return { cert, row: row('ingresssecrets', name, { data: Object.fromEntries(encoded) }) };
  };
  const shownFor = async (servername: string): Promise<string> => {
    const socket = connectByTls({
      host: ADDRESS,
      port: port + 1,
      servername,
      rejectUnauthorized: false,
    });
    await once(socket, 'secureConnect');
    const { raw } = socket.getPeerCertificate();
    socket.destroy();
    return raw.toString('base64');
  };
  const bodyOf = (pem: string) => pem.replace(/-----.*-----|\s/g, '');
  const [first, second, wild] = [
    await secretRow('one'),
    await secretRow('one'),
    await secretRow('wild'),
  ];
  tell(
    first.row,
    wild.row,
    ingressRow('secure', {
      rules: [ruleFor('a.example', 'web')],
      tls: [
        { hosts: ['a.example'], secretName: 'one' },
        { hosts: ['*.b.example'], secretName: 'wild' },
        { hosts: ['c.example'], secretName: 'missing' },
      ],
    }),
    clusterRow,
  );
  await serveOne(await echo('a'));
  expect(await shownFor('a.example')).toBe(bodyOf(first.cert));
  expect(await shownFor('x.b.example')).toBe(bodyOf(wild.cert));
  const own = await shownFor('c.example');
  expect([bodyOf(first.cert), bodyOf(wild.cert)]).not.toContain(own);
  expect(await shownFor('other.example')).toBe(own);
  tell(second.row);
  await until(async () => (await shownFor('a.example')) === bodyOf(second.cert));
});

it('is begun anew when it is killed, and gives way to another program without a lost request', async () => {
  await serveOne(await echo('a'));
  const pidOf = () => readRecord(join(directory, 'ingress'))?.pid;
  await until(() => pidOf() !== undefined);
  const first = pidOf()!;
  process.kill(first, 'SIGKILL');
  await until(async () => pidOf() !== first && (await isServed('web.example', 'a')()));
  const second = pidOf();
  await keepers.pop()?.stop();
  expect(await isServed('web.example', 'a')()).toBe(true);
  const program = join(dirname(PROGRAM), `ingress-proxy-other-${process.pid}.js`);
  copyFileSync(PROGRAM, program);
  appendFileSync(program, '\n// another\n');
  keep(program);
  let failureCount = 0;
  await until(async () => {
    if (!(await isServed('web.example', 'a')())) failureCount++;
    return pidOf() !== second;
  });
  expect(failureCount).toBe(0);
});

it('says that a port is taken, and takes it once it is free', async () => {
  const holder = createTcpServer();
  holder.listen(port, ADDRESS);
  await once(holder, 'listening');
  tell(clusterRow);
  keep();
  await until(() => problems.length > 0);
  expect(problems[0]).toBe(`cannot listen at ${ADDRESS}:${port}: bind ${ADDRESS}: EADDRINUSE`);
  holder.close();
  await until(async () => (await ask('none').catch(() => undefined))?.status === 404);
});

function* chunks(byteCount: number): Iterable<Buffer> {
  const chunk = Buffer.alloc(256 * 1024, 'x');
  for (let sent = 0; sent < byteCount; sent += chunk.length) yield chunk;
}
