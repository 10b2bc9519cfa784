import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kubectl } from './support/kubectl';
import { startServer, type RunningServer } from './support/running-server';
import { Tool } from './support/tool';

/*
 * The real helm against a whole control plane with a real etcd and no nodes: a chart as `helm create`
 * makes it, and one with a definition, an object of it, and hooks.
 */
const SITE = join(__dirname, '..', 'charts', 'site');

let directory: string;
let server: RunningServer;
let kubectl: Kubectl;
let helm: Tool;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-helm-'));
  server = await startServer(directory);
  kubectl = await Kubectl.unpack(directory, server.kubeconfig);
  helm = await Tool.unpack('helm', directory, server.kubeconfig);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const until = async (args: string, wanted: string): Promise<void> => {
  const deadlineMs = Date.now() + 60_000;
  while ((await kubectl.run(args)).stdout !== wanted)
    if (Date.now() > deadlineMs) throw new Error(`kubectl ${args} never printed ${wanted}`);
};

/** Status and description of each revision, the oldest first. */
const historyOf = async (release: string, namespace: string): Promise<readonly string[]> =>
  (await helm.ok(`history ${release} -n ${namespace}`))
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .map((cells) => `${cells[2]?.trim()}: ${cells[5]?.trim()}`);

it('runs a chart as helm makes it', async () => {
  const chart = join(directory, 'web');
  await helm.ok(`create ${chart}`);
  const read = (what: string) =>
    kubectl.ok(['get', 'deployment', 'shop-web', '-o', `jsonpath={${what}}`]);

  const installed = await helm.ok(
    `install shop ${chart} --set replicaCount=0 --set ingress.enabled=true --wait --timeout 20s`,
  );
  expect(installed).toContain('STATUS: deployed');
  expect(await helm.ok('list')).toMatch(/shop\s+default\s+1\s.*deployed\s+web-0.1.0\s+1.16.0/);
  expect(await helm.ok('status shop')).toMatch(/v1\/Deployment\n.*\nshop-web +0\/0 /);

  expect(await kubectl.ok('get ingresses -o name')).toContain('/shop-web');
  const to = '--set replicaCount=2 --set image.tag=1.17';
  await helm.ok(`upgrade shop ${chart} ${to} --set livenessProbe=null`);
  const container = '.spec.template.spec.containers[0]';
  expect(await read(`.spec.replicas} {${container}.image} {${container}.livenessProbe`)).toBe(
    '2 nginx:1.17 ',
  );
  // What the chart has no longer goes, and comes back.
  expect(await kubectl.ok('get ingresses -o name')).toBe('');
  await helm.ok('rollback shop 1 --wait --timeout 20s');
  expect(await read(`.spec.replicas} {${container}.image`)).toBe('0 nginx:1.16.0');
  expect(await read(`${container}.livenessProbe.httpGet.port`)).toBe('http');
  expect(await kubectl.ok('get ingresses -o name')).toContain('/shop-web');
  expect(await historyOf('shop', 'default')).toEqual([
    'superseded: Install complete',
    'superseded: Upgrade complete',
    'deployed: Rollback to 1',
  ]);

  await kubectl.ok('scale deployment shop-web --replicas=3');
  const conflict = await helm.run(`upgrade shop ${chart} --set replicaCount=4`);
  expect(conflict.stderr).toContain(
    'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
  );
  await helm.ok(`upgrade shop ${chart} --set replicaCount=4 --force-conflicts`);
  expect(await read('.spec.replicas')).toBe('4');

  const tested = helm.run('test shop --timeout 20s');
  await until('get pod shop-web-test-connection -o jsonpath={.status.phase}', 'Pending');
  // No node is there to run it.
  const phase = '{"status":{"phase":"Succeeded"}}';
  await kubectl.ok(
    `patch pod shop-web-test-connection --subresource=status --type=merge -p ${phase}`,
  );
  expect((await tested).stdout).toMatch(/shop-web-test-connection\n.*\n.*\nPhase: +Succeeded/);

  await helm.ok('uninstall shop --cascade foreground --wait --timeout 20s');
  // The server's own is nobody else's.
  expect(await kubectl.ok('get deploy,rs,svc,secrets -o name')).toBe('service/kubernetes\n');
  expect((await helm.run('status shop')).stderr).toContain('release: not found');
});

