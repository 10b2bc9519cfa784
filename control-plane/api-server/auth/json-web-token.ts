import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { isFields, type Fields } from '../kinds/mutable';
import { parseJson, stringifyJson } from '../../../lib/json';

/** By what a key signs: RSA with SHA-256, or the curve P-256 with SHA-256. Source: RFC 7518. */
export const algorithmOf = (key: KeyObject): 'RS256' | 'ES256' =>
  key.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256';

/** Claims as a JSON Web Token. Source: RFC 7515, RFC 7519. */
export const signToken = (claims: Fields, key: KeyObject): string => {
  const head = encode({ alg: algorithmOf(key), kid: keyIdOf(key) });
  const text = `${head}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: DSA_ENCODING });
  return `${text}.${signature.toString('base64url')}`;
};

/** The claims of a token that the key signed; undefined for anything else. */
export const verifiedClaims = (token: string, key: KeyObject): Fields | undefined => {
  if (token.length > TOKEN_LENGTH_MAX) return undefined;
  const [head = '', body = '', signature = '', ...more] = token.split('.');
  if (more.length > 0 || decode(head)?.['alg'] !== algorithmOf(key)) return undefined;
  const isOurs = verify(
    'sha256',
    Buffer.from(`${head}.${body}`),
    { key, dsaEncoding: DSA_ENCODING },
    Buffer.from(signature, 'base64url'),
  );
  return isOurs ? decode(body) : undefined;
};

/** The public half as clients of the token's issuer look it up. Source: RFC 7517. */
export const jsonWebKey = (key: KeyObject): Fields => ({
  use: 'sig',
  kid: keyIdOf(key),
  alg: algorithmOf(key),
  ...createPublicKey(key).export({ format: 'jwk' }),
});

const keyIdOf = (key: KeyObject): string => {
  const known = keyIds.get(key);
  if (known !== undefined) return known;
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const id = createHash('sha256').update(der).digest('base64url');
  keyIds.set(key, id);
  return id;
};

const encode = (value: object): string => Buffer.from(stringifyJson(value)).toString('base64url');

const decode = (text: string): Fields | undefined => {
  try {
    const value: unknown = parseJson(Buffer.from(text, 'base64url').toString('utf8'));
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
};

const keyIds = new WeakMap<KeyObject, string>();
/** Both halves of a signature one after the other, as RFC 7518 wants it of a curve. */
const DSA_ENCODING = 'ieee-p1363';
const TOKEN_LENGTH_MAX = 16 * 1024;
