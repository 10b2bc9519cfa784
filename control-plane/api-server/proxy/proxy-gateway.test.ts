import { once } from 'node:events';
import { createServer, IncomingMessage, type Server } from 'node:http';
import { connect, createServer as createTcpServer, Socket, type AddressInfo } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { buffer as bytesOf, text as textOf } from 'node:stream/consumers';
import { ApiError } from '../../../api/errors';
import type { NodeConnections, PortConnection } from '../../../client/node-connections';
import { startTestServer, type TestServer } from '../testing';
import { parseProxyName } from './backend';
import { backendHeaders } from './proxied-headers';

const PODS = '/api/v1/namespaces/default/pods';
const SERVICES = '/api/v1/namespaces/default/services';
const ENDPOINTS = '/api/v1/namespaces/default/endpoints';

// It is for those who upgrade by a library.
const NO_RAW = new IncomingMessage(new Socket());

let server: TestServer;
let backend: Server;
let backendPort: number;
let asked: IncomingMessage[];
let connected: unknown[];

/** A node of which every port is the backend, but for 404, where nobody listens. */
const connectTo: NodeConnections['connect'] = async (nodeName, request) => {
  connected.push([nodeName, request.podName, request.port]);
  if (request.port === 404) throw new ApiError('ServiceUnavailable', 'connection refused');
  return overSocket(connect(backendPort, '127.0.0.1'));
};

const overSocket = (socket: Socket): PortConnection => ({
  output: socket,
  write: (data) => new Promise((resolve) => void socket.write(data, () => resolve())),
  end: () => void socket.end(),
  [Symbol.asyncDispose]: async () => void socket.destroy(),
});

const pod = (name: string, podIP: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    nodeName: 'n1',
    containers: [{ name: 'main', image: 'web', ports: [{ containerPort: 8080 }] }],
  },
  status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] },
});

const create = async (path: string, object: object) => {
  const { status, json } = await server.request('POST', path, object);
  if (status !== 201) throw new Error(`not created: ${json.message}`);
};

const addPod = async (name: string, podIP: string) => {
  const object = pod(name, podIP);
  await create(PODS, object);
  const type = { headers: { 'content-type': 'application/merge-patch+json' } };
  await server.request('PATCH', `${PODS}/${name}/status`, { status: object.status }, type);
};

const addService = async (address: object) => {
  const metadata = { name: 'web' };
  const ports = [{ name: 'http', port: 80, targetPort: 9090 }];
  await create(SERVICES, { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports } });
  await create(ENDPOINTS, {
    ...{ apiVersion: 'v1', kind: 'Endpoints', metadata },
    subsets: [{ addresses: [address], ports: [{ name: 'http', port: 9090 }] }],
  });
};

/** A backend that says this, and never closes a connection itself. */
const answering = async (head: string): Promise<Disposable> => {
  const sockets: Socket[] = [];
  const raw = createTcpServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.resume().write(head);
  });
  raw.listen(0, '127.0.0.1');
  await once(raw, 'listening');
  backendPort = (raw.address() as AddressInfo).port;
  const close = () => {
    for (const socket of sockets) socket.destroy();
    raw.close();
  };
  return { [Symbol.dispose]: close };
};

const ofPod = (ip: string, name: string, namespace = 'default') => ({
  ip,
  targetRef: { kind: 'Pod', namespace, name },
});

