import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringifyJson } from '../../lib/json';
import { Kubectl } from './support/kubectl';
import { startServer, type RunningServer } from './support/running-server';
import { sendJson, startWebhookServer, type WebhookServer } from './support/webhook-server';

/* Webhooks as their authors have them: real HTTPS, the real kubectl, a whole control plane on etcd. */

let directory: string;
let server: RunningServer;
let hook: WebhookServer;
let cli: Kubectl;
/** Given up by the server, which holds what it was asked in the meantime. */
let silentCount = 0;

const OPERATIONS = [{ op: 'add', path: '/metadata/labels', value: { by: 'webhook' } }];
const ANSWERS: Readonly<Record<string, object>> = {
  '/mutate': {
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from(stringifyJson(OPERATIONS)).toString('base64'),
    warnings: ['labelled by a webhook'],
  },
  '/deny': { allowed: false, status: { code: 403, reason: 'Forbidden', message: 'no data here' } },
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-webhooks-'));
  hook = await startWebhookServer((path, { request, apiVersion, kind }, response) => {
    const answer = ANSWERS[path.replace(/\?.*/, '')];
    if (answer === undefined) {
      silentCount++;
      response.on('close', () => silentCount--);
    } else sendJson(response, { apiVersion, kind, response: { uid: request.uid, ...answer } });
  });
  server = await startServer(directory);
  cli = await Kubectl.unpack(directory, server.kubeconfig);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await hook[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const kubectl = (args: string, input?: string) => cli.run(args, input);

const configuration = (kind: string, path: string, change: object = {}) =>
  stringifyJson({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: 'test' },
    webhooks: [
      {
        name: 'test.hooks.example',
        clientConfig: { url: `${hook.url}${path}`, caBundle: hook.caBundle },
        rules: [
          {
            ...{ operations: ['CREATE', 'UPDATE'], apiGroups: [''], apiVersions: ['v1'] },
            resources: ['configmaps'],
          },
        ],
        objectSelector: { matchExpressions: [{ key: 'skip', operator: 'DoesNotExist' }] },
        sideEffects: 'NoneOnDryRun',
        admissionReviewVersions: ['v1'],
        timeoutSeconds: 1,
        ...change,
      },
    ],
  });
const apply = async (text: string) => {
  const { code, stderr } = await kubectl('apply -f -', text);
  expect([code, stderr]).toEqual([0, '']);
};
/** One that selects nothing: who is behind it is said by hand. */
const serviceWith = (addresses: readonly string[], port = 1) =>
  stringifyJson({
    ...{ apiVersion: 'v1', kind: 'List' },
    items: [
      {
        ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'hooks' } },
        spec: { ports: [{ name: 'https', port: 8443 }] },
      },
      {
        ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
        metadata: { name: 'hooks', labels: { 'kubernetes.io/service-name': 'hooks' } },
        ports: [{ name: 'https', port }],
        endpoints: addresses.length === 0 ? [] : [{ addresses }],
      },
    ],
  });
const ip = (change: 'add' | 'del', address: string) =>
  promisify(execFile)('ip', ['address', change, `${address}/32`, 'dev', 'lo']);
const KINDS = ['mutating', 'validating'];
const remove = (kind: string) =>
  kubectl(`delete ${kind}webhookconfiguration test --ignore-not-found`);

afterEach(async () => {
  for (const kind of KINDS) expect((await remove(kind)).code).toBe(0);
});

it('lists what is configured', async () => {
  await apply(configuration('Mutating', '/mutate'));
  const { stdout } = await kubectl('get mutatingwebhookconfigurations --no-headers');
  expect(stdout.trim().split(/\s+/).slice(0, 2)).toEqual(['test', '1']);
});

it('asks a webhook behind a service where its endpoints are', async () => {
  // Endpoints may not be of this machine alone, as 127.0.0.1 is.
  const address = '192.0.2.80';
  await ip('add', address);
  try {
    await using behind = await startWebhookServer(
      (_path, { request, apiVersion, kind }, response) =>
        sendJson(response, {
          ...{ apiVersion, kind },
          response: { uid: request.uid, ...ANSWERS['/deny'] },
        }),
      ['hooks.default.svc'],
      address,
    );
    const service = { namespace: 'default', name: 'hooks', path: '/deny', port: 8443 };
    const clientConfig = { service, caBundle: behind.caBundle };
    await apply(configuration('Validating', '', { clientConfig }));
    const refusal = async (name: string) => (await kubectl(`create configmap ${name}`)).stderr;
    expect(await refusal('s1')).toContain('service "hooks" not found');
    await apply(serviceWith([]));
    expect(await refusal('s2')).toContain('no endpoints available for service "hooks"');
    await apply(serviceWith([address], behind.port));
    await expect(refusal('s3')).resolves.toContain('denied the request: no data here');
    expect(behind.asked.map(({ body }) => body.request.name)).toEqual(['s3']);
    await cli.ok('delete service hooks');
    expect(await refusal('s4')).toContain('service "hooks" not found');
  } finally {
    await kubectl('delete service,endpointslice hooks --ignore-not-found');
    await ip('del', address);
  }
});

