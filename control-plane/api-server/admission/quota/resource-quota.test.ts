import { once } from 'node:events';
import { ApiError } from '../../../../api/errors';
import { PENDING_USAGE } from '../../../../api/quota/pending';
import { MemoryStore } from '../../../store/memory-store';
import { startTestServer, type TestServer } from '../../testing';

const CORE = '/api/v1/namespaces/default';
const QUOTAS = `${CORE}/resourcequotas`;
const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };

/** Its writes of pods fail as they are told to, after what is to come before. */
class FaultyStore extends MemoryStore {
  fault: ApiError | undefined;
  before: (() => Promise<unknown>) | undefined;

  override async create(...args: Parameters<MemoryStore['create']>) {
    if (args[0].resource !== 'pods') return super.create(...args);
    await this.before?.();
    if (this.fault !== undefined) throw this.fault;
    return super.create(...args);
  }
}

let store: FaultyStore;
let server: TestServer;
let servers: TestServer[];

beforeEach(async () => {
  store = new FaultyStore();
  server = await startTestServer({ store });
  servers = [server];
});
afterEach(async () => {
  for (const each of servers) await each[Symbol.asyncDispose]();
});

const quota = async (hard: object, more: object = {}, name = 'q') => {
  const meta = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name } };
  const answer = await server.request('POST', QUOTAS, { ...meta, spec: { hard, ...more } });
  expect(answer.status).toBe(201);
};
const pod = (name: string, resources: object = {}, spec: object = {}) => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name } },
  spec: { containers: [{ name: 'c', image: 'x', resources }], ...spec },
});
const create = (name: string, resources?: object, spec?: object, on = server) =>
  on.request('POST', `${CORE}/pods`, pod(name, resources, spec));
const refusedFor = async (name: string, resources?: object, spec?: object): Promise<string> => {
  const { status, json } = await create(name, resources, spec);
  expect([status, json.reason]).toEqual([403, 'Forbidden']);
  return (json.message as string).replace(`pods "${name}" is forbidden: `, '');
};
const statusOf = async (name = 'q') => (await server.request('GET', `${QUOTAS}/${name}`)).json;
const used = async (name?: string) => (await statusOf(name)).status.used;
const podCount = async () => (await server.request('GET', `${CORE}/pods`)).json.items.length;
const remove = (name: string) => server.request('DELETE', `${CORE}/pods/${name}`);

it('lets in what fits, counts it, and refuses the rest in words that say how much', async () => {
  await quota({ pods: '2', 'requests.cpu': '3' });
  const cpu = (requests: string) => ({ requests: { cpu: requests } });
  expect((await create('a', cpu('1500m'))).status).toBe(201);
  expect(await used()).toEqual({ pods: '1', 'requests.cpu': '1500m' });
  expect(await refusedFor('b', cpu('2'))).toBe(
    'exceeded quota: q, requested: requests.cpu=2, used: requests.cpu=1500m, limited: requests.cpu=3',
  );
  expect((await create('b', cpu('1'))).status).toBe(201);
  expect(await refusedFor('c', cpu('1'))).toBe(
    'exceeded quota: q, requested: pods=1,requests.cpu=1, used: pods=2,requests.cpu=2500m, ' +
      'limited: pods=2,requests.cpu=3',
  );
  expect((await statusOf()).metadata.annotations).toBeUndefined();
});

it('has pods say what it counts of cpu and memory', async () => {
  await quota({ 'limits.cpu': '1', memory: '1Gi', 'requests.ephemeral-storage': '1Gi' });
  const initContainers = [{ name: 'i', image: 'x', resources: { limits: { cpu: '1' } } }];
  expect(await refusedFor('a', {}, { initContainers })).toBe(
    'failed quota: q: must specify limits.cpu for: c; memory for: c,i',
  );
});

it('counts what is there when the quota is made', async () => {
  await create('a');
  await create('b');
  await quota({ pods: '2' });
  expect(await refusedFor('c')).toContain('used: pods=2');
  await server.request('PATCH', `${QUOTAS}/q`, { spec: { hard: { pods: '3' } } }, MERGE);
  expect((await create('c')).status).toBe(201);
});

