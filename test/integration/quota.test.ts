import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasReason } from '../../api/errors';
import { PODS, RESOURCE_QUOTAS } from '../../api/resources';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { eventually } from './support/agent-plane';
import { Kubectl } from './support/kubectl';
import { startServer, type RunningServer } from './support/running-server';

jest.setTimeout(120_000);

let directory: string;
let server: RunningServer;
let client: RestClient;
let kubectl: Kubectl;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-quota-'));
  server = await startServer(directory);
  client = new RestClient(await readKubeconfig(server.kubeconfig));
  kubectl = await Kubectl.unpack(directory, server.kubeconfig);
  await kubectl.ok('create namespace team-a');
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const pod = (name: string, cpu: string, namespace = 'team-a') => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace } },
  spec: { containers: [{ name: 'c', image: 'x', resources: { requests: { cpu } } }] },
});
const refusal = async (args: string, input?: string): Promise<string> => {
  const { code, stderr } = await kubectl.run(args, input);
  expect(code).toBe(1);
  return stderr;
};
const usedBy = async (name: string, namespace = 'team-a') =>
  (await client.get(RESOURCE_QUOTAS, { namespace, name })).status?.used;

it('looks to kubectl as upstream does', async () => {
  expect(await kubectl.ok('create quota q -n team-a --hard=pods=2,cpu=1')).toBe(
    'resourcequota/q created\n',
  );
  await eventually(async () => (await usedBy('q')) !== undefined);
  expect(await kubectl.ok('describe quota q -n team-a')).toBe(
    [
      'Name:       q',
      'Namespace:  team-a',
      'Resource    Used  Hard',
      '--------    ----  ----',
      'cpu         0     1',
      'pods        0     2',
      '',
    ].join('\n'),
  );
  expect(await kubectl.ok('get quota -A')).toMatch(
    /^NAMESPACE +NAME +REQUEST +LIMIT +AGE\nteam-a +q +cpu: 0\/1, pods: 0\/2 +\d+s\n$/,
  );
  expect(await refusal('run q1 -n team-a --image=x')).toBe(
    'Error from server (Forbidden): pods "q1" is forbidden: failed quota: q: must specify cpu for: q1\n',
  );
  expect(await refusal('create -n team-a -f -', JSON.stringify(pod('q2', '2')))).toContain(
    'pods "q2" is forbidden: exceeded quota: q, requested: cpu=2, used: cpu=0, limited: cpu=1',
  );
});

it('counts what a pod is resized to before it is', async () => {
  await kubectl.ok('create namespace team-r');
  await kubectl.ok('create quota q -n team-r --hard=cpu=1');
  await eventually(async () => (await usedBy('q', 'team-r')) !== undefined);
  await kubectl.ok('create -n team-r -f -', JSON.stringify(pod('r1', '400m', 'team-r')));
  const resize = (cpu: string) =>
    `patch pod r1 -n team-r --subresource resize -p {"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"${cpu}"}}}]}}`;
  expect(await refusal(resize('1100m'))).toContain(
    'pods "r1" is forbidden: exceeded quota: q, requested: cpu=700m, used: cpu=400m, limited: cpu=1',
  );
  await kubectl.ok(resize('900m'));
  expect((await usedBy('q', 'team-r'))?.['cpu']).toBe('900m');
  await kubectl.ok(resize('100m'));
  await eventually(async () => (await usedBy('q', 'team-r'))?.['cpu'] === '100m');
});

const create = async (name: string, cpu: string, namespace: string): Promise<boolean> => {
  try {
    await client.create(PODS, pod(name, cpu, namespace));
    return true;
  } catch (error) {
    if (!hasReason(error, 'Forbidden')) throw error;
    return false;
  }
};

it('is filled exactly by many at once, again and again', async () => {
  const namespace = 'crowd';
  await kubectl.ok(`create namespace ${namespace}`);
  await kubectl.ok(`create quota q -n ${namespace} --hard=pods=20,requests.cpu=3`);
  for (let round = 0; round < 3; round++) {
    const names = Array.from({ length: 60 }, (_, i) => `p${round}-${i}`);
    const made = await Promise.all(names.map((name) => create(name, '250m', namespace)));
    expect(made.filter(Boolean)).toHaveLength(12);
    expect((await client.list(PODS, { namespace })).items).toHaveLength(12);
    expect(await usedBy('q', namespace)).toEqual({ pods: '12', 'requests.cpu': '3' });
    const gone = names.filter((_, i) => made[i] === true);
    await Promise.all(
      gone.map((name) => client.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0 })),
    );
  }
  await eventually(async () => (await usedBy('q', namespace))?.['pods'] === '0');
  expect(await kubectl.ok(`get quota q -n ${namespace} -o jsonpath={.metadata.annotations}`)).toBe(
    '',
  );
});

const RANGE = `apiVersion: v1
kind: LimitRange
metadata: {name: lr}
spec: {limits: [{type: Container, default: {cpu: 200m}, defaultRequest: {cpu: 50m}, max: {cpu: 1}}]}
`;

it('has limit ranges that kubectl describes, and that hold at once', async () => {
  expect(await kubectl.ok('apply -f -', RANGE)).toBe('limitrange/lr created\n');
  expect(await kubectl.ok('describe limits lr')).toBe(
    [
      'Name:       lr',
      'Namespace:  default',
      'Type        Resource  Min  Max  Default Request  Default Limit  Max Limit/Request Ratio',
      '----        --------  ---  ---  ---------------  -------------  -----------------------',
      'Container   cpu       -    1    50m              200m           -',
      '',
    ].join('\n'),
  );
  await kubectl.ok('run a --image=x');
  expect(await kubectl.ok('get pod a -o jsonpath={.spec.containers[0].resources}')).toBe(
    '{"limits":{"cpu":"200m"},"requests":{"cpu":"50m"}}',
  );
  expect(await kubectl.ok('get limits')).toMatch(/^NAME +CREATED AT\nlr +\d{4}-/);
  const big = { ...pod('b', '2', 'default') };
  expect(await refusal('create -f -', JSON.stringify(big))).toContain('is invalid');
});

it('lets a deployment go on once there is room', async () => {
  await kubectl.ok('create namespace team-b');
  await kubectl.ok('create quota q -n team-b --hard=count/pods=2');
  await kubectl.ok('create deployment web -n team-b --image=x --replicas=3');
  await eventually(async () =>
    (await kubectl.ok('get events -n team-b')).includes('exceeded quota: q'),
  );
  expect((await client.list(PODS, { namespace: 'team-b' })).items).toHaveLength(2);
  await kubectl.ok('patch quota q -n team-b -p {"spec":{"hard":{"count/pods":"3"}}}');
  await eventually(
    async () => (await client.list(PODS, { namespace: 'team-b' })).items.length === 3,
    60_000,
  );
});
