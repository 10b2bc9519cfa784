import { PODS } from '../../api/resources';
import { parentsOf, testTracing } from '../../lib/tracing/testing';
import { startTestServer } from './testing';

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'default' },
  spec: { containers: [{ name: 'c', image: 'i' }] },
};
const PATH = '/api/v1/namespaces/default/pods';
const CREATE = 'POST /api/v1/namespaces/{:namespace}/pods';
const TRACE = '1'.repeat(32);
const traceparent = `00-${TRACE}-${'2'.repeat(16)}-01`;
const ALICE = { name: 'alice', groups: ['system:authenticated'] };

it('traces a request with what it is made of, and remembers it for the pod', async () => {
  const { tracing, ended } = testTracing();
  await using server = await startTestServer({ tracing });
  const { json } = await server.request('POST', PATH, POD);
  const context = tracing.pods.of(json.metadata.uid);
  await server.request('DELETE', `${PATH}/p?gracePeriodSeconds=0`);
  const spans = await ended();
  const created = spans.find(({ name }) => name === CREATE);
  expect(context?.spanId).toBe(created?.spanContext().spanId);
  expect(created?.attributes).toMatchObject({
    'http.request.method': 'POST',
    'http.response.status_code': 201,
    'k8s.verb': 'create',
    'k8s.resource': 'pods',
    'k8s.namespace.name': 'default',
  });
  expect(parentsOf(spans)).toMatchObject({
    'Mutating admission': CREATE,
    'Validating admission': CREATE,
    'Create etcd3': CREATE,
    'Delete etcd3': 'DELETE /api/v1/namespaces/{:namespace}/pods/{:name}',
  });
});

it('gives a pod made in process a trace of its own', async () => {
  const { tracing, ended } = testTracing();
  await using server = await startTestServer({ tracing });
  const { metadata } = await server.api.client.create(PODS, POD);
  expect(tracing.pods.of(metadata.uid ?? '')).toBeDefined();
  expect(parentsOf(await ended())).toMatchObject({ [CREATE]: '', 'Create etcd3': CREATE });
});

it('goes on with the trace of an administrator only', async () => {
  const { tracing, ended } = testTracing(0);
  await using server = await startTestServer({ tracing });
  await server.request('GET', PATH, undefined, { headers: { traceparent } });
  await server.request('GET', PATH, undefined, { headers: { traceparent }, user: ALICE });
  const spans = await ended();
  expect(spans.map(({ name }) => name)).toEqual(['GET /api/v1/namespaces/{:namespace}/pods']);
  expect(spans[0]?.spanContext().traceId).toBe(TRACE);
});

it('takes a malformed context for none, and names no span by what nobody serves', async () => {
  const { tracing, ended } = testTracing();
  await using server = await startTestServer({ tracing });
  for (const header of ['', 'x', `${traceparent}-${'9'.repeat(10_000)}`, '00-\n-\0-01']) {
    const options = { headers: { traceparent: header } };
    expect((await server.request('GET', PATH, undefined, options)).status).toBe(200);
  }
  expect((await server.request('GET', '/apis/no.such/v1/things')).status).toBe(404);
  const spans = await ended();
  expect(spans.map(({ name }) => name)).toEqual([
    ...Array<string>(4).fill('GET /api/v1/namespaces/{:namespace}/pods'),
    'GET',
  ]);
  for (const { parentSpanContext, links } of spans)
    expect([parentSpanContext, links]).toEqual([undefined, []]);
});