it('has room again at once for what is deleted, or has ended', async () => {
  await quota({ pods: '1', 'count/pods': '2' });
  await create('a');
  expect(await refusedFor('b')).toContain('exceeded quota');
  await remove('a');
  expect((await create('b')).status).toBe(201);
  const ended = { status: { phase: 'Succeeded' } };
  expect((await server.request('PATCH', `${CORE}/pods/b/status`, ended, MERGE)).status).toBe(200);
  expect((await create('c')).status).toBe(201);
  // What has ended is still there.
  expect(await refusedFor('d')).toContain('requested: count/pods=1,pods=1');
});

it('takes nothing for what is only tried, and judges it all the same', async () => {
  await quota({ pods: '1' });
  const trial = () => server.request('POST', `${CORE}/pods?dryRun=All`, pod('a'));
  expect((await trial()).status).toBe(201);
  expect((await trial()).status).toBe(201);
  await create('b');
  expect((await trial()).status).toBe(403);
});

it('counts what initial containers, sidecars and overhead take as the scheduler does', async () => {
  await quota({ 'requests.cpu': '10' });
  const part = (name: string, cpu: string, more: object = {}) => ({
    ...{ name, image: 'x', resources: { requests: { cpu } }, ...more },
  });
  const initContainers = [part('s', '2', { restartPolicy: 'Always' }), part('i', '3')];
  await create('a', { requests: { cpu: '1' } }, { initContainers });
  expect(await used()).toEqual({ 'requests.cpu': '5' });
});

it('counts exactly beyond what a double holds', async () => {
  await quota({ 'requests.memory': '9007199254740995' });
  await create('a', { requests: { memory: '9007199254740993' } });
  expect(await refusedFor('b', { requests: { memory: '3' } })).toContain('used');
  expect((await create('c', { requests: { memory: '2' } })).status).toBe(201);
});

it('counts hugepages and extended resources by their requests', async () => {
  await quota({ 'requests.example.com/gpu': '1', 'hugepages-2Mi': '4Mi' });
  const limits = { 'example.com/gpu': '1', 'hugepages-2Mi': '4Mi', cpu: '1' };
  expect((await create('a', { limits })).status).toBe(201);
  expect(await refusedFor('b', { limits: { ...limits } })).toContain(
    'requested: hugepages-2Mi=4Mi,requests.example.com/gpu=1',
  );
});

const AFFINITY = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: 'zone', namespaces: ['other'], labelSelector: { matchLabels: { a: 'b' } } },
    ],
  },
};
const CPU = { requests: { cpu: '1' } };

it.each<[string, object, [object, object], [object, object]]>([
  ['Terminating', {}, [{}, { activeDeadlineSeconds: 5 }], [{}, {}]],
  ['NotTerminating', {}, [{}, {}], [{}, { activeDeadlineSeconds: 5 }]],
  ['BestEffort', {}, [{}, {}], [CPU, {}]],
  ['NotBestEffort', {}, [CPU, {}], [{}, {}]],
  ['CrossNamespacePodAffinity', {}, [{}, { affinity: AFFINITY }], [{}, {}]],
  ['PriorityClass', { operator: 'Exists' }, [{}, { priorityClassName: 'high' }], [{}, {}]],
  [
    'PriorityClass',
    { operator: 'In', values: ['high'] },
    [{}, { priorityClassName: 'high' }],
    [{}, { priorityClassName: 'low' }],
  ],
  [
    'PriorityClass',
    { operator: 'NotIn', values: ['high'] },
    [{}, { priorityClassName: 'low' }],
    [{}, { priorityClassName: 'high' }],
  ],
  ['PriorityClass', { operator: 'DoesNotExist' }, [{}, {}], [{}, { priorityClassName: 'low' }]],
])('bounds only what is within the scope %s %j', async (scopeName, more, within, without) => {
  for (const [name, value] of [
    ['high', 2],
    ['low', 1],
  ] as const)
    await server.request('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', {
      ...{ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass' },
      ...{ metadata: { name }, value },
    });
  const requirement = { scopeName, operator: 'Exists', ...more };
  await quota({ pods: '0' }, { scopeSelector: { matchExpressions: [requirement] } });
  expect(await refusedFor('a', ...within)).toContain('exceeded quota: q');
  expect((await create('b', ...without)).status).toBe(201);
});

it('counts a pod that an update brings within its scope', async () => {
  await quota({ pods: '0' }, { scopes: ['Terminating'] });
  await create('a');
  const change = { spec: { activeDeadlineSeconds: 5 } };
  const { json } = await server.request('PATCH', `${CORE}/pods/a`, change, MERGE);
  expect(json.message).toContain('exceeded quota: q, requested: pods=1, used: pods=0');
});

it.each([
  ['configmaps', 'configmaps', 'ConfigMap', CORE, 'v1', {}],
  ['count/configmaps', 'configmaps', 'ConfigMap', CORE, 'v1', {}],
  ['secrets', 'secrets', 'Secret', CORE, 'v1', {}],
  ['resourcequotas', 'resourcequotas', 'ResourceQuota', CORE, 'v1', {}],
  [
    ...(['count/leases.coordination.k8s.io', 'leases', 'Lease'] as const),
    ...(['/apis/coordination.k8s.io/v1/namespaces/default', 'coordination.k8s.io/v1', {}] as const),
  ],
])('counts objects by %s', async (name, plural, kind, base, apiVersion, more) => {
  const present = (await server.request('GET', `${base}/${plural}`)).json.items.length as number;
  const own = kind === 'ResourceQuota' ? 1 : 0;
  const hard = present + own + 1;
  await quota({ [name]: String(hard) });
  const make = (each: string) =>
    server.request('POST', `${base}/${plural}`, {
      ...{ apiVersion, kind, metadata: { name: each }, ...more },
    });
  const answers = await Promise.all(['x', 'y', 'z'].map(make));
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 403, 403]);
  const refused = answers.find(({ status }) => status === 403);
  expect(refused?.json.message).toContain(
    `exceeded quota: q, requested: ${name}=1, used: ${name}=${hard}, limited: ${name}=${hard}`,
  );
});

