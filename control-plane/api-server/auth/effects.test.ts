import { setMaxListeners } from 'node:events';
import { hasReason } from '../../../api/errors';
import type { UpgradingConnection } from '../pods/exec';
import { startTestServer, type TestServer } from '../testing';
import { AUTHENTICATED, type User } from './user';

/*
 * Authorization by effect: for each way to reach the store, the rights that must be had. With all of
 * them the request passes; without any one of them, and with every other right there is, it is
 * refused and nothing is stored.
 */

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
  for (const [path, body] of PRESENT) {
    const made = await server.request('POST', path, body);
    expect([path, made.status]).toEqual([path, 201]);
  }
});
afterEach(() => server[Symbol.asyncDispose]());

const DEV: User = { name: 'dev', groups: [AUTHENTICATED] };
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const CORE = '/api/v1/namespaces/default';
const APPS = '/apis/apps/v1/namespaces/default';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
const APPLY = { 'content-type': 'application/apply-patch+yaml' };
const MERGE = { 'content-type': 'application/merge-patch+json' };

const meta = (apiVersion: string, kind: string, name: string) => ({
  apiVersion,
  kind,
  metadata: { name },
});
const pod = (name: string) => ({
  ...meta('v1', 'Pod', name),
  spec: { containers: [{ name: 'c', image: 'x' }] },
});
const lease = (name: string) => meta('coordination.k8s.io/v1', 'Lease', name);
const configMap = (name: string) => meta('v1', 'ConfigMap', name);
const node = (name: string) => meta('v1', 'Node', name);
const event = (name: string) => ({
  ...meta('v1', 'Event', name),
  involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
});
const deployment = {
  ...meta('apps/v1', 'Deployment', 'present'),
  spec: {
    selector: { matchLabels: { app: 'a' } },
    template: { metadata: { labels: { app: 'a' } }, spec: pod('x').spec },
  },
};

const PRESENT: readonly (readonly [string, object])[] = [
  [`${CORE}/pods`, pod('present')],
  [`${CORE}/configmaps`, configMap('present')],
  [`${CORE}/serviceaccounts`, meta('v1', 'ServiceAccount', 'present')],
  [LEASES, lease('present')],
  [`${APPS}/deployments`, deployment],
  ['/api/v1/nodes', node('n1')],
  ['/api/v1/namespaces', meta('v1', 'Namespace', 'present')],
];

interface Way {
  readonly title: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** `verb resource[/subresource]`: all of them, and no other. */
  readonly needs: readonly string[];
  readonly status: number;
}

const way = (
  title: string,
  [method = '', path = '']: readonly string[],
  needs: readonly string[],
  status: number,
  more: Pick<Way, 'body' | 'headers'> = {},
): Way => ({ title, method, path, needs, status, ...more });