it('lets a webhook change what is made', async () => {
  await apply(configuration('Mutating', '/mutate'));
  const made = await kubectl('create configmap changed --from-literal=a=b');
  expect(made).toEqual({
    code: 0,
    stdout: 'configmap/changed created\n',
    stderr: 'Warning: labelled by a webhook\n',
  });
  const { stdout } = await kubectl('get configmap changed -o jsonpath={.metadata.labels.by}');
  expect(stdout).toBe('webhook');
});

it('lets a webhook refuse, and says what it said', async () => {
  await apply(configuration('Validating', '/deny'));
  const { code, stderr } = await kubectl('create configmap refused');
  expect([code, stderr]).toEqual([
    1,
    'error: failed to create configmap: admission webhook "test.hooks.example" denied the ' +
      'request: no data here\n',
  ]);
  // By its selector it is not for this one.
  const labelled = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'x', labels: { skip: '' } },
  };
  await apply(stringifyJson(labelled));
});

it('asks a webhook only about what its conditions hold for', async () => {
  const matchConditions = [
    { name: 'not-by-nodes', expression: '!("system:nodes" in request.userInfo.groups)' },
    { name: 'marked', expression: '"mark" in object.?data.orValue({})' },
  ];
  await apply(configuration('Validating', '/deny', { matchConditions }));
  expect((await kubectl('create configmap plain')).code).toBe(0);
  const { code, stderr } = await kubectl('create configmap marked --from-literal=mark=1');
  expect([code, stderr]).toEqual([1, expect.stringContaining('no data here')]);
  const broken = [{ name: 'a', expression: 'objekt.x' }];
  const refused = await kubectl(
    'apply -f -',
    configuration('Validating', '/deny', { matchConditions: broken }),
  );
  expect(refused.stderr).toContain("undeclared reference to 'objekt'");
});

it('tells a webhook of a dry run, and stores nothing', async () => {
  await apply(configuration('Mutating', '/mutate'));
  const draft = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'rehearsed' } };
  const dry = 'create --dry-run=server -f - -o jsonpath={.metadata.labels.by}';
  const { code, stdout } = await kubectl(dry, stringifyJson(draft));
  expect([code, stdout]).toEqual([0, 'webhook']);
  expect(hook.asked.at(-1)?.body.request).toMatchObject({ dryRun: true, name: 'rehearsed' });
  expect((await kubectl('get configmap rehearsed')).code).toBe(1);
});

it('does not wait longer than it may for a webhook that is silent', async () => {
  await apply(configuration('Validating', '/silent'));
  const { stderr } = await kubectl('create configmap late');
  expect(stderr).toBe(
    'error: failed to create configmap: Internal error occurred: failed calling webhook ' +
      '"test.hooks.example": failed to call webhook: ' +
      `Post "${hook.url}/silent?timeout=1s": context deadline exceeded\n`,
  );
  await apply(configuration('Validating', '/silent', { failurePolicy: 'Ignore' }));
  expect((await kubectl('create configmap late')).code).toBe(0);
  expect(silentCount).toBe(0);
  const { stdout } = await kubectl('get --raw /metrics');
  expect(stdout).toContain(
    'apiserver_admission_webhook_fail_open_count{name="test.hooks.example",type="validating"} 1\n',
  );
});

it('goes on, and can be mended, when a webhook for everything is down', async () => {
  const rules = [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }];
  for (const kind of ['Mutating', 'Validating'])
    await apply(
      configuration(kind, '/silent', { rules, clientConfig: { url: 'https://127.0.0.1:1/' } }),
    );
  const { stderr } = await kubectl('create configmap stuck');
  expect(stderr).toContain('dial tcp 127.0.0.1:1: connect: connection refused');
  // As after a crash: what the server needs to start it may write.
  await server[Symbol.asyncDispose]();
  server = await startServer(directory);
  expect((await kubectl('create configmap stuck')).code).toBe(1);
  for (const kind of KINDS) expect((await remove(kind)).code).toBe(0);
  expect((await kubectl('create configmap stuck')).code).toBe(0);
});
