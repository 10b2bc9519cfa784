import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringifyJson } from '../../lib/json';
import { Kubectl } from './support/kubectl';
import { startServer, type RunningServer } from './support/running-server';

/* Kinds of the API as kubectl uses them, on a whole control plane with its store. */

jest.setTimeout(120_000);

let directory: string;
let server: RunningServer;
let kubectl: Kubectl;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-kinds-'));
  server = await startServer(directory);
  kubectl = await Kubectl.unpack(directory, server.kubeconfig);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

it('gives pods what their RuntimeClass says, and refuses those of none', async () => {
  await kubectl.ok(
    'apply -f -',
    `apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: boxed}
handler: dhow
overhead: {podFixed: {cpu: 250m}}
scheduling: {nodeSelector: {box: "yes"}, tolerations: [{key: box, operator: Exists}]}
`,
  );
  expect(await kubectl.ok('get runtimeclass')).toMatch(/^NAME +HANDLER +AGE\nboxed +dhow +\d+s\n$/);
  const pod = (name: string, runtimeClassName: string) =>
    stringifyJson({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name } },
      spec: { runtimeClassName, containers: [{ name: 'c', image: 'x' }] },
    });
  await kubectl.ok('apply -f -', pod('boxed', 'boxed'));
  const path = '{.spec.overhead.cpu} {.spec.nodeSelector.box} {.spec.tolerations[*].key}';
  expect(await kubectl.ok(`get pod boxed -o jsonpath=${path.replaceAll(' ', '/')}`)).toMatch(
    /^250m\/yes\/.*box$/,
  );
  expect(await kubectl.ok('describe pod boxed')).toMatch(/Runtime Class Name: +boxed/);
  const { code, stderr } = await kubectl.run('create -f -', pod('other', 'gvisor'));
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining('pod rejected: RuntimeClass "gvisor" not found'),
  ]);
});

it('keeps Endpoints and EndpointSlices', async () => {
  const { stderr } = await kubectl.run(
    'apply -f -',
    `apiVersion: v1
kind: Endpoints
metadata: {name: db}
subsets: [{addresses: [{ip: 192.0.2.1}, {ip: 192.0.2.2}], ports: [{port: 5432}]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints: [{addresses: [192.0.2.1], conditions: {ready: true}}]
ports: [{name: pg, port: 5432}]
`,
  );
  expect(stderr).toContain(
    'Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  );
  expect(await kubectl.ok('get ep db --no-headers')).toMatch(
    /^db +192\.0\.2\.1:5432,192\.0\.2\.2:5432 +\d+s\n$/,
  );
  expect(await kubectl.ok('get endpointslices --no-headers')).toMatch(
    /^db-1 +IPv4 +5432 +192\.0\.2\.1 +\d+s\n$/,
  );
  expect(await kubectl.ok('describe endpointslice db-1')).toMatch(/Ready: +true/);
  expect(await kubectl.ok('describe endpoints db')).toContain('192.0.2.1,192.0.2.2');
  expect((await kubectl.run('auth can-i list endpoints --as=a')).code).toBe(1);
  await kubectl.ok('create rolebinding a --clusterrole=view --user=a');
  expect(await kubectl.ok('auth can-i list endpoints --as=a')).toBe('yes\n');
  expect(await kubectl.ok('auth can-i watch endpointslices.discovery.k8s.io --as=a')).toBe('yes\n');
  expect((await kubectl.run('auth can-i create endpoints --as=a')).code).toBe(1);
});

it('shows one event through both groups', async () => {
  const event = (count?: number) =>
    stringifyJson({
      ...{ apiVersion: 'events.k8s.io/v1', kind: 'Event' },
      metadata: { name: 'web.1', namespace: 'default' },
      ...{ eventTime: '2026-01-01T00:00:00.000000Z', reason: 'Drawn', action: 'Drawing' },
      regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'web' },
      ...{ note: 'it was drawn', type: 'Normal' },
      ...{ reportingController: 'example.com/painter', reportingInstance: 'painter-1' },
      ...(count === undefined
        ? {}
        : { series: { count, lastObservedTime: '2026-01-01T00:00:09.000000Z' } }),
    });
  await kubectl.ok('create -f -', event());
  expect(await kubectl.ok('events --for=pod/web')).toMatch(/Normal +Drawn +Pod\/web +it was drawn/);
  await kubectl.ok('replace -f -', event(3));
  expect(await kubectl.ok('events --for=pod/web')).toMatch(/\(x3 over /);
  const [core, views] = await Promise.all(
    ['events', 'events.events.k8s.io'].map((resource) =>
      kubectl.ok(`get ${resource} web.1 --no-headers -o wide`),
    ),
  );
  expect(views?.replace(/\d+\w+/g, '')).toBe(core?.replace(/\d+\w+/g, ''));
  const { stderr } = await kubectl.run('create -f -', event().replace('Normal', 'Odd'));
  expect(stderr).toContain('has invalid value: Odd');
  await kubectl.ok('delete events.events.k8s.io web.1');
  expect((await kubectl.run('get event web.1')).code).toBe(1);
});

it('lets a policy change what kubectl creates', async () => {
  await kubectl.ok(
    'apply -f -',
    `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: team}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
  matchConditions: [{name: painted, expression: "object.metadata.name.startsWith('painted')"}]
  reinvocationPolicy: IfNeeded
  mutations:
    - patchType: ApplyConfiguration
      applyConfiguration:
        expression: 'Object{metadata: Object.metadata{labels: {"team": request.namespace}}}'
    - patchType: JSONPatch
      jsonPatch:
        expression: '[JSONPatch{op: "replace", path: "/spec/replicas", value: object.spec.replicas + 1}]'
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: team}
spec: {policyName: team}
`,
  );
  expect(await kubectl.ok('get mutatingadmissionpolicies')).toMatch(
    /NAME +MUTATIONS +PARAMKIND +AGE\nteam +2 +<unset>/,
  );
  expect(await kubectl.ok('get mutatingadmissionpolicybindings')).toMatch(
    /NAME +POLICYNAME +PARAMREF +AGE\nteam +team +<unset>/,
  );
  await kubectl.ok('create deployment painted --image=x --replicas=2');
  const path = '{.metadata.labels.team}/{.spec.replicas}';
  expect(await kubectl.ok(`get deployment painted -o jsonpath=${path}`)).toBe('default/3');
  await kubectl.ok('create deployment plain --image=x --replicas=2');
  expect(await kubectl.ok(`get deployment plain -o jsonpath=${path}`)).toBe('/2');
  await kubectl.ok('delete mutatingadmissionpolicybinding team');
  await kubectl.ok('create deployment painted2 --image=x --replicas=2');
  expect(await kubectl.ok(`get deployment painted2 -o jsonpath=${path}`)).toBe('/2');
});
