import { createHash, randomInt, timingSafeEqual, X509Certificate } from 'node:crypto';
import { rfc3339 } from '../lib/clock';
import { parseJson, stringifyJson } from '../lib/json';
import { apiVersionOf, SECRETS } from './resources';
import type { Secret } from './types';

/** Of the Secrets that hold what is known of join tokens: never a token itself. */
export const JOIN_TOKEN_TYPE = 'dhow.dev/join-token';
export const JOIN_TOKEN_NAMESPACE = 'kube-system';

/** A join token as the cluster knows it. */
export interface StoredJoinToken {
  /** Public half: 6 characters. */
  readonly id: string;
  /** SHA-256 of the secret half, in hex. */
  readonly hash: string;
  readonly expiresAtMs: number;
  /** Undefined: any number of machines may join by it. */
  readonly usesMax: number | undefined;
  readonly usedBy: readonly JoinTokenUse[];
  readonly description: string;
}

interface JoinTokenUse {
  /** SHA-256 of the agent's own id, in hex. */
  readonly agent: string;
  readonly node: string;
  readonly atMs: number;
}

/** Who asks to use it, and when. */
interface AskedUse {
  readonly agent: string;
  readonly node: string;
  readonly nowMs: number;
}

export const joinTokenName = (id: string): string => `join-token-${id}`;

/** A new pair of halves, by the system's randomness. */
export const newJoinToken = (): { readonly id: string; readonly secret: string } => ({
  id: randomText(6),
  secret: randomText(16),
});

const randomText = (length: number): string =>
  Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');

export const hashOfSecret = (secret: string): string =>
  createHash('sha256').update(secret).digest('hex');

/** SHA-256 of the public key of the first certificate of a PEM text, in hex. @throws Error when it is none */
export const authorityHashOf = (pem: string): string => {
  const spki = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
};

/** The Secret that keeps a token known. */
export const joinTokenSecret = (token: StoredJoinToken): Secret => {
  const { id, hash, expiresAtMs, usesMax, usedBy, description } = token;
  const texts = {
    'token-id': id,
    'token-hash': hash,
    expiration: rfc3339(expiresAtMs),
    ...(usesMax === undefined ? {} : { 'uses-max': String(usesMax) }),
    'used-by': stringifyJson(usedBy),
    description,
  };
  return {
    apiVersion: apiVersionOf(SECRETS),
    kind: SECRETS.kind,
    metadata: { name: joinTokenName(id), namespace: JOIN_TOKEN_NAMESPACE },
    type: JOIN_TOKEN_TYPE,
    data: Object.fromEntries(
      Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
    ),
  };
};

/** Undefined for a Secret that is no token, or that somebody has spoilt. */
export const storedJoinTokenOf = ({
  type,
  metadata,
  data,
}: Secret): StoredJoinToken | undefined => {
  const text = (key: string): string | undefined => {
    const encoded = data?.[key];
    return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
  };
  const [id = '', hash = '', usesMax] = [text('token-id'), text('token-hash'), text('uses-max')];
  const expiresAtMs = Date.parse(text('expiration') ?? '');
  const usedBy = usesIn(text('used-by') ?? '[]');
  const isSound =
    type === JOIN_TOKEN_TYPE &&
    metadata.name === joinTokenName(id) &&
    HASH.test(hash) &&
    !Number.isNaN(expiresAtMs) &&
    usedBy !== undefined &&
    (usesMax === undefined || /^[1-9]\d{0,3}$/.test(usesMax));
  if (!isSound) return undefined;
  return {
    ...{ id, hash, expiresAtMs, usedBy, description: text('description') ?? '' },
    usesMax: usesMax === undefined ? undefined : Number(usesMax),
  };
};

/** Pure: why nobody joins by it now; undefined when it is good. */
export const refusalOf = (token: StoredJoinToken, asked: AskedUse): string | undefined => {
  const { id, expiresAtMs, usesMax, usedBy } = token;
  if (asked.nowMs >= expiresAtMs)
    return `the join token ${id} has expired, at ${rfc3339(expiresAtMs)}: dhow token create makes another`;
  if (usesMax === undefined || usedBy.length < usesMax || isSameAgain(token, asked))
    return undefined;
  const nodes = usedBy.map(({ node }) => node).join(', ');
  return `the join token ${id} is used up, by ${nodes}: dhow token create makes another`;
};

/** Pure: with one more use, unless it is a machine that asks again since it did not hear the answer. */
export const withUse = (token: StoredJoinToken, asked: AskedUse): StoredJoinToken =>
  // Of a token without a count, nobody asks who used it, and they may be thousands.
  token.usesMax === undefined || isSameAgain(token, asked)
    ? token
    : {
        ...token,
        usedBy: [...token.usedBy, { agent: asked.agent, node: asked.node, atMs: asked.nowMs }],
      };

/** As the same node: an agent that asks by another name is to be counted again. */
const isSameAgain = ({ usedBy }: StoredJoinToken, { agent, node, nowMs }: AskedUse): boolean =>
  usedBy.some(
    (use) => use.agent === agent && use.node === node && Math.abs(nowMs - use.atMs) < AGAIN_MS,
  );

/** Takes the same time whichever character is wrong. */
export const isSecretOf = ({ hash }: StoredJoinToken, secret: string): boolean =>
  timingSafeEqual(Buffer.from(hash, 'hex'), Buffer.from(hashOfSecret(secret), 'hex'));

const usesIn = (text: string): readonly JoinTokenUse[] | undefined => {
  try {
    const parsed: unknown = parseJson(text);
    return Array.isArray(parsed) && parsed.length <= USES_MAX && parsed.every(isUse)
      ? parsed
      : undefined;
  } catch {
    return undefined;
  }
};

const isUse = (value: unknown): value is JoinTokenUse => {
  const use = value as Partial<Record<keyof JoinTokenUse, unknown>> | null;
  return (
    typeof use?.agent === 'string' && typeof use.node === 'string' && typeof use.atMs === 'number'
  );
};

/** Of `uses-max`, too. */
export const USES_MAX = 1000;
const AGAIN_MS = 10 * 60_000;
const HASH = /^[0-9a-f]{64}$/;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
