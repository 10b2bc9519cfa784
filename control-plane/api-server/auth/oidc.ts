import { createLocalJWKSet, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose';
import type { Clock } from '../../../lib/clock';
import { parseJson, stringifyJson } from '../../../lib/json';
import type { Log } from '../../../lib/log';
import {
  credentialOf,
  isOwnName,
  textsIn,
  type TokenAuthenticator,
  type TokenIssuer,
  type UserOfClaims,
} from './token-issuer';
import { AUTHENTICATED, type User } from './user';

/** How tokens of another issuer name users, by upstream's flags `--oidc-…`. */
export interface OidcOptions {
  readonly issuerUrl: string;
  readonly clientId: string;
  readonly usernameClaim: string;
  /** Before each name; `-` for nothing. Default: the issuer and `#`, unless the claim is `email`. */
  readonly usernamePrefix?: string;
  readonly groupsClaim?: string;
  readonly groupsPrefix: string;
  readonly requiredClaims: Readonly<Record<string, string>>;
  readonly signingAlgorithms: readonly string[];
}

/** Reads a document of the issuer. Rejects when it is too large, late, or none. */
export type FetchDocument = (url: string, signal: AbortSignal) => Promise<Uint8Array>;

export interface OidcDeps {
  readonly issuer: TokenIssuer;
  readonly userOfClaims: UserOfClaims;
  readonly fetch: FetchDocument;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Knows users by the tokens of an OpenID Connect issuer. Its keys are asked for when a token needs one
 * that is not known, and no more often than every ten seconds, whatever tokens come: those that name
 * another issuer or algorithm ask for nothing.
 */
export class OidcAuthenticator implements TokenAuthenticator {
  private keys: JSONWebKeySet | undefined;
  private askedAtMs = -Infinity;
  private asking: Promise<void> | undefined;

  constructor(private readonly deps: OidcDeps) {}

  /** Whose token it is; undefined when it does not hold. */
  async userOf(token: string, signal: AbortSignal): Promise<User | undefined> {
    const { issuer, userOfClaims } = this.deps;
    if (token.length > TOKEN_LENGTH_MAX || partOf(token, 1)?.['iss'] !== issuer.url)
      return undefined;
    if (!this.knowsKeyOf(token)) await this.askForKeys(signal);
    const claims = await this.verified(token);
    return claims && userOfClaims(claims);
  }

  private knowsKeyOf(token: string): boolean {
    const { kid, alg } = partOf(token, 0) ?? {};
    // No key would do.
    if (!this.deps.issuer.signingAlgorithms.includes(String(alg))) return true;
    return this.keys?.keys.some((key) => kid === undefined || key.kid === kid) ?? false;
  }

  /** Who comes together shares one question. A failure is told, and leaves the keys that there are. */
  private async askForKeys(signal: AbortSignal): Promise<void> {
    const nowMs = this.deps.clock.monotonicMs();
    if (this.asking === undefined && nowMs - this.askedAtMs >= ASK_EVERY_MS) {
      this.askedAtMs = nowMs;
      this.asking = this.readKeys().then(
        (keys) => {
          this.keys = keys;
        },
        (error: unknown) => {
          const { issuer, log } = this.deps;
          log.warn({ issuer: issuer.url, err: error }, 'cannot read the keys of an issuer');
        },
      );
      void this.asking.finally(() => (this.asking = undefined));
    }
    await this.asking;
    signal.throwIfAborted();
  }

  private async readKeys(): Promise<JSONWebKeySet> {
    const { fetch, issuer: about } = this.deps;
    const { url, discoveryUrl = `${url.replace(/\/$/, '')}/.well-known/openid-configuration` } =
      about;
    const never = new AbortController().signal;
    const found = parseJson(await fetch(discoveryUrl, never)) as Record<string, unknown> | null;
    const { issuer, jwks_uri: keysUrl } = found ?? {};
    if (issuer !== url)
      throw new Error(`the issuer calls itself ${stringifyJson(issuer)} and not ${url}`);
    if (typeof keysUrl !== 'string' || !keysUrl.startsWith('https://'))
      throw new Error('jwks_uri must be an https URL');
    const set = parseJson(await fetch(keysUrl, never)) as Partial<JSONWebKeySet> | null;
    if (!Array.isArray(set?.keys) || set.keys.length > KEYS_MAX)
      throw new Error(`the key set has no keys, or more than ${KEYS_MAX}`);
    return { keys: set.keys };
  }

  private async verified(token: string): Promise<JWTPayload | undefined> {
    if (this.keys === undefined) return undefined;
    const { url, audiences, signingAlgorithms } = this.deps.issuer;
    try {
      const { payload } = await jwtVerify(token, createLocalJWKSet(this.keys), {
        issuer: url,
        audience: [...audiences],
        algorithms: [...signingAlgorithms],
        requiredClaims: ['exp'],
      });
      return payload;
    } catch {
      return undefined;
    }
  }
}

/** What the flags say of the issuer. */
export const issuerOf = ({ issuerUrl, clientId, signingAlgorithms }: OidcOptions): TokenIssuer => ({
  url: issuerUrl,
  audiences: [clientId],
  signingAlgorithms,
});

/** What the flags make of claims. */
export const userByFlags =
  (options: OidcOptions): UserOfClaims =>
  (claims) => {
    const { issuerUrl, usernameClaim, groupsClaim, groupsPrefix, requiredClaims } = options;
    const isAsRequired = Object.entries(requiredClaims).every(
      ([key, value]) => claims[key] === value,
    );
    const given = claims[usernameClaim];
    if (!isAsRequired || typeof given !== 'string' || given === '') return undefined;
    const isEmail = usernameClaim === 'email';
    if (isEmail && 'email_verified' in claims && claims['email_verified'] !== true)
      return undefined;
    const { usernamePrefix = isEmail ? '-' : `${issuerUrl}#` } = options;
    const name = usernamePrefix === '-' ? given : usernamePrefix + given;
    const found = groupsClaim === undefined ? [] : textsIn(claims[groupsClaim]);
    const groups = found?.map((group) => groupsPrefix + group);
    if (groups === undefined || [name, ...groups].some(isOwnName)) return undefined;
    const extra = credentialOf(claims);
    return {
      name,
      groups: [...groups, AUTHENTICATED],
      ...(Object.keys(extra).length === 0 ? {} : { extra }),
    };
  };

/** The head or the claims of a token, before anything is known of it. */
const partOf = (token: string, index: 0 | 1): Record<string, unknown> | undefined => {
  try {
    const text = Buffer.from(token.split('.', 3)[index] ?? '', 'base64url').toString();
    const value = parseJson(text);
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
};

const TOKEN_LENGTH_MAX = 16 * 1024;
const KEYS_MAX = 100;
const ASK_EVERY_MS = 10_000;
