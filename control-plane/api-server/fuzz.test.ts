import fc from 'fast-check';
import { stringifyJson } from '../../lib/json';
import { mutatedBytes, mutated, odd } from '../../test/support/mutations';
import { startTestServer, type TestServer } from './testing';

/*
 * Whatever clients send is answered, in time, and never with a fault of the server. The short form runs
 * with the other tests and from one seed; DHOW_FUZZ_SECONDS=3600 makes it a campaign from a new one. A
 * failure prints its seed.
 */
const CAMPAIGN_SECONDS = process.env['DHOW_FUZZ_SECONDS'];
const SECONDS = Number(CAMPAIGN_SECONDS ?? 20);
const ANSWER_MS = 20_000;

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', labels: { a: 'b' }, annotations: { c: 'd' }, finalizers: ['x.y/z'] },
  spec: {
    containers: [
      {
        name: 'c',
        image: 'i:1',
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        env: [{ name: 'A', value: 'b' }],
        resources: { limits: { cpu: '100m', memory: '10Mi' } },
        livenessProbe: { httpGet: { port: 80, path: '/' } },
      },
    ],
    tolerations: [{ key: 'k', operator: 'Exists', tolerationSeconds: 5 }],
    volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Mi' } }],
  },
};
const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: POD.spec },
  },
};
const CONFIG_MAP = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'm' },
  data: { k: 'v' },
};
const PLACES = [
  ['/api/v1/namespaces/default/pods', POD],
  ['/apis/apps/v1/namespaces/default/deployments', DEPLOYMENT],
  ['/api/v1/namespaces/default/configmaps', CONFIG_MAP],
  ['/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: 'r' }, rules: [] }],
] as const;

const step = fc.oneof(
  fc.constantFrom(
    ...['spec', 'metadata', 'containers', 'name', 'labels', 'managedFields', 'ports', 'data'],
    ...['template', 'status', '__proto__', 'constructor', '$patch', '$setElementOrder/containers'],
    ...['ownerReferences', 'fieldsV1', 'resources', 'limits', 'uid', 'resourceVersion', '0', '-'],
  ),
  fc.string({ maxLength: 8 }),
);

const operation = fc.record(
  {
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x'),
    path: fc.array(step, { maxLength: 5 }).map((steps) => steps.map((each) => `/${each}`).join('')),
    from: fc.array(step, { maxLength: 5 }).map((steps) => steps.map((each) => `/${each}`).join('')),
    value: odd,
  },
  { requiredKeys: ['op', 'path'] },
);

const PROTOBUF = Buffer.concat([
  Buffer.from('k8s\0'),
  Buffer.from('0a0f0a02763112094e616d65737061636512070a050a036e7331', 'hex'),
]).toString('latin1');

const TYPES = [
  ...['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf', 'text/x', ''],
  ...['merge-patch+json', 'strategic-merge-patch+json', 'json-patch+json', 'apply-patch+yaml'].map(
    (type) => `application/${type}`,
  ),
];

const body = (seed: unknown) =>
  fc.oneof(
    mutated(seed).map((value) => Buffer.from(stringifyJson(value))),
    mutated(seed).chain((value) => mutatedBytes(Buffer.from(stringifyJson(value)))),
    fc.array(operation, { maxLength: 6 }).map((patch) => Buffer.from(stringifyJson(patch))),
    mutatedBytes(Buffer.from(PROTOBUF)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );

const parameter = fc.oneof(
  fc.tuple(
    fc.constantFrom('labelSelector', 'fieldSelector'),
    fc.oneof(
      fc.string({ maxLength: 40 }),
      fc
        .array(
          fc.constantFrom('a', 'in', 'notin', '(', ')', ',', '=', '!=', '!', ' ', 'metadata.name'),
        )
        .map((parts) => parts.join('')),
    ),
  ),
  fc.tuple(
    fc.constant('continue'),
    fc.oneof(
      fc.string({ maxLength: 40 }),
      fc
        .record({ v: fc.constantFrom('meta.k8s.io/v1', 'x'), rv: odd, start: odd })
        .map((token) => Buffer.from(stringifyJson(token)).toString('base64url')),
    ),
  ),
  fc.tuple(
    fc.constantFrom(
      ...['limit', 'resourceVersion', 'resourceVersionMatch', 'timeoutSeconds', 'dryRun', 'watch'],
      ...['sendInitialEvents', 'allowWatchBookmarks', 'fieldManager', 'fieldValidation', 'force'],
      ...['gracePeriodSeconds', 'propagationPolicy', 'includeObject', 'orphanDependents'],
      ...['exclude', 'verbose', 'hash', 'pretty'],
    ),
    fc.oneof(
      fc.constantFrom('', '0', '1', '-1', '1e9', '99999999999999999999', 'true', 'Exact', 'All'),
      fc.constantFrom('NotOlderThan', 'Strict', 'Background', 'Foreground', 'Object'),
      fc.string({ maxLength: 12 }),
    ),
  ),
);

const anyRequest = fc.constantFrom(...PLACES).chain(([path, seed]) =>
  fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
    path: fc.oneof(
      fc.constantFrom(path, `${path}/p`, `${path}/m`, `${path}/d`, `${path}/d/scale`),
      fc.constantFrom(`${path}/p/status`, `${path}/p/binding`, `${path}/p/log`, `${path}/p/x`),
      fc.constantFrom('/apis', '/openapi/v2', '/openapi/v3/api/v1', '/readyz', '/readyz/etcd'),
      step.map((name) => `${path}/${encodeURIComponent(Buffer.from(name).toString())}`),
    ),
    query: fc.array(parameter, { maxLength: 3 }),
    type: fc.constantFrom(...TYPES),
    accept: fc.oneof(
      fc.constantFrom('application/json', 'application/json;as=Table;v=v1;g=meta.k8s.io', '*/*'),
      fc
        .array(fc.constantFrom('a/b', '*/*', ';', 'q=', '0.5', ',', 'as=Table', '"', '=', ' '))
        .map((parts) => parts.join('')),
    ),
    body: body(seed),
  }),
);

type AnyRequest = typeof anyRequest extends fc.Arbitrary<infer T> ? T : never;

const answered = async (server: TestServer, asked: AnyRequest): Promise<void> => {
  const { method, path, query, type, accept, body: content } = asked;
  const gone = new AbortController();
  const url = `${path}?${new URLSearchParams(query.map(([name, value]) => [name, value] as [string, string])).toString()}`;
  const headers = { 'content-type': type, accept };
  const late = setTimeout(() => gone.abort(), 200);
  const startMs = performance.now();
  // A watch lasts until its reader goes.
  const options = { headers, signal: gone.signal };
  const { status, text } = await server.request(method, url, content, options);
  clearTimeout(late);
  expect(performance.now() - startMs).toBeLessThan(ANSWER_MS);
  if (status >= 500) throw new Error(`${method} ${url} ${type}: ${status} ${text}`);
  expect(status).toBeGreaterThanOrEqual(200);
};

it(
  'answers whatever is sent, and blames the client for what is wrong',
  async () => {
    await using server = await startTestServer();
    for (const [path, seed] of PLACES) await server.request('POST', path, seed);
    await fc.assert(
      fc.asyncProperty(anyRequest, (asked) => answered(server, asked)),
      {
        ...(CAMPAIGN_SECONDS === undefined ? { seed: 1 } : {}),
        interruptAfterTimeLimit: SECONDS * 1000,
        numRuns: Infinity,
        endOnFailure: true,
      },
    );
  },
  (SECONDS + 60) * 1000,
);
