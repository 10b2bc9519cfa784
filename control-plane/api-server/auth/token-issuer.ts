import type { JWTPayload } from 'jose';
import type { User } from './user';

/** An issuer of OpenID Connect, and which of its tokens are meant for this server. */
export interface TokenIssuer {
  readonly url: string;
  /** Where it describes itself. Default: below its URL. */
  readonly discoveryUrl?: string;
  /** One of them must be the token's. */
  readonly audiences: readonly string[];
  readonly signingAlgorithms: readonly string[];
}

/** Whom claims that an issuer has signed make of their bearer; undefined: nobody. */
export type UserOfClaims = (claims: JWTPayload) => User | undefined;

/** Those of RFC 7518 that need no shared secret: upstream's. */
export const SIGNING_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'],
] as const;

/** Knows users by tokens. */
export interface TokenAuthenticator {
  /** Whose token it is; undefined when it does not hold. */
  userOf(token: string, signal: AbortSignal): Promise<User | undefined>;
}

/** Nobody is one of the system's own by another's word. */
export const isOwnName = (name: string): boolean => name.startsWith('system:');

export const credentialOf = ({ jti }: JWTPayload): Readonly<Record<string, readonly string[]>> =>
  jti === undefined ? {} : { 'authentication.kubernetes.io/credential-id': [`JTI=${jti}`] };

/** One text or several; undefined for anything else, or for very many. */
export const textsIn = (value: unknown): readonly string[] | undefined => {
  const list: readonly unknown[] =
    value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
  if (list.length > TEXTS_MAX) return undefined;
  return list.every((each) => typeof each === 'string') ? list : undefined;
};

const TEXTS_MAX = 1000;
