import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-options', { nodes: 1 });

const directory = mkdtempSync(join(tmpdir(), 'dhow-options-'));

afterEach(() => cluster.clear());
afterAll(() => rmSync(directory, { recursive: true }));

const file = (name: string, content: string): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};

/** The same words for both, and the same answer. */
const same = async (...words: string[]) => {
  const [ours, theirs] = [await cluster.dhow(...words), await cluster.kubectl(...words)];
  expect({ words, ...ours }).toEqual({ words, ...theirs });
  return ours.stdout;
};

const MAP = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {b: "2", a: "1"}
`;

it('takes where and as whom before the command', async () => {
  expect(await same('-n', 'kube-system', 'get', 'sa', 'default', '-o', 'name')).toBe(
    'serviceaccount/default\n',
  );
  await same('--namespace=kube-system', 'get', 'sa', 'nosuch');
  await same('--as', 'bob', 'get', 'pods');
  expect((await cluster.dhow('get', 'pods', '--as=bob')).stderr).toContain(
    'User "bob" cannot list resource "pods"',
  );
  expect(
    await same('auth', 'whoami', '--as=bob', '--as-group=a', '--as-group=b', '--as-uid=7'),
  ).toMatch(/Username +bob\nUID +7\nGroups +\[a b system:authenticated\]/);
  expect((await cluster.dhow('get', 'pods', '--as-group=a')).stderr).toContain('add --as USER');
});

const DESCRIBED = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default, labels: {b: "2", a: "1"}, annotations: {note: "two\\nlines"}}
data: {file.conf: "x = 1\\ny = 2\\n", a: "1", empty: ""}
binaryData: {bin: AAECAw==}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: nothing, namespace: default}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: default}
stringData: {user: admin, a-longer-name: hush}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: e2e-described}
rules:
  - {apiGroups: ["", apps], resources: [pods, deployments/scale], verbs: [get, list]}
  - {apiGroups: [apps], resources: [deployments/scale], verbs: [patch]}
  - {apiGroups: [""], resources: [secrets], resourceNames: [b, a], verbs: [get]}
  - {apiGroups: ["*"], resources: ["*"], verbs: ["*"]}
  - {nonResourceURLs: [/healthz, /metrics], verbs: [get, post]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: bound, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: e2e-described}
subjects:
  - {kind: User, name: dev, apiGroup: rbac.authorization.k8s.io}
  - {kind: ServiceAccount, name: bot, namespace: default}
---
apiVersion: v1
kind: Namespace
metadata: {name: e2e-described}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: q, namespace: e2e-described}
spec: {hard: {pods: "2", requests.cpu: "1"}, scopes: [NotTerminating]}
---
apiVersion: v1
kind: LimitRange
metadata: {name: l, namespace: e2e-described}
spec: {limits: [{type: Container, max: {cpu: "2"}, default: {memory: 64Mi}}]}
`;

/** The same but for what nobody sees at the ends of lines. */
const alike = async (...words: string[]) => {
  const seen = (text: string) => text.replace(/ +$/gm, '');
  const [ours, theirs] = [await cluster.dhow(...words), await cluster.kubectl(...words)];
  expect({ words, text: seen(ours.stdout) }).toEqual({ words, text: seen(theirs.stdout) });
};

it('describes as kubectl does', async () => {
  await cluster.apply(DESCRIBED);
  try {
    for (const map of ['settings', 'nothing']) await alike('describe', 'cm', map);
    await alike('describe', 'secret', 'keys');
    for (const role of ['e2e-described', 'view', 'cluster-admin', 'system:discovery'])
      await alike('describe', 'clusterrole', role);
    await alike('describe', 'rolebinding', 'bound');
    await alike('describe', 'clusterrolebinding', 'cluster-admin');
    for (const namespace of ['default', 'e2e-described']) await alike('describe', 'ns', namespace);
  } finally {
    await cluster.must('delete', 'ns/e2e-described', 'clusterrole/e2e-described');
  }
});

it('tries a deletion', async () => {
  await cluster.apply(MAP);
  for (const mode of ['client', 'server']) {
    expect(await same('delete', 'cm', 'settings', `--dry-run=${mode}`)).toMatch(/dry run\)\n$/);
    await same('delete', 'cm', 'settings', `--dry-run=${mode}`, '-o', 'name');
  }
  await same('delete', 'cm/settings', 'cm/nosuch', '--dry-run=server');
  // kubectl does not ask here.
  const unasked = await cluster.dhow('delete', 'cm', 'nosuch', '--dry-run=client');
  expect(unasked.stderr).toBe('Error from server (NotFound): configmaps "nosuch" not found\n');
  await same('get', 'cm', 'settings', '-o', 'name');
});

it('shows the objects of files, with who set which field, in the order of their names', async () => {
  await cluster.apply(MAP);
  const map = file('map.yaml', MAP);
  expect(await same('get', '-f', map, '-o', 'name')).toBe('configmap/settings\n');
  for (const format of ['json', 'yaml']) {
    await same('get', '-f', map, '-o', format);
    await same('get', 'cm', '-o', format);
    expect(await same('get', 'cm', 'settings', '-o', format, '--show-managed-fields')).toContain(
      'managedFields',
    );
  }
});

