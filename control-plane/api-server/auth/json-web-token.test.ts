import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { createLocalJWKSet, jwtVerify, type JWK } from 'jose';
import { makeSigningKey } from '../../../lib/signing-key';
import { jsonWebKey, signToken, verifiedClaims } from './json-web-token';

const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const curve = async () => createPrivateKey(await makeSigningKey());

it.each([
  ['RS256', rsa],
  ['ES256', curve],
])('signs and verifies by %s, as others do', async (algorithm, makeKey) => {
  const key = await makeKey();
  const token = signToken({ sub: 'bot' }, key);
  expect(verifiedClaims(token, key)).toEqual({ sub: 'bot' });
  const keys = createLocalJWKSet({ keys: [jsonWebKey(key) as unknown as JWK] });
  const { protectedHeader, payload } = await jwtVerify(token, keys);
  expect([protectedHeader.alg, payload.sub]).toEqual([algorithm, 'bot']);
});

it('takes no token of another key, of another algorithm or with another body', async () => {
  const [key, other] = [await curve(), await curve()];
  const [head = '', body = '', signature = ''] = signToken({ sub: 'bot' }, key).split('.');
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  expect(verifiedClaims(`${head}.${body}.${signature}`, other)).toBeUndefined();
  expect(verifiedClaims(`${head}.${encode({ sub: 'root' })}.${signature}`, key)).toBeUndefined();
  for (const alg of ['none', 'RS256', 'HS256'])
    expect(verifiedClaims(`${encode({ alg })}.${body}.${signature}`, key)).toBeUndefined();
  expect(verifiedClaims(`${head}.${body}.`, key)).toBeUndefined();
});
