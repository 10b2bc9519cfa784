import { PODS } from '../../../api/resources';
import { textAt } from '../kinds/mutable';
import type { UpgradingConnection } from '../pods/exec';
import { ADMIN, startTestServer, type TestServer } from '../testing';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionAttributes } from './attributes';

const CORE = '/api/v1/namespaces/default';
const APPS = '/apis/apps/v1/namespaces/default';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const APPLY = { 'content-type': 'application/apply-patch+yaml' };

let server: TestServer;
let isRefusing: boolean;
const seen: AdmissionAttributes[] = [];
/** Sees all that any plugin may see, and refuses in the last round. */
const witness: AdmissionPlugin = {
  name: 'Witness',
  handles: () => true,
  admit: (asked) => {
    seen.push(asked);
    return false;
  },
  validate: () => {
    if (isRefusing) throw new Error('refused');
  },
};

const meta = (apiVersion: string, kind: string, name: string) => ({
  ...{ apiVersion, kind, metadata: { name } },
});
const SPEC = { containers: [{ name: 'c', image: 'x' }] };
const map = (name: string) => meta('v1', 'ConfigMap', name);
const make = async (path: string, body: object) =>
  expect((await server.request('POST', path, body)).status).toBe(201);

beforeEach(async () => {
  isRefusing = false;
  server = await startTestServer({ admissionPlugins: [witness] });
  await make('/api/v1/nodes', meta('v1', 'Node', 'n1'));
  await make(`${CORE}/configmaps`, map('a'));
  await make(`${CORE}/configmaps`, map('b'));
  await make(`${CORE}/serviceaccounts`, meta('v1', 'ServiceAccount', 'a'));
  await make(`${CORE}/pods`, { ...meta('v1', 'Pod', 'a'), spec: SPEC });
  await make(`${APPS}/deployments`, {
    ...meta('apps/v1', 'Deployment', 'a'),
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: SPEC },
    },
  });
  await server.request('GET', `${CORE}/configmaps`);
  seen.length = 0;
});
afterEach(() => server[Symbol.asyncDispose]());

/** What a plugin saw: operation, resource with subresource, name, kind of the object and of the old. */
type Sight = readonly [string, string, string, string, string];
const sights = (): readonly Sight[] =>
  seen.map(({ operation, kind, subresource, name, object, connection, old }) => [
    operation,
    kind.resource.plural + (subresource === '' ? '' : `/${subresource}`),
    name,
    object?.kind ?? textAt(connection, 'kind'),
    old?.kind ?? '',
  ]);

type Row = readonly [string, string, unknown, Readonly<Record<string, string>>, readonly Sight[]];

const CREATE_C: readonly Sight[] = [['CREATE', 'configmaps', 'c', 'ConfigMap', '']];
const UPDATE_A: readonly Sight[] = [['UPDATE', 'configmaps', 'a', 'ConfigMap', 'ConfigMap']];
const STATUS: readonly Sight[] = [['UPDATE', 'pods/status', 'a', 'Pod', 'Pod']];
const SCALE: readonly Sight[] = [['UPDATE', 'deployments/scale', 'a', 'Scale', 'Scale']];
const delete_ = (name: string): Sight => ['DELETE', 'configmaps', name, '', 'ConfigMap'];
const sub = (resource: string, kind: string): readonly Sight[] => [
  ['CREATE', resource, 'a', kind, ''],
];