it('counts claims, all and by class, and what they grow by', async () => {
  const gold = 'gold.storageclass.storage.k8s.io';
  await quota({
    ...{ persistentvolumeclaims: '2', 'requests.storage': '5Gi' },
    ...{ [`${gold}/persistentvolumeclaims`]: '1', [`${gold}/requests.storage`]: '3Gi' },
  });
  const path = `${CORE}/persistentvolumeclaims`;
  const claim = (name: string, storageClassName: string, storage: string) =>
    server.request('POST', path, {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name } },
      spec: {
        ...{ accessModes: ['ReadWriteOnce'], storageClassName },
        resources: { requests: { storage } },
      },
    });
  await server.request('POST', '/apis/storage.k8s.io/v1/storageclasses', {
    ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'gold' } },
    ...{ provisioner: 'example.com/disk', allowVolumeExpansion: true },
  });
  expect((await claim('a', 'gold', '2Gi')).status).toBe(201);
  expect((await claim('b', 'gold', '1Gi')).json.message).toContain(
    `requested: ${gold}/persistentvolumeclaims=1, used: ${gold}/persistentvolumeclaims=1`,
  );
  expect((await claim('b', 'iron', '4Gi')).json.message).toContain(
    'requested: requests.storage=4Gi, used: requests.storage=2Gi, limited: requests.storage=5Gi',
  );
  expect((await claim('b', 'iron', '2Gi')).status).toBe(201);
  await server.request('PATCH', `${path}/a/status`, { status: { phase: 'Bound' } }, MERGE);
  const grow = (storage: string) =>
    server.request('PATCH', `${path}/a`, { spec: { resources: { requests: { storage } } } }, MERGE);
  expect((await grow('4Gi')).json.message).toContain('exceeded quota: q');
  expect((await grow('3Gi')).status).toBe(200);
  expect((await used())['requests.storage']).toBe('5Gi');
});

it('counts services by what they take of the outside', async () => {
  await quota({ services: '4', 'services.nodeports': '3', 'services.loadbalancers': '1' });
  const path = `${CORE}/services`;
  const make = (name: string, spec: object) =>
    server.request('POST', path, {
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
      spec: { ports: [{ port: 80 }], ...spec },
    });
  expect((await make('a', {})).status).toBe(201);
  expect((await make('b', { type: 'LoadBalancer' })).status).toBe(201);
  expect((await make('c', { type: 'LoadBalancer' })).json.message).toContain(
    'requested: services.loadbalancers=1, used: services.loadbalancers=1',
  );
  const three = [1, 2, 3].map((port) => ({ name: `p${port}`, port }));
  expect((await make('c', { type: 'NodePort', ports: three })).json.message).toContain(
    'requested: services.nodeports=3, used: services.nodeports=1, limited: services.nodeports=3',
  );
  const outside = { spec: { type: 'NodePort' } };
  expect((await server.request('PATCH', `${path}/a`, outside, MERGE)).status).toBe(200);
  expect(await used()).toEqual({
    ...{ services: '2', 'services.nodeports': '2', 'services.loadbalancers': '1' },
  });
});

