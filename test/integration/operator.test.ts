import { build } from 'esbuild';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kubectl } from './support/kubectl';
import { startServer, type RunningServer } from './support/running-server';

/*
 * An operator written with the official client for JavaScript, in processes of its own and as a service
 * account, against a whole control plane with a real etcd.
 */
const DEFINITION = join(__dirname, '..', 'charts', 'site', 'crds', 'sites.yaml');

const ACCESS = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: operator, namespace: sites }
rules:
  - { apiGroups: [web.example.com], resources: [sites], verbs: [get, list, watch] }
  - { apiGroups: [web.example.com], resources: [sites/status], verbs: [patch] }
  - { apiGroups: [''], resources: [configmaps], verbs: [create, list, watch, patch] }
  - { apiGroups: [apps], resources: [deployments], verbs: [create, patch] }
  - { apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, update] }
`;

const site = (text: string): string => `
apiVersion: web.example.com/v1
kind: Site
metadata: { name: fair, namespace: sites }
spec:
  title: Hello
  replicas: 2
  pages: [{ name: index, text: ${text} }, { name: about }]
`;

let directory: string;
let server: RunningServer;
let kubectl: Kubectl;
const operators: ChildProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-operator-'));
  server = await startServer(directory);
  kubectl = await Kubectl.unpack(directory, server.kubeconfig);
  await build({
    entryPoints: [join(__dirname, 'support', 'site-operator.ts')],
    outfile: join(directory, 'site-operator.js'),
    ...{ bundle: true, platform: 'node', target: 'node20', logLevel: 'error' },
  });
});

afterAll(async () => {
  for (const operator of operators) operator.kill('SIGKILL');
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** What an operator has printed; it runs as the service account `operator`. */
const startOperator = (
  name: string,
): { readonly child: ChildProcess; readonly said: () => string } => {
  const env = { ...process.env, KUBECONFIG: join(directory, 'operator.kubeconfig') };
  const child = spawn(process.execPath, [join(directory, 'site-operator.js'), name], { env });
  operators.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return { child, said: () => said };
};

const until = async (what: string, isSo: () => Promise<boolean> | boolean): Promise<void> => {
  const deadlineMs = Date.now() + 60_000;
  while (!(await isSo())) {
    if (Date.now() > deadlineMs) throw new Error(`${what}: not within a minute`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

const read = async (object: string, path: string): Promise<string> =>
  (await kubectl.run(['get', object, '-n', 'sites', '-o', `jsonpath={${path}}`])).stdout;

const untilRead = (object: string, path: string, wanted: string): Promise<void> =>
  until(`${object} ${path} is ${wanted}`, async () => (await read(object, path)) === wanted);

/** Everything the operator may do, and nothing else. */
const grantAccess = async (): Promise<void> => {
  await kubectl.ok('create namespace sites');
  await kubectl.ok('create serviceaccount operator -n sites');
  await kubectl.ok('apply -f -', ACCESS);
  await kubectl.ok(
    'create rolebinding operator -n sites --role=operator --serviceaccount=sites:operator',
  );
  const token = (await kubectl.ok('create token operator -n sites')).trim();
  const own = join(directory, 'operator.kubeconfig');
  await copyFile(server.kubeconfig, own);
  await kubectl.ok(`config --kubeconfig ${own} set-credentials operator --token=${token}`);
  await kubectl.ok(`config --kubeconfig ${own} set-context --current --user=operator`);
};

it('keeps what belongs to a custom resource, whoever of two leads', async () => {
  await kubectl.ok(`apply -f ${DEFINITION}`);
  await kubectl.ok('wait --for=condition=Established crd/sites.web.example.com --timeout=20s');
  await grantAccess();
  const first = startOperator('first');
  await until('the first leads', () => first.said().includes('first leads'));
  const second = startOperator('second');

  await kubectl.ok('apply -f -', site('Welcome'));
  await untilRead('site/fair', '.status.conditions[0].message', 'by first');
  await kubectl.ok('wait site/fair -n sites --for=condition=Ready --timeout=10s');
  expect(await read('configmap/fair', '.data')).toBe('{"about":"Hello","index":"Welcome"}');
  expect(await read('deployment/fair', '.spec.replicas')).toBe('2');
  await untilRead('deployment/fair', '.status.replicas', '2');
  const version = await read('site/fair', '.metadata.resourceVersion');

  // What somebody else changes or removes comes back.
  await kubectl.ok('patch configmap fair -n sites --type=merge -p {"data":{"index":"Mine"}}');
  await untilRead('configmap/fair', '.data.index', 'Welcome');
  await kubectl.ok('delete configmap fair -n sites');
  await untilRead('configmap/fair', '.data.index', 'Welcome');
  // What changes nothing is no change: the operator has not woken itself.
  expect(await read('site/fair', '.metadata.resourceVersion')).toBe(version);
  expect(second.said()).toBe('');

  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  await kubectl.ok('apply -f -', site('Changed'));
  await untilRead('configmap/fair', '.data.index', 'Changed');
  await untilRead('site/fair', '.status.conditions[0].message', 'by second');
  await untilRead('site/fair', '.status.observedGeneration', '2');
  expect(await read('lease/site-operator', '.spec.leaseTransitions')).toBe('1');

  await kubectl.ok('delete site fair -n sites --cascade=foreground --timeout=20s');
  expect(await kubectl.ok('get configmaps,deployments,replicasets,pods -n sites -o name')).toBe(
    'configmap/kube-root-ca.crt\n',
  );
  expect(second.said()).toBe('second leads\n');
});