it('is told why what it waits for does not come, and takes it back', async () => {
  const chart = join(directory, 'late');
  await helm.ok(`create ${chart}`);
  await helm.ok(`install late ${chart} --set replicaCount=0 --server-side=false`);
  const failed = await helm.run(
    `upgrade late ${chart} --set replicaCount=1 --server-side=false --rollback-on-failure --timeout 1s`,
  );
  expect(failed.stderr).toMatch(/Deployment\/default\/late not ready.*Available: 0\/1/);
  expect(await historyOf('late', 'default')).toEqual([
    'superseded: Install complete',
    expect.stringMatching(/^failed: Upgrade "late" failed/),
    'deployed: Rollback to 1',
  ]);
  expect(await kubectl.ok('get deployment late -o jsonpath={.spec.replicas}')).toBe('0');
  await helm.ok('uninstall late');
});

it('brings a kind along, an object of it, and hooks', async () => {
  const installed = await helm.ok(
    `install fair ${SITE} -n sites --create-namespace --wait --timeout 20s`,
  );
  expect(installed).toContain('Hello from fair in sites.');
  const read = (what: string) =>
    kubectl.ok(['get', 'site', 'fair', '-n', 'sites', '-o', `jsonpath={${what}}`]);
  const spec = '.spec.title} {.spec.replicas} {.spec.pages[*].name';
  expect(await read(spec)).toBe('Hello 1 index');
  const dry = await helm.ok(`upgrade fair ${SITE} -n sites --dry-run=server`);
  expect(dry.replaceAll('"', '')).toContain(
    'deployments: true\n  sites: true\n  unknown: false\n  namespace: sites\n  accounts: 1\n',
  );
  await helm.ok(
    `upgrade fair ${SITE} -n sites --set title=Bye --set pages={index,about} --wait --timeout 20s`,
  );
  expect(await read(spec)).toBe('Bye 1 index about');
  const refused = await helm.run(`upgrade fair ${SITE} -n sites --set title=`);
  expect(refused.stderr).toContain('spec.title in body should be at least 1 chars long');
  await helm.ok('rollback fair 1 -n sites --wait --timeout 20s');
  expect(await read(spec)).toBe('Hello 1 index');
  expect(await helm.ok('get hooks fair -n sites')).toContain('helm.sh/hook: post-rollback');

  const removed = await helm.ok('uninstall fair -n sites --wait --timeout 20s');
  expect(removed).toContain('[Secret] fair-kept');
  const left = await kubectl.ok('get sites,roles,rolebindings,secrets,configmaps -n sites -o name');
  // Hooks stay, as everywhere, until they run again; what succeeded was to go.
  expect(left.trim().split('\n')).toEqual([
    'secret/fair-kept',
    ...['post-delete', 'post-install', 'post-rollback', 'post-upgrade'].map(hook),
    ...['pre-delete', 'pre-install', 'pre-rollback', 'pre-upgrade'].map(hook),
    'configmap/kube-root-ca.crt',
  ]);
  // A definition is nobody's to remove with a chart.
  expect(await kubectl.ok('get crd -o name')).toContain('sites.web.example.com');
});

const hook = (name: string): string => `configmap/fair-${name}`;

it('keeps releases where it is told to, as whom it is told to be', async () => {
  await kubectl.ok('create namespace team');
  await kubectl.ok('create rolebinding dev -n team --clusterrole=admin --user=dev');
  const chart = join(directory, 'team');
  await helm.ok(`create ${chart}`);
  const dev = '--kube-as-user dev';
  const zero = '--set replicaCount=0';
  await helm.ok(`upgrade --install mine ${chart} -n team ${zero} ${dev}`);
  await helm.ok(`upgrade --install mine ${chart} -n team ${zero} ${dev}`);
  expect(await helm.ok(`list -n team ${dev}`)).toMatch(/mine\s+team\s+2\s/);
  expect((await helm.run(`install mine ${chart} ${dev}`)).stderr).toContain(
    'User "dev" cannot get resource "serviceaccounts" in API group "" in the namespace "default"',
  );
  await kubectl.ok('create serviceaccount found-team -n team');
  const found = await helm.run(`install found ${chart} -n team ${zero} ${dev}`);
  expect(found.stderr).toContain('exists and cannot be imported into the current release');
  await helm.ok(`install found ${chart} -n team ${zero} ${dev} --take-ownership --force-conflicts`);
  await kubectl.ok('delete namespace team --timeout=20s');
  expect(await helm.ok('list -A -q')).toBe('');
});
