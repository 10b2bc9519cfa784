import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { startTestServer, type TestServer } from '../testing';
import { ANONYMOUS } from './user';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
  await server.request('POST', ACCOUNTS, account('bot'));
});
afterEach(() => server[Symbol.asyncDispose]());

const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';
const PODS = '/api/v1/namespaces/default/pods';
const account = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name },
});

const order = (spec: object = {}) => server.request('POST', `${ACCOUNTS}/bot/token`, { spec });
const tokenOf = async (spec: object = {}): Promise<string> => (await order(spec)).json.status.token;
const whoAmI = (token: string) =>
  server.request(
    'POST',
    '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    {},
    {
      user: ANONYMOUS,
      headers: { authorization: `Bearer ${token}` },
    },
  );

it('gives a service account a token by which the API knows it', async () => {
  const { status, json } = await order({ expirationSeconds: 600 });
  expect([status, json.status.expirationTimestamp]).toEqual([201, '2026-01-01T00:10:00Z']);
  const answer = await whoAmI(json.status.token);
  expect(answer.json.status.userInfo).toMatchObject({
    username: 'system:serviceaccount:default:bot',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  });
  const pods = await server.request('GET', PODS, undefined, {
    user: ANONYMOUS,
    headers: { authorization: `Bearer ${json.status.token}` },
  });
  expect(pods.json.message).toContain('User "system:serviceaccount:default:bot" cannot list');
});

it('ends with its time', async () => {
  const token = await tokenOf({ expirationSeconds: 600 });
  await server.clock.advance(601_000);
  expect((await whoAmI(token)).status).toBe(401);
});

it('ends with its account, also when one of the same name comes after it', async () => {
  const token = await tokenOf();
  await server.request('DELETE', `${ACCOUNTS}/bot`);
  await server.request('POST', ACCOUNTS, account('bot'));
  await server.request('GET', ACCOUNTS);
  expect((await whoAmI(token)).status).toBe(401);
});

it('ends with an account that a finalizer holds, a minute after its deletion', async () => {
  const held = { ...account('bot'), metadata: { name: 'bot', finalizers: ['example.org/hold'] } };
  await server.request('DELETE', `${ACCOUNTS}/bot`);
  await server.request('POST', ACCOUNTS, held);
  const token = await tokenOf();
  await server.request('DELETE', `${ACCOUNTS}/bot`);
  await server.request('GET', ACCOUNTS);
  expect((await whoAmI(token)).status).toBe(201);
  await server.clock.advance(62_000);
  expect((await whoAmI(token)).status).toBe(401);
});

it.each([
  ['another signature', (token: string) => `${token.slice(0, -4)}AAAA`],
  ['no signature', (token: string) => `${token.split('.').slice(0, 2).join('.')}.`],
  [
    'no algorithm',
    (token: string) =>
      [Buffer.from('{"alg":"none"}').toString('base64url'), ...token.split('.').slice(1)].join('.'),
  ],
  ['other claims', (token: string) => token.replace(/\.[^.]+\./, '.e30.')],
])('is nobody’s with %s', async (_what, change) => {
  const token = await tokenOf();
  expect((await whoAmI(token)).status).toBe(201);
  expect((await whoAmI(change(token))).status).toBe(401);
});

it('ends with the pod that it is bound to', async () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { serviceAccountName: 'bot', containers: [{ name: 'c', image: 'x' }] },
  };
  const { json } = await server.request('POST', PODS, pod);
  const reference = { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: json.metadata.uid };
  const token = await tokenOf({ boundObjectRef: reference });
  const known = await whoAmI(token);
  expect(known.json.status.userInfo.extra['authentication.kubernetes.io/pod-name']).toEqual(['p']);
  await server.request('DELETE', `${PODS}/p`);
  await server.request('GET', PODS);
  expect((await whoAmI(token)).status).toBe(401);
  const other = await order({ boundObjectRef: { ...reference, uid: 'x' } });
  expect(other.status).toBe(404);
});

it('is good for its audiences alone', async () => {
  const token = await tokenOf({ audiences: ['vault'] });
  expect((await whoAmI(token)).status).toBe(401);
  const review = async (spec: object) =>
    (await server.request('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec })).json;
  expect((await review({ token, audiences: ['vault'] })).status).toMatchObject({
    authenticated: true,
    user: { username: 'system:serviceaccount:default:bot' },
  });
  expect((await review({ token })).status.authenticated).toBeUndefined();
});

it.each([
  ['nothing', ''],
  ['no token', 'a.b.c'],
  ['no signature', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.'],
  ['too much', `${'a'.repeat(20_000)}.b.c`],
])('knows nobody by %s', async (_what, token) => {
  expect((await whoAmI(token)).status).toBe(401);
});

it('knows nobody by a token that was changed', async () => {
  const [head = '', body = '', signature = ''] = (await tokenOf()).split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  const forged = Buffer.from(
    JSON.stringify({ ...claims, exp: Number(claims.exp) + 1_000_000 }),
  ).toString('base64url');
  expect((await whoAmI(`${head}.${forged}.${signature}`)).status).toBe(401);
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  expect((await whoAmI(`${none}.${body}.${signature}`)).status).toBe(401);
});

it('can be checked by others with the published key', async () => {
  const token = await tokenOf();
  const { json: found } = await server.request('GET', '/.well-known/openid-configuration');
  expect(found.id_token_signing_alg_values_supported).toEqual(['ES256']);
  const { json: keys } = await server.request('GET', '/openid/v1/jwks');
  const { payload } = await jwtVerify(token, createLocalJWKSet(keys as JSONWebKeySet), {
    ...{ issuer: found.issuer, algorithms: ['ES256'], currentDate: new Date(server.clock.now()) },
  });
  expect(payload.sub).toBe('system:serviceaccount:default:bot');
});

it.each([
  [{ expirationSeconds: 10 }, 422, 'may not specify a duration less than 10 minutes'],
  [{ expirationSeconds: 2 ** 40 }, 422, 'may not specify a duration larger than 2^32 seconds'],
  [{ boundObjectRef: { kind: 'Job', apiVersion: 'v1' } }, 400, 'cannot bind token'],
])('refuses %j', async (spec, status, message) => {
  const answer = await order(spec);
  expect(answer.status).toBe(status);
  expect(answer.json.message).toContain(message);
});

it('is given to a pod that starts without a question to the store', async () => {
  const metadata = { name: 'web', namespace: 'default' };
  const containers = [{ name: 'main', image: 'example.org/app:1' }];
  const spec = { serviceAccountName: 'bot', containers };
  const made = await server.request('POST', PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec,
  });
  // Each waits until the cache has what was made.
  for (const path of [ACCOUNTS, PODS]) await server.request('GET', path);
  const { signal } = new AbortController();
  const asked = (['get', 'list', 'progress', 'currentVersion'] as const).map((read) =>
    jest.spyOn(server.store, read),
  );
  const issued = { audience: '', lifetimeSeconds: 3600 };
  const token = await server.api.issueToken(made.json, issued, signal);
  for (const read of asked) expect(read).not.toHaveBeenCalled();
  expect((await whoAmI(token)).json.status.userInfo).toMatchObject({
    username: 'system:serviceaccount:default:bot',
    extra: { 'authentication.kubernetes.io/pod-name': ['web'] },
  });
  const stranger = { ...made.json, spec: { ...spec, serviceAccountName: 'nobody' } };
  await expect(server.api.issueToken(stranger, issued, signal)).rejects.toMatchObject({
    reason: 'NotFound',
    message: 'serviceaccounts "nobody" not found',
  });
});