it('replaces an object of a kind that is not written without a version', async () => {
  await cluster.apply(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gears.options.example.com}
spec:
  group: options.example.com
  scope: Namespaced
  names: {plural: gears, kind: Gear}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {size: {type: integer}}}}
`);
  await cluster.must('wait', 'crd/gears.options.example.com', '--for=condition=Established');
  const gear = (size: number) =>
    `{apiVersion: options.example.com/v1, kind: Gear, metadata: {name: g}, size: ${size}}`;
  await cluster.apply(gear(1));
  expect(await same('replace', '-f', file('gear.yaml', gear(2)))).toBe(
    'gear.options.example.com/g replaced\n',
  );
  expect(await cluster.must('get', 'gear', 'g', '-o', 'jsonpath={.size}')).toBe('2');
  const all = await cluster.dhow('delete', 'all', '-l', 'none=x');
  expect(all).toEqual({ code: 0, stdout: 'No resources found\n', stderr: '' });
  await cluster.must('delete', 'crd', 'gears.options.example.com');
});

it('sets accounts, selectors and subjects', async () => {
  const create = [
    ['deploy', 'web', '--image=nginx', '--replicas=0'],
    ['cronjob', 'cj', '--image=nginx', '--schedule=0 0 1 1 *'],
    ['svc', 'clusterip', 'web', '--tcp=80'],
    ['rolebinding', 'rb', '--role=r', '--user=a'],
    ['sa', 'bot'],
  ];
  for (const words of create) await cluster.must('create', ...words);
  for (const target of ['deploy/web', 'cronjob/cj'])
    await same('set', 'serviceaccount', target, 'bot', '-o', 'jsonpath={..serviceAccountName}');
  await same('set', 'serviceaccount', 'deploy', 'web', 'bot', '--dry-run=server', '-o', 'name');
  expect((await cluster.dhow('set', 'sa', 'svc/web', 'bot')).stderr).toContain('has no pods');
  const selector = ['set', 'selector', 'svc', 'web', 'a=1,b=2', '-o', 'jsonpath={.spec.selector}'];
  expect(await same(...selector)).toBe('{"a":"1","b":"2"}');
  expect((await cluster.dhow('set', 'selector', 'deploy', 'web', 'a=b')).stderr).toBe(
    'error: setting a selector is only supported for Services\n',
  );
  const all = ['--user=b', '--group=g', '--serviceaccount=default:bot'];
  expect(await cluster.must('set', 'subject', 'rolebinding', 'rb', ...all)).toBe(
    'rolebinding.rbac.authorization.k8s.io/rb subjects updated\n',
  );
  await same('get', 'rolebinding', 'rb', '-o', 'jsonpath={.subjects}');
  expect(await cluster.must('get', 'rolebinding', 'rb', '-o', 'jsonpath={.subjects[*].name}')).toBe(
    'a b g bot',
  );
  for (const name of ['web', 'nosuch']) await same('rollout', 'history', `deploy/${name}`);
  await same('rollout', 'history', 'deploy');
  await same('run', 'BAD_', '--image=a');
  await same('cp', 'a', 'b');
  await same('cp', 'web:/a', 'web:/b');
  await same('patch', 'svc', 'web', '--type=json', '-p', '[{"op":"remove","path":"/x/y"}]');
  for (const [kind, name] of [
    ['rolebinding', 'rb'],
    ['sa', 'bot'],
    ['cronjob', 'cj'],
  ])
    await cluster.must('delete', `${kind}/${name}`);
});

it('knows kinds in every version that is served', async () => {
  const hpa = (max: number) => `apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: default}
spec: {maxReplicas: ${max}, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
`;
  expect(await cluster.apply(hpa(3))).toBe('horizontalpodautoscaler.autoscaling/web created\n');
  expect(await cluster.apply(hpa(4))).toBe('horizontalpodautoscaler.autoscaling/web configured\n');
  const path = file('hpa.yaml', hpa(4));
  const shown = ['-o', 'jsonpath={.apiVersion} {.spec.maxReplicas}'];
  expect(await same('get', '-f', path, ...shown)).toBe('autoscaling/v1 4');
  expect(await same('get', 'hpa', 'web', ...shown)).toBe('autoscaling/v2 4');
  await same('get', 'horizontalpodautoscalers.v1.autoscaling', 'web', ...shown);
  expect((await cluster.dhow('get', 'deployments.v9.apps')).stderr).toContain('resource type');
  await same('label', 'a=b', '-f', path, '-o', 'name');
  await same('label', '-f', path, 'b=c', '-o', 'name');
  for (const words of [['annotate'], ['label', '--overwrite']])
    await same(...words, 'c=d', '-f', path, '-o', 'name');
  await cluster.must('apply', '-f', path);
  await same('apply', '-f', path, '-o', 'yaml');
  await same('diff', '-f', path);
  expect(await cluster.must('delete', '-f', path)).toContain('"web" deleted');
});