describe('beside many writers', () => {
  it.each([1, 2, 3])('fills quotas exactly, by %i servers at once', async (serverCount) => {
    while (servers.length < serverCount) servers.push(await startTestServer({ store }));
    await quota({ pods: '7' });
    await quota({ pods: '50', 'requests.cpu': '2500m' }, {}, 'r');
    for (const each of servers) await each.request('GET', QUOTAS);
    const names = Array.from({ length: 60 }, (_, i) => `p${i}`);
    const answers = await Promise.all(
      names.map((name, i) =>
        create(name, { requests: { cpu: '500m' } }, {}, servers[i % serverCount]),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(5);
    expect(await podCount()).toBe(5);
    expect(await used('r')).toEqual({ pods: '5', 'requests.cpu': '2500m' });
    expect(await used()).toEqual({ pods: '5' });
    expect((await statusOf()).metadata.annotations).toBeUndefined();
  });

  it('never lets in too many nor refuses one too many, while others come and go', async () => {
    await quota({ pods: '5' });
    let most = 0;
    const churn = async (worker: number) => {
      for (let round = 0; round < 12; round++) {
        const name = `p${worker}-${round}`;
        const { status } = await create(name);
        most = Math.max(most, await podCount());
        if (status === 201) await remove(name);
      }
    };
    await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(churn));
    expect(most).toBeLessThanOrEqual(5);
    // All have gone: as many as ever fit again.
    const last = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => create(name)));
    expect(last.filter(({ status }) => status === 201)).toHaveLength(5);
  });

  it('refuses nobody for a write that fails', async () => {
    await quota({ pods: '1' });
    const gate = new AbortController();
    const begun = new AbortController();
    store.before = async () => {
      begun.abort();
      store.before = undefined;
      await once(gate.signal, 'abort');
      throw new ApiError('InsufficientStorage', 'full');
    };
    const first = create('a');
    await once(begun.signal, 'abort');
    const second = create('b');
    // The second waits for what becomes of the first.
    await server.request('GET', QUOTAS);
    gate.abort();
    expect((await first).status).toBe(507);
    expect((await second).status).toBe(201);
    expect(await used()).toEqual({ pods: '1' });
  });

  it('keeps what nobody knows of until it is found, or its time is over', async () => {
    await quota({ pods: '1' });
    store.fault = new ApiError('Timeout', 'no answer');
    await create('a');
    store.fault = undefined;
    expect((await statusOf()).metadata.annotations[PENDING_USAGE]).toContain('"pods":"1"');
    expect(await refusedFor('b')).toContain('exceeded quota');
    await server.clock.advance(61_000);
    expect((await create('b')).status).toBe(201);
  });

  it('gives back what the first quota gave when the second refuses', async () => {
    await quota({ pods: '5' }, {}, 'a');
    await quota({ pods: '0' }, {}, 'b');
    expect(await refusedFor('x')).toContain('exceeded quota: b');
    expect(await used('a')).toEqual({ pods: '0' });
  });
});

it('keeps its notes to itself', async () => {
  const metadata = { name: 'q', annotations: { [PENDING_USAGE]: '[]', a: 'b' } };
  const body = { apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard: { pods: '1' } } };
  const { json } = await server.request('POST', QUOTAS, body);
  expect(json.metadata.annotations).toEqual({ a: 'b' });
});

it('names no more resources than each write can look at', async () => {
  const hard = Object.fromEntries(
    Array.from({ length: 501 }, (_none, i) => [`count/k${i}s.example.com`, '1']),
  );
  const body = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' }, spec: { hard } };
  const { status, json } = await server.request('POST', QUOTAS, body);
  expect([status, json.message]).toEqual([
    422,
    'ResourceQuota "q" is invalid: spec.hard: Too many: 501: must have at most 500 items',
  ]);
});