const WAYS: readonly Way[] = [
  way('POST', ['POST', `${CORE}/pods`], ['create pods'], 201, { body: pod('new') }),
  way('POST of a dry run', ['POST', `${CORE}/pods?dryRun=All`], ['create pods'], 201, {
    body: pod('new'),
  }),
  way('PUT', ['PUT', `${LEASES}/present`], ['update leases'], 200, { body: lease('present') }),
  way('PUT that creates', ['PUT', `${LEASES}/new`], ['update leases', 'create leases'], 201, {
    body: lease('new'),
  }),
  way(
    'PUT that creates an event',
    ['PUT', `${CORE}/events/new`],
    ['update events', 'create events'],
    201,
    { body: event('new') },
  ),
  way(
    'PUT that would create, dry',
    ['PUT', `${LEASES}/new?dryRun=All`],
    ['update leases', 'create leases'],
    201,
    { body: lease('new') },
  ),
  way('merge patch', ['PATCH', `${CORE}/configmaps/present`], ['patch configmaps'], 200, {
    body: { data: { a: 'b' } },
    headers: MERGE,
  }),
  way('apply', ['PATCH', `${CORE}/configmaps/present?fieldManager=m`], ['patch configmaps'], 200, {
    body: configMap('present'),
    headers: APPLY,
  }),
  way(
    'apply that creates',
    ['PATCH', `${CORE}/pods/new?fieldManager=m`],
    ['patch pods', 'create pods'],
    201,
    { body: pod('new'), headers: APPLY },
  ),
  way(
    'apply that would create, dry',
    ['PATCH', `${CORE}/pods/new?fieldManager=m&dryRun=All`],
    ['patch pods', 'create pods'],
    201,
    { body: pod('new'), headers: APPLY },
  ),
  way(
    'apply to the status of nothing',
    ['PATCH', `${CORE}/pods/new/status?fieldManager=m`],
    ['patch pods/status'],
    404,
    { body: { ...meta('v1', 'Pod', 'new'), status: { phase: 'Running' } }, headers: APPLY },
  ),
  way('status', ['PATCH', `${CORE}/pods/present/status`], ['patch pods/status'], 200, {
    body: { status: { phase: 'Running' } },
    headers: MERGE,
  }),
  way('scale', ['PATCH', `${APPS}/deployments/present/scale`], ['patch deployments/scale'], 200, {
    body: { spec: { replicas: 3 } },
    headers: MERGE,
  }),
  way('binding', ['POST', `${CORE}/pods/present/binding`], ['create pods/binding'], 201, {
    body: { target: { kind: 'Node', name: 'n1' } },
  }),
  way('eviction', ['POST', `${CORE}/pods/present/eviction`], ['create pods/eviction'], 201, {
    body: { metadata: { name: 'present' } },
  }),
  way(
    'token',
    ['POST', `${CORE}/serviceaccounts/present/token`],
    ['create serviceaccounts/token'],
    201,
    { body: { spec: {} } },
  ),
  way(
    'finalize',
    ['PUT', '/api/v1/namespaces/present/finalize'],
    ['update namespaces/finalize'],
    200,
    { body: { ...meta('v1', 'Namespace', 'present'), spec: { finalizers: [] } } },
  ),
  way('DELETE', ['DELETE', `${CORE}/configmaps/present`], ['delete configmaps'], 200),
  way('DELETE of a collection', ['DELETE', `${CORE}/pods`], ['deletecollection pods'], 200),
  way('list', ['GET', `${CORE}/pods`], ['list pods'], 200),
  way('GET of a log', ['GET', `${CORE}/pods/present/log`], ['get pods/log'], 400),
  // Authorized, and then refused for the pod has no node.
  ...['exec', 'attach'].map((name) =>
    way(
      `upgrade to ${name}`,
      ['UPGRADE', `${CORE}/pods/present/${name}?stdout=true&command=x`],
      [`create pods/${name}`],
      400,
    ),
  ),
];

const groupOf = (resource: string): string => {
  if (resource.startsWith('leases')) return 'coordination.k8s.io';
  return resource.startsWith('deployments') ? 'apps' : '';
};
const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];
const ruleOf = (need: string) => {
  const [verb = '', resource = ''] = need.split(' ');
  return { apiGroups: [groupOf(resource)], resources: [resource], verbs: [verb] };
};
/** Every right on the resource and its subresources but one. */
const allBut = (need: string) => {
  const [verb = '', resource = ''] = need.split(' ');
  const [plural = ''] = resource.split('/');
  const parts = ['status', 'scale', 'exec', 'attach', 'log', 'binding', 'eviction', 'token'];
  const others = [plural, ...[...parts, 'finalize'].map((part) => `${plural}/${part}`)];
  const apiGroups = [groupOf(resource)];
  return [
    { apiGroups, resources: others.filter((other) => other !== resource), verbs: VERBS },
    { apiGroups, resources: [resource], verbs: VERBS.filter((each) => each !== verb) },
    // The same words in another group are another right.
    { apiGroups: ['example.org'], resources: ['*'], verbs: ['*'] },
  ];
};

