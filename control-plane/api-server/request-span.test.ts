import { SpanStatusCode } from '@opentelemetry/api';
import { PODS } from '../../api/resources';
import { parentsOf, testTracing } from '../../lib/tracing/testing';
import { CONFIGURATIONS, CORE, hook, map } from './admission/webhooks/testing';
import { startTestServer } from './testing';
import { WebhookCallError } from './webhook-client';

interface Review {
  readonly apiVersion: string;
  readonly request: { readonly uid: string };
}

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
  });
});

it('traces what each webhook is asked, and hands the trace on to it', async () => {
  const { tracing, ended } = testTracing();
  const handedOn: unknown[] = [];
  await using server = await startTestServer({
    tracing,
    webhookCalls: {
      call: async ({ url = '' }, review, { traceparent: handed }) => {
        handedOn.push(handed);
        if (url.endsWith('/refuses')) throw new WebhookCallError('no answer');
        const { apiVersion, request } = review as Review;
        const response = { uid: request.uid, allowed: true };
        return { kind: 'AdmissionReview', apiVersion, response };
      },
    },
  });
  for (const [kind, path, change] of [
    ['Mutating', '/agrees', {}],
    ['Validating', '/refuses', { failurePolicy: 'Ignore' }],
  ] as const) {
    const url = `${CONFIGURATIONS}/${kind.toLowerCase()}webhookconfigurations`;
    const webhooks = [hook(path, change)];
    const { status } = await server.request('POST', url, {
      ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind: `${kind}WebhookConfiguration` },
      ...{ metadata: { name: 'hooks' }, webhooks },
    });
    expect(status).toBe(201);
    await server.request('GET', url);
  }
  expect((await server.request('POST', `${CORE}/configmaps`, map('a'))).status).toBe(201);
  const spans = await ended();
  expect(parentsOf(spans)).toMatchObject({
    'Call mutating webhook': 'Mutating admission',
    'Call validating webhook': 'Validating admission',
  });
  const calls = spans.filter(({ name }) => name.startsWith('Call '));
  expect(calls).toMatchObject([
    {
      attributes: {
        ...{ configuration: 'hooks', webhook: 'agrees.hooks.example', subresource: '' },
        ...{ operation: 'CREATE', resource: '/v1, Resource=configmaps' },
        UID: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
      status: { code: SpanStatusCode.UNSET },
    },
    { status: { code: SpanStatusCode.ERROR } },
  ]);
  expect(handedOn).toEqual(
    calls.map((span) => {
      const { traceId, spanId } = span.spanContext();
      return `00-${traceId}-${spanId}-01`;
    }),
  );
});

it('traces the admission of a deletion', async () => {
  const { tracing, ended } = testTracing();
  await using server = await startTestServer({ tracing });
  await server.request('POST', `${CORE}/configmaps`, map('a'));
  const request = 'DELETE /api/v1/namespaces/{:namespace}/configmaps/{:name}';
  await server.request('DELETE', `${CORE}/configmaps/a`);
  const spans = await ended();
  const deletion = spans.find(({ name }) => name === request)?.spanContext().spanId;
  const parts = spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === deletion);
  expect(parts.map(({ name }) => name)).toEqual([
    ...['Mutating admission', 'Validating admission', 'Delete etcd3'],
  ]);
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
