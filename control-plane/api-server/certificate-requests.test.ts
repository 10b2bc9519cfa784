import { createRequest } from '../pki/certificates';
import { startTestServer, type TestServer } from './testing';
import { AUTHENTICATED, type User } from './auth/user';

let server: TestServer;
let request: string;

beforeAll(async () => {
  const { request: der } = await createRequest();
  const body = Buffer.from(der).toString('base64');
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`;
  request = Buffer.from(pem).toString('base64');
});
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const PATH = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const ROLES = '/apis/rbac.authorization.k8s.io/v1';
const DEV: User = { name: 'dev', groups: ['team', AUTHENTICATED] };
const SIGNER = 'kubernetes.io/kube-apiserver-client';

const create = (spec: object = {}) =>
  server.request('POST', PATH, {
    metadata: { name: 'a' },
    spec: { request, signerName: SIGNER, usages: ['client auth'], ...spec },
  });
/** With a change of its conditions or certificate through a part of it. */
const put = async (part: string, status: object, user?: User) => {
  const { json } = await server.request('GET', `${PATH}/a`);
  const body = { ...json, status: { ...json.status, ...status } };
  return server.request('PUT', `${PATH}/a${part}`, body, user === undefined ? {} : { user });
};
const grant = async (...rules: object[]) => {
  await server.request('POST', `${ROLES}/clusterroles`, { metadata: { name: 'r' }, rules });
  await server.request('POST', `${ROLES}/clusterrolebindings`, {
    metadata: { name: 'r' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'r' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'dev' }],
  });
  await server.request('GET', `${ROLES}/clusterroles`);
  await server.request('GET', `${ROLES}/clusterrolebindings`);
};
const GROUP = 'certificates.k8s.io';
const PARTS = {
  ...{ apiGroups: [GROUP], verbs: ['create', 'update'] },
  resources: ['', '/approval', '/status'].map((part) => `certificatesigningrequests${part}`),
};
const APPROVED = { type: 'Approved', status: 'True' };
const DENIED = { type: 'Denied', status: 'True' };

it('knows who asks, whatever the body says', async () => {
  await grant(PARTS);
  const spec = { request, signerName: SIGNER, usages: ['client auth'] };
  const lies = { username: 'root', groups: ['system:masters'], uid: 'x', extra: { a: ['b'] } };
  const body = {
    metadata: { name: 'a' },
    spec: { ...spec, ...lies },
    status: { conditions: [APPROVED] },
  };
  const { status, json } = await server.request('POST', PATH, body, { user: DEV });
  expect([status, json.spec, json.status]).toEqual([
    201,
    { ...spec, username: 'dev', groups: DEV.groups },
    {},
  ]);
});

it('dates what is decided, and keeps it', async () => {
  await create();
  const { json } = await put('/approval', { conditions: [APPROVED] });
  const time = '2026-01-01T00:00:00Z';
  expect(json.status.conditions).toEqual([
    { ...APPROVED, lastTransitionTime: time, lastUpdateTime: time },
  ]);
  for (const [conditions, why] of [
    [[], 'updates may not remove a condition of type "Approved"'],
    [[APPROVED, DENIED], 'Approved and Denied conditions are mutually exclusive'],
  ] as const)
    expect((await put('/approval', { conditions })).json.message).toContain(why);
});

it('is decided through its approval alone, and signed through its status alone', async () => {
  await create();
  const certificate = Buffer.from('-----BEGIN CERTIFICATE-----\n').toString('base64');
  const decided = await put('/status', { conditions: [APPROVED] });
  expect(decided.json.message).toContain('updates may not add a condition of type "Approved"');
  expect((await put('/approval', { certificate })).json.status).toEqual({ conditions: [] });
  expect((await put('', { certificate, conditions: [APPROVED] })).json.status).toEqual({
    conditions: [],
  });
  expect((await put('/status', { certificate })).status).toBe(200);
  const other = Buffer.from('-----BEGIN CERTIFICATE-----\nx').toString('base64');
  expect((await put('/status', { certificate: other })).json.message).toContain(
    'updates may not modify existing certificate content',
  );
});

it.each([
  ['approve', '/approval', { conditions: [APPROVED] }],
  ['sign', '/status', { conditions: [{ type: 'Failed', status: 'True' }] }],
])('is for those who may %s for its signer', async (verb, part, change) => {
  await create();
  await grant(PARTS);
  const { status, json } = await put(part, change, DEV);
  expect([status, json.message]).toEqual([
    403,
    `certificatesigningrequests.certificates.k8s.io "a" is forbidden: user not permitted to ${verb} ` +
      `requests with signerName "${SIGNER}"`,
  ]);
  await server.request('DELETE', `${ROLES}/clusterroles/r`);
  const signers = { apiGroups: [GROUP], resources: ['signers'], verbs: [verb] };
  await grant(PARTS, { ...signers, resourceNames: ['kubernetes.io/*'] });
  expect((await put(part, change, DEV)).status).toBe(200);
});

it.each<[object, string]>([
  [{ request: '' }, 'spec.request: Invalid value'],
  [{ request: Buffer.from('x').toString('base64') }, 'PEM block type must be CERTIFICATE REQUEST'],
  [{ usages: [] }, 'spec.usages: Required value'],
  [{ usages: ['fly'] }, 'spec.usages[0]: Unsupported value: "fly"'],
  [
    { signerName: 'x' },
    "must be a fully qualified domain and path of the form 'example.com/signer-name'",
  ],
  [{ expirationSeconds: 599 }, 'may not specify a duration less than 600 seconds (10 minutes)'],
])('refuses what is no request: %j', async (spec, why) => {
  const { status, json } = await create(spec);
  expect([status, json.message]).toEqual([422, expect.stringContaining(why)]);
});