const grant = async (rules: readonly object[]): Promise<void> => {
  await server.request('POST', `${RBAC}/clusterroles`, {
    ...meta('rbac.authorization.k8s.io/v1', 'ClusterRole', 'dev'),
    rules,
  });
  await server.request('POST', `${RBAC}/clusterrolebindings`, {
    ...meta('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'dev'),
    roleRef: { kind: 'ClusterRole', name: 'dev' },
    subjects: [{ kind: 'User', name: 'dev' }],
  });
  // Roles count as soon as the caches have them: any read waits for them.
  for (const plural of ['clusterroles', 'clusterrolebindings'])
    await server.request('GET', `${RBAC}/${plural}`);
};

const ask = async ({ method, path, body, headers = {} }: Way) => {
  if (method !== 'UPGRADE') return server.request(method, path, body, { user: DEV, headers });
  const { pathname, searchParams } = new URL(path, 'https://test');
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  const request = {
    method: 'GET',
    path: pathname,
    query: searchParams,
    headers: {},
    user: DEV,
    body: async () => Buffer.alloc(0),
    signal,
  };
  try {
    await server.api.upgrade(request, {} as UpgradingConnection);
    return { status: 101, json: {} };
  } catch (error) {
    if (!hasReason(error, 'Forbidden', 'BadRequest')) throw error;
    return { status: error.code, json: error.toStatus() };
  }
};

const stored = async (): Promise<string> => {
  const lists = ['pods', 'configmaps', 'events', 'serviceaccounts'].map(
    (kind) => `${CORE}/${kind}`,
  );
  const answers = await Promise.all(
    [...lists, LEASES, `${APPS}/deployments`, '/api/v1/nodes', '/api/v1/namespaces'].map((path) =>
      server.request('GET', path),
    ),
  );
  return answers.map(({ json }) => JSON.stringify(json.items)).join('\n');
};

describe.each(WAYS)('$title', (way_) => {
  it(`passes with ${way_.needs.join(' and ')}`, async () => {
    await grant(way_.needs.map(ruleOf));
    const answer = await ask(way_);
    expect([answer.status, answer.json.message]).toEqual([way_.status, answer.json.message]);
  });

  it.each(way_.needs)('is refused without %s, whatever else one may', async (missing) => {
    await grant([...way_.needs.filter((need) => need !== missing).map(ruleOf), ...allBut(missing)]);
    const before = await stored();
    const { status, json } = await ask(way_);
    expect(status).toBe(403);
    const [verb = '', resource = ''] = missing.split(' ');
    expect(json.message).toContain(`User "dev" cannot ${verb} resource "${resource}" in API group`);
    expect(await stored()).toBe(before);
  });
});

it('never deletes the objects of all namespaces at once', async () => {
  const { status } = await server.request('DELETE', '/api/v1/configmaps');
  expect(status).toBe(405);
});

describe('a role about one name', () => {
  const PODS = `${CORE}/pods`;
  beforeEach(() =>
    grant([
      {
        apiGroups: [''],
        resources: ['pods'],
        resourceNames: ['present'],
        verbs: ['get', 'list', 'watch', 'deletecollection'],
      },
    ]),
  );

  it.each([
    ['GET', `${PODS}?fieldSelector=metadata.name%3Dpresent`, 200],
    ['GET', `${PODS}?fieldSelector=metadata.name%3D%3Dpresent,metadata.name%3Dother`, 200],
    ['GET', `${PODS}?fieldSelector=metadata.name%3Dother`, 403],
    ['GET', `${PODS}?fieldSelector=metadata.name%3Dother,metadata.name%3Dpresent`, 403],
    ['GET', `${PODS}?fieldSelector=metadata.name!%3Dpresent`, 403],
    ['GET', `${PODS}?fieldSelector=metadata.name%3D`, 403],
    ['GET', `${PODS}?fieldSelector=%3D%3D%3D`, 403],
    ['GET', PODS, 403],
    ['GET', `${PODS}?watch=true&fieldSelector=metadata.name%3Dother`, 403],
    ['DELETE', `${PODS}?fieldSelector=metadata.name%3Dpresent`, 403],
    ['GET', `${PODS}/present`, 200],
    ['GET', `${PODS}/other`, 403],
  ])('%s %s', async (method, path, status) => {
    expect((await server.request(method, path, undefined, { user: DEV })).status).toBe(status);
  });

  it('lets one watch that name and shows nothing else', async () => {
    await server.request('POST', PODS, pod('other'));
    const { json } = await server.request(
      'GET',
      `${PODS}?fieldSelector=metadata.name%3Dpresent`,
      undefined,
      { user: DEV },
    );
    expect(json.items.map((item: { metadata: object }) => item.metadata)).toEqual([
      expect.objectContaining({ name: 'present' }),
    ]);
  });
});