const ROWS: readonly Row[] = [
  ['POST', `${CORE}/configmaps`, map('c'), {}, CREATE_C],
  [
    ...(['POST', `${CORE}/configmaps`] as const),
    { ...map('c'), metadata: { generateName: 'c-' } },
    {},
    [['CREATE', 'configmaps', '', 'ConfigMap', '']],
  ],
  ['PATCH', `${CORE}/configmaps/c?fieldManager=m`, map('c'), APPLY, CREATE_C],
  ['PUT', `${CORE}/configmaps/a`, { ...map('a'), data: { a: 'b' } }, {}, UPDATE_A],
  ['PATCH', `${CORE}/configmaps/a`, { data: { a: 'b' } }, MERGE, UPDATE_A],
  ['PATCH', `${CORE}/pods/a/status`, { status: { phase: 'Running' } }, MERGE, STATUS],
  ['PATCH', `${APPS}/deployments/a/scale`, { spec: { replicas: 2 } }, MERGE, SCALE],
  ['DELETE', `${CORE}/configmaps/a`, undefined, {}, [delete_('a')]],
  ['DELETE', `${CORE}/configmaps`, undefined, {}, [delete_('a'), delete_('b')]],
  [
    ...(['POST', `${CORE}/pods/a/binding`, { target: { name: 'n1' } }, {}] as const),
    sub('pods/binding', 'Binding'),
  ],
  [
    ...(['POST', `${CORE}/pods/a/eviction`, { metadata: { name: 'a' } }, {}] as const),
    sub('pods/eviction', 'Eviction'),
  ],
  [
    ...(['POST', `${CORE}/serviceaccounts/a/token`, {}, {}] as const),
    sub('serviceaccounts/token', 'TokenRequest'),
  ],
];

it.each(ROWS)('sees %s %s %j', async (method, path, body, headers, expected) => {
  const { status } = await server.request(method, path, body, { headers });
  expect(status).toBeLessThan(300);
  expect(sights()).toEqual(expected);
  expect(seen.every(({ user, namespace }) => user === ADMIN && namespace === 'default')).toBe(true);
});

it.each(ROWS)('lets nothing come of a refused %s %s %j', async (method, path, body, headers) => {
  const state = async () => [
    (await server.request('GET', `${CORE}/configmaps`)).json.items,
    (await server.request('GET', `${CORE}/pods`)).json.items,
    (await server.request('GET', `${APPS}/deployments`)).json.items,
  ];
  const before = await state();
  isRefusing = true;
  await expect(server.request(method, path, body, { headers })).rejects.toThrow('refused');
  expect(await state()).toEqual(before);
});

it('sees which writes are only tried', async () => {
  await server.request('DELETE', `${CORE}/configmaps/a?dryRun=All`);
  await server.request('POST', `${CORE}/pods/a/eviction`, { deleteOptions: { dryRun: ['All'] } });
  expect(seen.map(({ isDryRun }) => isDryRun)).toEqual([true, true]);
});

it.each([
  ['exec', 'PodExecOptions', { container: 'c', command: ['ls', '-l'] }],
  ['attach', 'PodAttachOptions', { container: 'c' }],
])('sees a connection by %s', async (subresource, kind, more) => {
  const request = {
    method: 'GET',
    path: `${CORE}/pods/a/${subresource}`,
    query: new URLSearchParams('container=c&command=ls&command=-l&stdout=true'),
    headers: {},
    user: ADMIN,
    body: async () => Buffer.alloc(0),
    signal: new AbortController().signal,
  };
  // The pod has no node: everything before that has gone well.
  await expect(server.api.upgrade(request, {} as UpgradingConnection)).rejects.toThrow(
    'pod a does not have a host assigned',
  );
  expect(sights()).toEqual([['CONNECT', `pods/${subresource}`, 'a', kind, '']]);
  const streams = { stdin: false, stdout: true, stderr: false, tty: false };
  expect(seen[0]?.connection).toEqual({ kind, apiVersion: 'v1', ...streams, ...more });
});

it('sees what the server itself binds', async () => {
  const { client } = server.api;
  const name = { namespace: 'default', name: 'a' };
  const { uid = '' } = (await client.get(PODS, name)).metadata;
  await client.bind({ ...name, uid }, 'n1');
  expect(sights()).toEqual([['CREATE', 'pods/binding', 'a', 'Binding', '']]);
  expect(seen[0]?.user.name).toBe('system:apiserver');
});
