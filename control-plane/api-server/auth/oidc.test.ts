import { exportJWK, generateKeyPair, SignJWT, type JWTPayload, type KeyLike } from 'jose';
import { ManualClock } from '../../../lib/clock';
import { silentLog } from '../../../lib/log';
import { issuerOf, OidcAuthenticator, userByFlags, type OidcOptions } from './oidc';

const ISSUER = 'https://issuer.test';
const OPTIONS: OidcOptions = {
  issuerUrl: ISSUER,
  clientId: 'dhow',
  usernameClaim: 'sub',
  groupsClaim: 'groups',
  groupsPrefix: 'oidc:',
  requiredClaims: {},
  signingAlgorithms: ['RS256'],
};
const signal = new AbortController().signal;
let keys: { publicKey: KeyLike; privateKey: KeyLike };
beforeAll(async () => {
  keys = await generateKeyPair('RS256');
});

const token = (claims: JWTPayload, { kid = 'k', alg = 'RS256', key = keys.privateKey } = {}) =>
  new SignJWT({ iss: ISSUER, aud: 'dhow', sub: 'ann', ...claims })
    .setProtectedHeader({ alg, kid })
    .setExpirationTime(claims.exp ?? '1h')
    .sign(key);

const setUp = (options: Partial<OidcOptions> = {}, about: object = {}) => {
  const asked: string[] = [];
  const clock = new ManualClock();
  const oidc = new OidcAuthenticator({
    issuer: issuerOf({ ...OPTIONS, ...options }),
    userOfClaims: userByFlags({ ...OPTIONS, ...options }),
    clock,
    log: silentLog,
    fetch: async (url) => {
      asked.push(url);
      const keySet = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k', alg: 'RS256' }] };
      const config = { issuer: ISSUER, jwks_uri: `${ISSUER}/keys`, ...about };
      return Buffer.from(JSON.stringify(url.endsWith('/keys') ? keySet : config));
    },
  });
  return { oidc, asked, clock };
};

it('knows a user and their groups, each under a name of the issuer', async () => {
  const { oidc, asked } = setUp();
  const given = await token({ groups: ['a', 'b'], jti: '7' });
  expect(await oidc.userOf(given, signal)).toEqual({
    name: `${ISSUER}#ann`,
    groups: ['oidc:a', 'oidc:b', 'system:authenticated'],
    extra: { 'authentication.kubernetes.io/credential-id': ['JTI=7'] },
  });
  await oidc.userOf(given, signal);
  expect(asked).toEqual([`${ISSUER}/.well-known/openid-configuration`, `${ISSUER}/keys`]);
});

it.each<[Partial<OidcOptions>, JWTPayload, string | undefined]>([
  [{ usernamePrefix: '-' }, {}, 'ann'],
  [{ usernamePrefix: 'x:' }, {}, 'x:ann'],
  [{ usernameClaim: 'email' }, { email: 'a@b', email_verified: true }, 'a@b'],
  [{ usernameClaim: 'email' }, { email: 'a@b', email_verified: false }, undefined],
  [{ usernameClaim: 'none' }, {}, undefined],
  [{ requiredClaims: { team: 'a' } }, { team: 'a' }, `${ISSUER}#ann`],
  [{ requiredClaims: { team: 'a' } }, { team: 'b' }, undefined],
  [{ usernamePrefix: '-' }, { sub: 'system:admin' }, undefined],
  [{ groupsPrefix: '' }, { groups: 'system:masters' }, undefined],
  [{}, { groups: [1] }, undefined],
  [{}, { aud: 'other' }, undefined],
  [{}, { exp: 1 }, undefined],
])('with %j takes %j for %s', async (options, claims, name) => {
  const { oidc } = setUp(options);
  expect((await oidc.userOf(await token(claims), signal))?.name).toBe(name);
});

it('takes no token that another key signed, or in another way', async () => {
  const { oidc } = setUp();
  const other = await generateKeyPair('RS256');
  expect(await oidc.userOf(await token({}, { key: other.privateKey }), signal)).toBeUndefined();
  const [, body] = (await token({})).split('.');
  const head = Buffer.from('{"alg":"none"}').toString('base64url');
  for (const odd of [`${head}.${body}.`, `${head}.${body}`, 'a.b.c', '', '..'])
    expect(await oidc.userOf(odd, signal)).toBeUndefined();
});

it('asks for keys again only now and then, whatever comes', async () => {
  const { oidc, asked, clock } = setUp();
  const unknown = await token({}, { kid: 'other' });
  for (let i = 0; i < 5; i++) await oidc.userOf(unknown, signal);
  expect(asked).toHaveLength(2);
  await clock.advance(10_000);
  await Promise.all([oidc.userOf(unknown, signal), oidc.userOf(unknown, signal)]);
  expect(asked).toHaveLength(4);
});

it('asks nobody about the tokens of other issuers', async () => {
  const { oidc, asked } = setUp();
  await oidc.userOf(await token({ iss: 'https://other' }), signal);
  expect(asked).toEqual([]);
});

it.each([[{ issuer: 'https://other' }], [{ jwks_uri: 'http://plain/keys' }], [{ jwks_uri: 1 }]])(
  'believes no issuer that says %j',
  async (about) => {
    const { oidc } = setUp({}, about);
    expect(await oidc.userOf(await token({}), signal)).toBeUndefined();
  },
);
