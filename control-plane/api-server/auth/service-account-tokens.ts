import { createPrivateKey, randomUUID, type KeyObject } from 'node:crypto';
import { ApiError } from '../../../api/errors';
import type { ApiObject } from '../../../api/types';
import type { Clock } from '../../../lib/clock';
import { RecentlyUsed } from '../../../lib/recently-used';
import { fieldsAt, listAt, numberAt, textAt, type Fields } from '../kinds/mutable';
import type { AdmissionReader } from '../admission/admission-reader';
import { algorithmOf, jsonWebKey, signToken, verifiedClaims } from './json-web-token';
import { AUTHENTICATED, type User } from './user';

export interface TokenDeps {
  /** PEM of the key that signs: RSA, or of the curve P-256. */
  readonly signingKey: () => Promise<string>;
  readonly find: AdmissionReader['find'];
  readonly clock: Clock;
}

export interface TokenOrder {
  readonly audiences: readonly string[];
  readonly lifetimeSeconds: number;
  /** The token dies with this pod, secret or node. */
  readonly boundTo?: ApiObject;
}

/**
 * Tokens by which service accounts are known. They hold for a time, and no longer than the account
 * they name and the object they are bound to.
 */
export class ServiceAccountTokens {
  private key: Promise<KeyObject> | undefined;
  /** What a signature was found good for: that takes longer than all else about a token. */
  private readonly verified = new RecentlyUsed<string, Fields>(VERIFIED_MAX);

  constructor(private readonly deps: TokenDeps) {}

  async issue(
    { metadata }: ApiObject,
    { audiences, lifetimeSeconds, boundTo }: TokenOrder,
  ): Promise<{ readonly token: string; readonly expiresAtMs: number }> {
    const nowSeconds = Math.floor(this.deps.clock.now() / 1000);
    const { namespace = '', name, uid } = metadata;
    const claims = {
      aud: audiences,
      exp: nowSeconds + lifetimeSeconds,
      iat: nowSeconds,
      iss: ISSUER,
      jti: randomUUID(),
      [PRIVATE_CLAIMS]: {
        namespace,
        ...(boundTo === undefined
          ? {}
          : {
              [boundTo.kind.toLowerCase()]: {
                name: boundTo.metadata.name,
                uid: boundTo.metadata.uid,
              },
            }),
        serviceaccount: { name, uid },
      },
      nbf: nowSeconds,
      sub: accountUser(namespace, name),
    };
    const token = signToken(claims, await this.signingKey());
    return { token, expiresAtMs: claims.exp * 1000 };
  }

  /** Whose token it is, for one of the audiences; undefined when it does not hold. */
  async userOf(
    token: string,
    audiences: readonly string[],
    signal: AbortSignal,
  ): Promise<User | undefined> {
    if (!LOOKS_LIKE_TOKEN.test(token)) return undefined;
    const claims = this.verified.get(token) ?? (await this.verify(token));
    if (claims === undefined) return undefined;
    const nowSeconds = this.deps.clock.now() / 1000;
    const isMeant = listAt(claims, 'aud').some((audience) => audiences.includes(String(audience)));
    const isNow =
      numberAt(claims, 'exp') > nowSeconds && numberAt(claims, 'nbf') <= nowSeconds + SKEW_SECONDS;
    if (claims['iss'] !== ISSUER || !isMeant || !isNow) return undefined;
    return (await this.stillHolds(claims, signal)) ? userIn(claims) : undefined;
  }

  private async verify(token: string): Promise<Fields | undefined> {
    const claims = verifiedClaims(token, await this.signingKey());
    if (claims !== undefined) this.verified.set(token, claims);
    return claims;
  }

  /** By which they are signed. */
  async algorithm(): Promise<string> {
    return algorithmOf(await this.signingKey());
  }

  /** The public key, in a set. */
  async keySet(): Promise<object> {
    return { keys: [jsonWebKey(await this.signingKey())] };
  }

  private async stillHolds(claims: Fields, signal: AbortSignal): Promise<boolean> {
    const own = fieldsAt(claims, PRIVATE_CLAIMS);
    const namespace = textAt(own, 'namespace');
    const referred = [['serviceaccount', 'serviceaccounts', namespace], ...BOUND].filter(
      ([claim = '']) => own[claim] !== undefined,
    );
    const found = await Promise.all(
      referred.map(async ([claim = '', resource = '', where = namespace]) => {
        const name = textAt(own, claim, 'name');
        const object = await this.deps.find(resource, where, name, signal);
        if (object === undefined || this.isOver(object)) return false;
        return object.metadata.uid === textAt(own, claim, 'uid');
      }),
    );
    return found.length > 0 && found.every(Boolean);
  }

  /** What waits for a finalizer is over all the same, a while after its grace. */
  private isOver({ metadata: { deletionTimestamp } }: ApiObject): boolean {
    if (deletionTimestamp === undefined) return false;
    return Date.parse(deletionTimestamp) + LEEWAY_MS < this.deps.clock.now();
  }

  private signingKey(): Promise<KeyObject> {
    this.key ??= this.deps.signingKey().then(
      (pem) => createPrivateKey(pem),
      (error: unknown) => {
        this.key = undefined;
        throw new ApiError('InternalError', 'the key for tokens cannot be had', { cause: error });
      },
    );
    return this.key;
  }
}

/** What the tokens for the API itself say of where they come from and where they are good. */
export const ISSUER = 'https://kubernetes.default.svc';

const userIn = (claims: Fields): User => {
  const own = fieldsAt(claims, PRIVATE_CLAIMS);
  const namespace = textAt(own, 'namespace');
  const bound = (claim: string, key: string) =>
    own[claim] === undefined
      ? {}
      : {
          [`authentication.kubernetes.io/${key}-name`]: [textAt(own, claim, 'name')],
          [`authentication.kubernetes.io/${key}-uid`]: [textAt(own, claim, 'uid')],
        };
  return {
    name: accountUser(namespace, textAt(own, 'serviceaccount', 'name')),
    uid: textAt(own, 'serviceaccount', 'uid'),
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, AUTHENTICATED],
    extra: {
      'authentication.kubernetes.io/credential-id': [`JTI=${textAt(claims, 'jti')}`],
      ...bound('node', 'node'),
      ...bound('pod', 'pod'),
    },
  };
};

const accountUser = (namespace: string, name: string): string =>
  `system:serviceaccount:${namespace}:${name}`;

const PRIVATE_CLAIMS = 'kubernetes.io';
/** Claim, resource and, where it is not the account's, namespace of what a token may be bound to. */
const BOUND: readonly (readonly string[])[] = [
  ['pod', 'pods'],
  ['secret', 'secrets'],
  ['node', 'nodes', ''],
];
const LOOKS_LIKE_TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const SKEW_SECONDS = 10;
const LEEWAY_MS = 60_000;
const VERIFIED_MAX = 1024;
