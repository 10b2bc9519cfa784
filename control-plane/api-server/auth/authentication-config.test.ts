import { exportJWK, generateKeyPair, SignJWT, type JWTPayload, type KeyLike } from 'jose';
import { ManualClock } from '../../../lib/clock';
import { stringifyJson } from '../../../lib/json';
import { silentLog } from '../../../lib/log';
import { parseAuthenticationConfig } from './authentication-config';
import { ConfiguredAuthentication } from './configured-authentication';

const ISSUER = 'https://issuer.test';
const jwt = (more: object = {}, issuer: object = {}) => ({
  issuer: { url: ISSUER, audiences: ['dhow'], ...issuer },
  claimMappings: { username: { claim: 'sub', prefix: 'me:' } },
  ...more,
});
const file = (authenticators: readonly object[], more: object = {}) =>
  stringifyJson({
    ...{ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthenticationConfiguration' },
    ...{ jwt: authenticators, ...more },
  });
const signal = new AbortController().signal;
let keys: { publicKey: KeyLike; privateKey: KeyLike };
beforeAll(async () => {
  keys = await generateKeyPair('ES256');
});

const token = (claims: JWTPayload = {}) =>
  new SignJWT({ iss: ISSUER, aud: 'dhow', sub: 'ann', ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setExpirationTime('1h')
    .sign(keys.privateKey);

const setUp = async (first: string) => {
  const clock = new ManualClock();
  const asked: string[] = [];
  const given = { text: first };
  const authentication = await ConfiguredAuthentication.open({
    ...{ clock, log: silentLog, read: async () => given.text },
    fetchBy: () => async (url) => {
      asked.push(url);
      const keySet = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k', alg: 'ES256' }] };
      const { origin } = new URL(url);
      const about = { issuer: ISSUER, jwks_uri: `${origin}/keys` };
      return Buffer.from(stringifyJson(url.endsWith('/keys') ? keySet : about));
    },
  });
  const userOf = async (claims?: JWTPayload) => authentication.userOf(await token(claims), signal);
  return { authentication, userOf, asked, given, clock };
};

it('makes users of claims by expressions', async () => {
  const { userOf } = await setUp(
    file([
      jwt({
        claimMappings: {
          username: { expression: '"x:" + claims.sub' },
          groups: { expression: 'claims.roles.split(",")' },
          uid: { claim: 'id' },
          extra: [
            { key: 'example.com/team', valueExpression: 'claims.team' },
            { key: 'example.com/none', valueExpression: '""' },
          ],
        },
      }),
    ]),
  );
  expect(await userOf({ roles: 'a,b', id: '7', team: ['t'], jti: 'j' })).toEqual({
    ...{ name: 'x:ann', uid: '7', groups: ['a', 'b', 'system:authenticated'] },
    extra: { 'example.com/team': ['t'], 'authentication.kubernetes.io/credential-id': ['JTI=j'] },
  });
  // What cannot be evaluated makes nobody.
  expect(await userOf({ id: '7', team: 't' })).toBeUndefined();
});

it.each<[string, object, JWTPayload, string | undefined]>([
  ['a claim as required', rule({ claim: 'hd', requiredValue: 'x' }), { hd: 'x' }, 'me:ann'],
  ['a claim that is another', rule({ claim: 'hd', requiredValue: 'x' }), { hd: 'y' }, undefined],
  ['a rule that holds', rule({ expression: 'claims.exp > 0' }), {}, 'me:ann'],
  ['a rule that does not', rule({ expression: 'claims.sub == "bob"' }), {}, undefined],
  ['a user as wanted', user('user.username.startsWith("me:")'), {}, 'me:ann'],
  ['a user of another kind', user('"a" in user.groups'), {}, undefined],
  ['another audience', {}, { aud: 'other' }, undefined],
  ['a name of the system', named('"system:" + claims.sub'), {}, undefined],
  ['no name', named('claims.?nick.orValue("")'), {}, undefined],
])('takes a token with %s or not', async (_what, more, claims, name) => {
  const { userOf } = await setUp(file([jwt(more)]));
  expect((await userOf(claims))?.name).toBe(name);
});

function rule(each: object): object {
  return { claimValidationRules: [each] };
}
function user(expression: string): object {
  return { userValidationRules: [{ expression }] };
}
function named(expression: string): object {
  return { claimMappings: { username: { expression } } };
}

it('asks each issuer where it says, about its own tokens alone', async () => {
  const discoveryURL = 'https://elsewhere.test/about';
  const other = jwt({}, { url: 'https://other.test' });
  const { userOf, asked } = await setUp(file([other, jwt({}, { discoveryURL })]));
  expect((await userOf())?.name).toBe('me:ann');
  expect(asked).toEqual([discoveryURL, 'https://elsewhere.test/keys']);
});

it('follows its file, and keeps what was there where that is wrong', async () => {
  const { authentication, userOf, given, clock } = await setUp(file([]));
  const stop = new AbortController();
  const following = authentication.follow(stop.signal);
  expect(await userOf()).toBeUndefined();
  const anonymous = { enabled: true, conditions: [{ path: '/livez' }] };
  given.text = file([jwt()], { anonymous });
  await clock.advance(10_000);
  expect((await userOf())?.name).toBe('me:ann');
  expect(authentication.anonymous).toEqual({ enabled: true, paths: ['/livez'] });
  given.text = 'kind: [';
  await clock.advance(10_000);
  expect((await userOf())?.name).toBe('me:ann');
  stop.abort();
  await following;
});

it.each<[readonly object[], object, string]>([
  [[jwt({}, { url: 'http://x' })], {}, 'jwt[0].issuer.url: URL scheme must be https'],
  [[jwt({}, { audiences: [] })], {}, 'jwt[0].issuer.audiences: at least one audience is required'],
  [[jwt({}, { audiences: ['a', 'b'] })], {}, 'audienceMatchPolicy must be MatchAny'],
  [[jwt(), jwt()], {}, 'jwt: duplicate issuer.url'],
  [[jwt({ claimMappings: {} })], {}, 'jwt[0].claimMappings.username'],
  [
    [jwt({ claimMappings: { username: { claim: 'sub' } } })],
    {},
    'prefix is required when claim is set',
  ],
  [[jwt(rule({}))], {}, 'jwt[0].claimValidationRules[0]: claim or expression is required'],
  [
    [jwt(rule({ expression: 'claims.' }))],
    {},
    'jwt[0].claimValidationRules[0].expression: compilation failed',
  ],
  [[jwt(rule({ expression: '"text"' }))], {}, 'must evaluate to bool'],
  [[jwt(named('claims.email'))], {}, 'claims.email_verified must be used'],
  [[jwt({ other: 1 })], {}, 'jwt[0]: Unrecognized key'],
  [
    [],
    { anonymous: { enabled: false, conditions: [{ path: '/x' }] } },
    'enabled should be set to true when conditions are defined',
  ],
])('refuses %j %j', (authenticators, more, why) => {
  expect(() => parseAuthenticationConfig(file(authenticators, more))).toThrow(why);
});
