import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

const GROUP = '/apis/networking.dhow.dev/v1';
const PATH = `${GROUP}/namespaces/default/connectionreviews`;
const DEV = { name: 'dev', groups: ['system:authenticated'] };
const REVIEW = { apiVersion: 'networking.dhow.dev/v1', kind: 'ConnectionReview' };

const pod = async (
  name: string,
  {
    ip = '',
    six = '',
    app = name,
    ready = true,
    namespace = 'default',
    port = 8080,
    hostNetwork = false,
    nodeName = 'n1',
  } = {},
) => {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const ports = [{ name: 'http', containerPort: port }];
  const spec = { nodeName, hostNetwork, containers: [{ name: 'c', image: 'web:1', ports }] };
  const metadata = { name, labels: { app } };
  await created(path, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
  if (ip === '') return;
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
  const status = {
    phase: 'Running',
    podIP: ip,
    podIPs: six === '' ? [{ ip }] : [{ ip }, { ip: six }],
    conditions,
  };
  const patch = { status };
  const options = { headers: { 'content-type': 'application/merge-patch+json' } };
  const answer = await server.request('PATCH', `${path}/${name}/status`, patch, options);
  expect(answer.status).toBe(200);
};

const created = async (path: string, body: object) => {
  const { status, json } = await server.request('POST', path, body);
  if (status !== 201) throw new Error(JSON.stringify(json));
};

const policy = (name: string, spec: object, namespace = 'default') =>
  created(`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name },
    spec,
  });

const review = (from: object, to: object, more: object = {}, user?: typeof DEV) =>
  server.request(
    'POST',
    PATH,
    { ...REVIEW, spec: { from, to, ...more } },
    user === undefined ? {} : { user },
  );

const answerOf = async (from: object, to: object, more: object = {}) => {
  const { status, json } = await review(from, to, more);
  expect(status).toBe(201);
  return json.status as Record<string, unknown>;
};

const service = (name: string, spec: object) =>
  created('/api/v1/namespaces/default/services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec,
  });

const node = (name: string, address: string) =>
  created('/api/v1/nodes', {
    ...{ apiVersion: 'v1', kind: 'Node', metadata: { name } },
    status: { addresses: [{ type: 'InternalIP', address }] },
  });

const UDP = { protocol: 'UDP' };

const slice = (name: string, port: object, endpoints: readonly object[]) =>
  created('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [port],
    endpoints,
  });

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

it('says that nothing stands in the way where no policy does', async () => {
  await pod('client', { ip: '10.42.1.2' });
  await pod('web', { ip: '10.42.1.3' });
  const open = { isAllowed: true, because: 'NotIsolated' };
  expect(await answerOf({ pod: 'client' }, { pod: 'web', port: 8080 })).toEqual({
    reachable: true,
    attempts: [
      {
        ...{ pod: 'default/web', address: '10.42.1.3', port: 8080, protocol: 'TCP' },
        ...{ reachable: true, egress: open, ingress: open },
      },
    ],
    problems: [],
    notes: [],
  });
});

it('names the policies that keep a connection out, and the rule that lets one in', async () => {
  await pod('client', { ip: '10.42.1.2' });
  await pod('web', { ip: '10.42.1.3' });
  await policy('deny', { podSelector: {} });
  await policy('web', {
    podSelector: { matchLabels: { app: 'web' } },
    ingress: [
      { from: [{ podSelector: { matchLabels: { app: 'client' } } }], ports: [{ port: 'http' }] },
    ],
  });
  expect(await answerOf({ pod: 'client' }, { pod: 'web', port: 'http' })).toMatchObject({
    reachable: true,
    attempts: [{ ingress: { because: 'Rule', policy: 'default/web', rule: 0 } }],
  });
  expect(await answerOf({ pod: 'client' }, { pod: 'web', port: 81 })).toMatchObject({
    reachable: false,
    attempts: [
      {
        reachable: false,
        ingress: {
          because: 'NoRule',
          policies: [
            { policy: 'default/deny', rules: [] },
            { policy: 'default/web', rules: [{ peer: true, port: false }] },
          ],
        },
      },
    ],
    notes: [expect.stringContaining('declares port 81/TCP')],
  });
  expect(
    await answerOf({ address: '203.0.113.1' }, { address: '10.42.1.3', port: 8080 }),
  ).toMatchObject({
    reachable: false,
    attempts: [{ pod: 'default/web', ingress: { because: 'NoRule' } }],
  });
});

it('goes through a service, and says what keeps it from having endpoints', async () => {
  await pod('client', { ip: '10.42.1.2' });
  const to = { service: 'web', port: 80 };
  const ports = [{ name: 'main', port: 80, targetPort: 'http' }];
  await service('web', { selector: { app: 'web' }, ports });
  const problem = async () => (await answerOf({ pod: 'client' }, to))['problems'];
  expect(await problem()).toEqual([
    'service default/web has no ready endpoint for port 80: no pod matches its selector app=web',
  ]);
  await pod('web-1', { app: 'web', ip: '10.42.1.3', ready: false });
  expect(await problem()).toEqual([
    'service default/web has no ready endpoint for port 80: none of its pods is ready: web-1 (Running)',
  ]);
  const other = await answerOf({ pod: 'client' }, { service: 'web', port: 81 });
  expect(other['problems']).toEqual(['service default/web has no port 81: it has 80/TCP (main)']);
  await slice('web', { name: 'main', port: 8080, protocol: 'TCP' }, [
    { addresses: ['10.42.1.3'], conditions: { ready: true } },
    { addresses: ['10.42.1.9'], conditions: { ready: false } },
  ]);
  await policy('deny', { podSelector: { matchLabels: { app: 'web' } } });
  expect(await answerOf({ pod: 'client' }, to)).toMatchObject({
    reachable: false,
    attempts: [{ pod: 'default/web-1', port: 8080, ingress: { because: 'NoRule' } }],
    problems: [],
  });
});

describe('a service without an address of its own', () => {
  const ask = (port: number) => answerOf({ pod: 'client' }, { service: 'web', port });

  beforeEach(async () => {
    await pod('client', { ip: '10.42.1.2' });
    await pod('web-1', { app: 'web', ip: '10.42.1.3' });
    const ports = [{ name: 'main', port: 80, targetPort: 8080 }];
    await service('web', { clusterIP: 'None', selector: { app: 'web' }, ports });
  });

  it('leads to its pods as they are: no port is translated', async () => {
    expect(await ask(8080)).toMatchObject({
      problems: ['service default/web has no ready endpoint: its EndpointSlices have none yet'],
    });
    await slice('web', { name: 'main', port: 8080, protocol: 'TCP' }, [
      { addresses: ['10.42.1.3'], conditions: { ready: true } },
    ]);
    expect(await ask(80)).toMatchObject({
      ...{ reachable: false, attempts: [] },
      problems: [
        'service default/web is headless: nobody translates its port 80, and its pods listen at 8080',
      ],
    });
    for (const port of [8080, 9090])
      expect(await ask(port)).toMatchObject({
        ...{ reachable: true, problems: [] },
        attempts: [{ pod: 'default/web-1', address: '10.42.1.3', port }],
      });
    const byName = await answerOf({ pod: 'client' }, { service: 'web', port: 'main' });
    expect(byName).toMatchObject({ reachable: true, attempts: [{ port: 8080 }] });
  });

  it('or stands for a name elsewhere', async () => {
    await service('away', { type: 'ExternalName', externalName: 'db.example.com' });
    expect(await answerOf({ pod: 'client' }, { service: 'away', port: 5432 })).toEqual({
      ...{ reachable: false, attempts: [], notes: [] },
      problems: ['service default/away is a name for db.example.com, outside the cluster'],
    });
  });
});

it('follows a port of a node to the pods behind it', async () => {
  await pod('client', { ip: '10.42.1.2' });
  await pod('web-1', { app: 'web', ip: '10.42.1.3' });
  await node('n1', '192.0.2.1');
  const ports = [{ name: 'main', port: 80, targetPort: 8080, nodePort: 30_080 }];
  await service('web', { type: 'NodePort', selector: { app: 'web' }, ports });
  const through = () => answerOf({ pod: 'client' }, { address: '192.0.2.1', port: 30_080 });
  expect(await through()).toMatchObject({
    reachable: false,
    problems: [
      'service default/web has no ready endpoint for port 80: its EndpointSlices have none yet',
    ],
  });
  await slice('web', { name: 'main', port: 8080, protocol: 'TCP' }, [
    { addresses: ['10.42.1.3'], conditions: { ready: true } },
  ]);
  await policy('deny', { podSelector: { matchLabels: { app: 'web' } } });
  expect(await through()).toMatchObject({
    reachable: false,
    attempts: [{ pod: 'default/web-1', port: 8080, ingress: { because: 'NoRule' } }],
    notes: ['port 30080 of node n1 leads to service default/web, port 80'],
  });
  // Of another protocol, and elsewhere, it is nobody's.
  const own = await answerOf({ pod: 'client' }, { address: '192.0.2.1', port: 30_080 }, UDP);
  expect(own).toMatchObject({ attempts: [{ address: '192.0.2.1', port: 30_080 }], notes: [] });
});

it('asks for a pod on the network of its node by that address', async () => {
  await pod('web', { ip: '10.42.1.3' });
  await node('n1', '192.0.2.1');
  await node('n2', '192.0.2.2');
  await pod('far', { ip: '192.0.2.2', hostNetwork: true, nodeName: 'n2' });
  await pod('near', { ip: '192.0.2.1', hostNetwork: true });
  await policy('deny', { podSelector: {} });
  const from = (name: string) => answerOf({ pod: name }, { pod: 'web', port: 8080 });
  expect(await from('far')).toMatchObject({
    ...{ reachable: false },
    attempts: [{ egress: { because: 'Exempt' }, ingress: { because: 'NoRule' } }],
  });
  expect(await from('near')).toMatchObject({
    ...{ reachable: true },
    attempts: [{ egress: { because: 'Exempt' }, ingress: { because: 'OwnNode' } }],
  });
});

it('says of an end without an address why it has none', async () => {
  await pod('client');
  await pod('web', { ip: '10.42.1.3' });
  expect(await answerOf({ pod: 'client' }, { pod: 'web', port: 8080 })).toEqual({
    reachable: false,
    attempts: [],
    problems: ['pod default/client has no address yet: it is Pending'],
    notes: [],
  });
});

it('refuses what makes no sense, and what is not there', async () => {
  const { status, json } = await review({}, { pod: 'a', address: 'x' }, { protocol: 'ICMP' });
  expect(status).toBe(422);
  expect(json.message).toContain('spec.from: Required value: say one of pod, address');
  expect(json.message).toContain('spec.to: Invalid value');
  expect(json.message).toContain('spec.protocol: Unsupported value: "ICMP"');
  expect((await review({ pod: 'none' }, { address: '10.1.1.1', port: 80 })).status).toBe(404);
  expect((await review({ address: '10.1.1.2' }, { address: '10.1.1.1' })).status).toBe(400);
  expect((await server.request('GET', PATH)).status).toBe(405);
});

it('is for those who may see both ends, and names policies to those who may list them', async () => {
  await pod('client', { ip: '10.42.1.2' });
  await pod('web', { ip: '10.42.1.3' });
  await policy('secret', { podSelector: {} });
  const ask = () => review({ pod: 'client' }, { pod: 'web', port: 8080 }, {}, DEV);
  const allow = (name: string, rule: object) =>
    Promise.all([
      created('/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles', {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name },
        rules: [rule],
      }),
      created('/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings', {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
        subjects: [{ kind: 'User', name: DEV.name, apiGroup: 'rbac.authorization.k8s.io' }],
      }),
    ]);
  const refused = await ask();
  expect([refused.status, refused.json.message]).toEqual([
    403,
    expect.stringContaining('cannot create resource "connectionreviews"'),
  ]);
  await allow('asks', {
    apiGroups: ['networking.dhow.dev'],
    resources: ['connectionreviews'],
    verbs: ['create'],
  });
  const half = await ask();
  expect([half.status, half.json.message]).toEqual([
    403,
    expect.stringContaining('cannot get resource "pods"'),
  ]);
  await allow('sees', { apiGroups: [''], resources: ['pods'], verbs: ['get'] });
  const { status, json } = await ask();
  expect(status).toBe(201);
  const { attempts } = json.status as { attempts: { ingress: unknown }[] };
  expect(attempts[0]?.ingress).toEqual({
    isAllowed: false,
    because: 'NoRule',
    policies: [{ policy: 'default/(hidden)', rules: [] }],
  });
});

it('is found by discovery', async () => {
  const { json } = await server.request('GET', GROUP);
  expect(json.resources).toContainEqual({
    name: 'connectionreviews',
    singularName: 'connectionreview',
    namespaced: true,
    kind: 'ConnectionReview',
    verbs: ['create'],
  });
});

it('knows a pod by each of its addresses, and asks by that of the family', async () => {
  await pod('six-client', { ip: '10.42.9.1', six: 'fd42::9:1' });
  await pod('six-web', { ip: '10.42.9.2', six: 'fd42::9:2' });
  await pod('four-only', { ip: '10.42.9.3' });
  await policy('six', {
    podSelector: { matchLabels: { app: 'six-web' } },
    ingress: [{ from: [{ ipBlock: { cidr: 'fd42::9:1/128' } }] }],
  });
  const ask = (from: string, address: string) => answerOf({ pod: from }, { address, port: 8080 });
  expect(await ask('six-client', 'FD42:0::9:2')).toMatchObject({
    reachable: true,
    attempts: [{ pod: 'default/six-web', address: 'fd42::9:2', ingress: { because: 'Rule' } }],
  });
  expect(await ask('six-client', '10.42.9.2')).toMatchObject({
    reachable: false,
    attempts: [{ pod: 'default/six-web', ingress: { because: 'NoRule' } }],
  });
  expect(await ask('six-web', 'fd42::9:2')).toMatchObject({
    attempts: [{ ingress: { because: 'Itself' } }],
  });
  expect(await ask('four-only', 'fd42::9:2')).toMatchObject({
    ...{ reachable: false, attempts: [] },
    problems: ['the source has no address of the family of fd42::9:2'],
  });
});
