import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PODS } from '../../api/resources';
import { RestClient } from '../../client/rest-client';
import { createApiServer, type ApiServer } from '../../control-plane/api-server/api-server';
import { publicKeyHashOf } from '../../lib/public-key';
import { openPki, type Pki } from '../../control-plane/pki/pki';
import { MemoryStore } from '../../control-plane/store/memory-store';
import { createWatchCaches } from '../../control-plane/store/watch-caches';
import type { WatchCaches } from '../../control-plane/store/watch-cache';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { systemRandom } from '../../lib/random';

let directory: string;
let pki: Pki;
let caches: WatchCaches;
let server: ApiServer;
let port: number;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-apiserver-'));
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

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await caches[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

interface Reply {
  readonly status: number | undefined;
  readonly text: string;
}

const ask = (
  path: string,
  { body, ...tls }: { cert?: string; key?: string; method?: string; body?: Buffer } = {},
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, ca: pki.caCertificate, agent: false, ...tls },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() }),
        );
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });

const admin = () => ({ cert: pki.admin.certificate, key: pki.admin.key });

it('tells its health to anyone and nothing else', async () => {
  expect(await ask('/readyz')).toEqual({ status: 200, text: 'ok' });
  expect((await ask('/version')).status).toBe(200);
  const refused = await ask('/api/v1/pods');
  expect(refused.status).toBe(401);
  expect(JSON.parse(refused.text)).toMatchObject({ kind: 'Status', reason: 'Unauthorized' });
});

it('refuses a certificate of another authority', async () => {
  const other = await openPki({
    directory: join(directory, 'other'),
    serverNames: [],
    clock: systemClock,
  });
  const { certificate: cert, key } = other.admin;
  expect((await ask('/api/v1/pods', { cert, key })).status).toBe(401);
});

it('knows a node by its certificate and holds it to what a node may do', async () => {
  const { certificate: cert, key } = await pki.issueClient('system:node:a', 'system:nodes');
  const body = (certificate: string) => {
    const keys = [publicKeyHashOf(certificate)];
    const annotations = { 'dhow.dev/node-identity': JSON.stringify({ agent: 'x', keys }) };
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a', annotations } };
    return Buffer.from(JSON.stringify(node));
  };
  const put = async (method: string, path: string, sent?: Buffer) =>
    (await ask(path, { method, ...admin(), ...(sent && { body: sent }) })).status;
  // Before its node is there, and after it has gone, a certificate is worth nothing.
  expect((await ask('/api', { cert, key })).status).toBe(401);
  expect(await put('POST', '/api/v1/nodes', body(pki.admin.certificate))).toBe(201);
  expect((await ask('/api', { cert, key })).status).toBe(401);
  expect(await put('DELETE', '/api/v1/nodes/a')).toBe(200);
  expect(await put('POST', '/api/v1/nodes', body(cert))).toBe(201);
  await ask('/api/v1/nodes', admin());
  const own = '/api/v1/pods?fieldSelector=spec.nodeName%3Da';
  expect((await ask(own, { cert, key })).status).toBe(200);
  const refused = await ask('/apis/apps/v1/deployments', { cert, key });
  expect(JSON.parse(refused.text)).toMatchObject({
    code: 403,
    message:
      'deployments.apps is forbidden: User "system:node:a" cannot list resource "deployments" ' +
      'in API group "apps" at the cluster scope',
  });
});

it('refuses a body that is too large and goes on serving', async () => {
  const body = Buffer.alloc(4 * 1024 * 1024, 32);
  const reply = await ask('/api/v1/namespaces/default/pods', { method: 'POST', body, ...admin() })
    // The server may close before all is sent.
    .catch((error: unknown) => error as Error);
  if (!(reply instanceof Error)) expect(reply.status).toBe(413);
  expect((await ask('/livez')).status).toBe(200);
});

it('serves the REST client, watch included', async () => {
  const client = new RestClient({
    server: `https://127.0.0.1:${port}`,
    ca: pki.caCertificate,
    ...admin(),
  } as never);
  const stop = new AbortController();
  const { resourceVersion } = await client.list(PODS);
  const seen: string[] = [];
  const watching = (async () => {
    for await (const event of client.watch(PODS, { resourceVersion }, stop.signal)) {
      if (event.type === 'BOOKMARK') continue;
      seen.push(`${event.type} ${event.object.metadata.name}`);
      if (event.type === 'DELETED') stop.abort();
    }
  })();
  const created = await client.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default' },
    spec: { containers: [{ name: 'c', image: 'nginx' }] },
  });
  await client.update(PODS, {
    ...created,
    metadata: { ...created.metadata, labels: { a: 'b' } },
  });
  await client.delete(PODS, { namespace: 'default', name: 'web' });
  await watching;
  expect(seen).toEqual(['ADDED web', 'MODIFIED web', 'DELETED web']);
});
