import { CONFIG_MAPS, DEPLOYMENTS, NODES, PODS } from '../../api/resources';
import type { ApiClient } from '../../client/api-client';
import { startTestServer, type TestServer } from './testing';

let server: TestServer;
let client: ApiClient;

beforeEach(async () => {
  server = await startTestServer();
  ({ client } = server.api);
});
afterEach(() => server[Symbol.asyncDispose]());

const configMap = (name: string, data = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});
const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'c', image: 'nginx' }] },
});

it('creates, reads, updates, lists and deletes by the rules of the API', async () => {
  const created = await client.create(CONFIG_MAPS, configMap('a', { k: '1' }));
  expect(created.metadata.uid).toBeDefined();
  expect(await client.get(CONFIG_MAPS, { namespace: 'default', name: 'a' })).toEqual(created);
  const updated = await client.update(CONFIG_MAPS, { ...created, data: { k: '2' } });
  await expect(client.update(CONFIG_MAPS, { ...created, data: { k: '3' } })).rejects.toMatchObject({
    reason: 'Conflict',
  });
  const { items } = await client.list(CONFIG_MAPS, { namespace: 'default' });
  expect(items).toEqual([updated]);
  await client.delete(CONFIG_MAPS, { namespace: 'default', name: 'a' });
  await expect(client.get(CONFIG_MAPS, { namespace: 'default', name: 'a' })).rejects.toMatchObject({
    reason: 'NotFound',
  });
});

it('does not keep or change what its caller passed in', async () => {
  const draft = pod('a');
  const before = structuredClone(draft);
  const created = await client.create(PODS, draft);
  expect(draft).toEqual(before);
  expect(created).not.toBe(draft);
});

it('refuses what is invalid and what has unknown fields', async () => {
  await expect(client.create(CONFIG_MAPS, configMap('BAD'))).rejects.toMatchObject({
    reason: 'Invalid',
  });
  const odd = { ...configMap('a'), nosuch: 1 };
  await expect(client.create(CONFIG_MAPS, odd)).rejects.toMatchObject({ reason: 'BadRequest' });
});

it('watches from a list', async () => {
  const stop = new AbortController();
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: {}, status: {} };
  await client.create(NODES, node);
  const { resourceVersion } = await client.list(PODS);
  const seen: string[] = [];
  const watching = (async () => {
    for await (const event of client.watch(PODS, { resourceVersion }, stop.signal)) {
      if (event.type === 'BOOKMARK') continue;
      seen.push(`${event.type} ${event.object.metadata.name}`);
      if (event.type === 'DELETED') stop.abort();
    }
  })();
  const created = await client.create(PODS, pod('a'));
  await client.bind({ namespace: 'default', name: 'a', uid: created.metadata.uid ?? '' }, 'n1');
  await client.delete(PODS, { namespace: 'default', name: 'a' }, { gracePeriodSeconds: 0 });
  await watching;
  expect(seen).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a']);
});

it('writes status and scale apart', async () => {
  const deployment = await client.create(DEPLOYMENTS, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'c', image: 'nginx' }] },
      },
    },
  });
  const status = await client.update(
    DEPLOYMENTS,
    { ...deployment, spec: { ...deployment.spec, replicas: 9 }, status: { replicas: 1 } },
    { subresource: 'status' },
  );
  expect([status.spec.replicas, status.status.replicas]).toEqual([1, 1]);
  const patched = await client.patch(
    DEPLOYMENTS,
    { namespace: 'default', name: 'web' },
    'strategic',
    { spec: { replicas: 4 } },
  );
  expect(patched.spec.replicas).toBe(4);
});

it('only looks in a dry run', async () => {
  await client.create(CONFIG_MAPS, configMap('a'), { dryRun: true });
  expect((await client.list(CONFIG_MAPS)).items).toEqual([]);
});
