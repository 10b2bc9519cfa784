import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