beforeEach(async () => {
  [asked, connected] = [[], []];
  backend = createServer((request, response) => {
    asked.push(request);
    if (request.url === '/away') response.setHeader('location', '/login');
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.setHeader('access-control-allow-origin', '*');
    response.statusCode = request.url === '/away' ? 302 : 200;
    void (async () => {
      response.write('you said ');
      for await (const chunk of request) response.write(chunk);
      response.end();
    })();
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  backendPort = (backend.address() as AddressInfo).port;
  server = await startTestServer({ nodes: { connect: connectTo } });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  backend.closeAllConnections();
  await new Promise((resolve) => backend.close(resolve));
});

describe('what a path names', () => {
  it.each([
    ['web', { scheme: 'http', name: 'web', port: '' }],
    ['web:80', { scheme: 'http', name: 'web', port: '80' }],
    ['https:web:', { scheme: 'https', name: 'web', port: '' }],
    [':web:http', { scheme: 'http', name: 'web', port: 'http' }],
    ['', undefined],
    ['ftp:web:1', undefined],
    ['http::1', undefined],
    ['a:b:c:d', undefined],
  ])('%j', (text, name) => {
    expect(parseProxyName(text)).toEqual(name);
  });
});

it('does not tell a backend by what a caller proves who they are', () => {
  const backend = {
    scheme: 'http' as const,
    port: 80,
    target: { namespace: 'x', podName: 'a', podUid: 'u' },
  };
  const headers = { authorization: 'Bearer x', 'impersonate-uid': 'y', host: 'api', accept: '*/*' };
  expect(backendHeaders({ headers, path: '/p', sourceIp: '10.0.0.7', backend })).toEqual({
    ...{ accept: '*/*', host: 'a:80', 'x-forwarded-host': 'api', 'x-forwarded-for': '10.0.0.7' },
    ...{ 'x-forwarded-proto': 'https', 'x-forwarded-uri': '/p' },
  });
});

describe('a pod', () => {
  beforeEach(() => addPod('a', '10.0.0.1'));

  it('is sent the request as it is, but for who asks', async () => {
    const path = `${PODS}/a/proxy/deep//er%2Fway/?q=1&q=2`;
    const {
      status,
      text,
      headers: answered,
    } = await server.request('POST', path, '{"a":1}', {
      headers: { connection: 'x-hop', 'x-hop': '1', 'x-own': 'y' },
    });
    expect({ status, text }).toEqual({ status: 200, text: 'you said {"a":1}' });
    expect(answered).toMatchObject({ 'set-cookie': ['a=1', 'b=2'] });
    expect(answered).not.toHaveProperty('access-control-allow-origin');
    const [got] = asked;
    expect([got?.method, got?.url]).toEqual(['POST', '/deep//er%2Fway/?q=1&q=2']);
    expect(got?.headers).toMatchObject({ 'x-own': 'y', host: 'a:8080' });
    expect(got?.headers).not.toHaveProperty('x-hop');
    expect(connected).toEqual([['n1', 'a', 8080]]);
  });

  it.each(['GET', 'PUT', 'PATCH', 'DELETE'])('answers %s', async (method) => {
    expect((await server.request(method, `${PODS}/a:81/proxy/x`)).text).toBe('you said ');
    expect(connected).toEqual([['n1', 'a', 81]]);
  });

  it('keeps within itself whom it sends on', async () => {
    const { status, headers } = await server.request('GET', `${PODS}/a/proxy/away`);
    expect([status, headers['location']]).toEqual([302, `${PODS}/a/proxy/login`]);
  });

  it('is asked by a path that its links lead below', async () => {
    const { status, headers } = await server.request('GET', `${PODS}/a/proxy?x=1`);
    expect([status, headers['location']]).toEqual([301, `${PODS}/a/proxy/?x=1`]);
    expect(asked).toEqual([]);
  });

  it.each([
    ['a:404', 503, 'error trying to reach service: connection refused'],
    ['a:http:x:y', 400, 'invalid pod request "a:http:x:y"'],
    ['a:0', 400, 'invalid pod request "a:0"'],
    ['b', 404, 'pods "b" not found'],
  ])('%s is not reached: %i', async (name, code, message) => {
    const { json } = await server.request('GET', `${PODS}/${name}/proxy/`);
    expect(json).toMatchObject({ kind: 'Status', code, message });
  });

  it('is not waited for when it upgrades who did not ask', async () => {
    const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: x', 'Connection: Upgrade'];
    using _raw = await answering([...head, '', ''].join('\r\n'));
    const { json } = await server.request('GET', `${PODS}/a/proxy/`);
    const message = 'error trying to reach service: no answer';
    expect(json).toMatchObject({ kind: 'Status', code: 503, message });
  });

  it('is not reached on the network of its node', async () => {
    const object = pod('host', '10.0.0.2');
    await create(PODS, { ...object, spec: { ...object.spec, hostNetwork: true } });
    const { json } = await server.request('GET', `${PODS}/host/proxy/`);
    expect(json).toMatchObject({ code: 503, message: expect.stringContaining('forward its port') });
    expect(connected).toEqual([]);
  });

  it('is for those who may proxy to it, by what they do', async () => {
    const user = { name: 'ann', groups: ['system:authenticated'] };
    const answer = await server.request('POST', `${PODS}/a/proxy/`, '', { user });
    expect(answer.json.message).toBe(
      'pods "a" is forbidden: User "ann" cannot create resource "pods/proxy" in API group "" in the namespace "default"',
    );
    expect(connected).toEqual([]);
  });
});

describe('a service', () => {
  it.each(['web:http', 'web:80'])('as %s is a ready pod behind that port', async (name) => {
    await addPod('a', '10.0.0.1');
    await addService(ofPod('10.0.0.1', 'a'));
    expect((await server.request('GET', `${SERVICES}/${name}/proxy/`)).text).toBe('you said ');
    expect(connected).toEqual([['n1', 'a', 9090]]);
  });

  it.each([
    ['web', 'no endpoints available for service "web"'],
    ['web:81', 'no service port 81 found for service "web"'],
    ['web:other', 'no endpoints available for service "web:other"'],
  ])('as %s is not there', async (name, message) => {
    await addPod('a', '10.0.0.1');
    await addService(ofPod('10.0.0.1', 'a'));
    const { json } = await server.request('GET', `${SERVICES}/${name}/proxy/`);
    expect(json).toMatchObject({ code: 503, message });
  });

  it.each([
    ['an address of no pod', { ip: '10.0.0.1' }, 'no endpoints available for service "web:80"'],
    [
      'a pod of others',
      ofPod('10.0.0.1', 'a', 'kube-system'),
      'no endpoints available for service "web:80"',
    ],
    [
      'an address that the pod has not',
      ofPod('10.0.0.9', 'a'),
      'address 10.0.0.9 is not that of pod "a"',
    ],
  ])('leads nowhere by %s', async (_what, address, message) => {
    await addPod('a', '10.0.0.1');
    await addService(address);
    const { json } = await server.request('GET', `${SERVICES}/web:80/proxy/`);
    expect(json).toMatchObject({ code: 503, message });
    expect(connected).toEqual([]);
  });
});

describe('an upgrade', () => {
  /** The two ends of a connection of a client. */
  const pair = (): { readonly client: Duplex; readonly socket: Duplex } => {
    const [there, back] = [new PassThrough(), new PassThrough()];
    const client = Duplex.from({ writable: there, readable: back });
    return { client, socket: Duplex.from({ writable: back, readable: there }) };
  };

  const upgrade = async (path: string) => {
    const { client, socket } = pair();
    const request = {
      ...{ method: 'GET', path, query: new URLSearchParams(), body: async () => Buffer.alloc(0) },
      headers: { connection: 'Upgrade', upgrade: 'echo' },
      user: { name: 'admin', groups: ['system:masters', 'system:authenticated'] },
      signal: new AbortController().signal,
    };
    const served = server.api.upgrade(request, {
      ...{ raw: NO_RAW, socket },
      head: Buffer.from('early '),
    });
    return { client, served };
  };

  beforeEach(() => addPod('a', '10.0.0.1'));

  it('hands the connection over to who agrees', async () => {
    backend.on('upgrade', (_request, socket, head) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n',
      );
      if (head.length > 0) socket.write(head);
      socket.pipe(socket);
    });
    const { client, served } = await upgrade(`${PODS}/a/proxy/socket`);
    client.end('and late');
    const text = await textOf(client);
    await served;
    expect(text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(text.split('\r\n\r\n')[1]).toBe('early and late');
  });

  it('passes on the refusal of who does not', async () => {
    const { client, served } = await upgrade(`${PODS}/a/proxy/socket`);
    const text = await textOf(client);
    await served;
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toMatch(/Connection: close\r\n\r\nyou said $/);
  });

  it('has the head of the answer as it is, byte for byte', async () => {
    backend.on('upgrade', (_request, socket: Socket) => {
      const lines = ['HTTP/1.1 101 Oui', 'Upgrade: echo', 'Connection: Upgrade', 'X-Name: caf\xe9'];
      socket.resume().end([...lines, '', ''].join('\r\n'), 'latin1');
    });
    const { client, served } = await upgrade(`${PODS}/a/proxy/socket`);
    client.end();
    const bytes = await bytesOf(client);
    await served;
    expect(bytes.toString('latin1')).toContain('X-Name: caf\xe9\r\n');
  });

  it('is not for nodes', async () => {
    const { served } = await upgrade('/api/v1/nodes/n1/proxy/metrics');
    await expect(served).rejects.toMatchObject({ reason: 'NotFound' });
  });
});
