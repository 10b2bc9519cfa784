import type { SecretCoordinates } from './pull-credentials';

/** A Secret and a hash of the credentials that it held for an image. */
export interface KnownSecret extends SecretCoordinates {
  readonly hash: string;
}

/** Who has been seen to read a repository. */
export type Access = 'anyone' | readonly KnownSecret[];

/**
 * By name without tag and digest: content that two repositories share is given by the one that a pod
 * can read, and does not open the other.
 */
export type AccessByRepository = Readonly<Record<string, Access>>;

/**
 * True for whoever offers the same credentials, or the same Secret: one whose content has been renewed
 * must not lock a node out that cannot reach the registry.
 */
export const isAllowed = (access: Access | undefined, offered: readonly KnownSecret[]): boolean => {
  if (access === 'anyone') return true;
  return offered.some((secret) => (access ?? []).some((known) => isSame(secret, known)));
};

/** Adds what was seen; returns `all` itself when that is nothing new. */
export const withAccess = (
  all: AccessByRepository,
  repository: string,
  added: Access,
): AccessByRepository => {
  const known = Object.hasOwn(all, repository) ? all[repository] : undefined;
  const next = merged(known, added);
  if (next === known) return all;
  const others = Object.entries(all).filter(([name]) => name !== repository);
  const entries: readonly (readonly [string, Access])[] = [...others, [repository, next]];
  return Object.fromEntries(entries.slice(-REPOSITORIES_MAX));
};

const merged = (known: Access | undefined, added: Access): Access => {
  if (known === 'anyone' || added === 'anyone') return 'anyone';
  if (known === undefined) return added;
  const isNew = (secret: KnownSecret) =>
    !known.some((other) => isSameSecret(other, secret) && other.hash === secret.hash);
  const fresh = added.filter(isNew);
  if (fresh.length === 0) return known;
  const kept = known.filter((other) => !fresh.some((secret) => isSameSecret(other, secret)));
  return [...kept, ...fresh].slice(-SECRETS_MAX);
};

const isSame = (a: KnownSecret, b: KnownSecret): boolean => a.hash === b.hash || isSameSecret(a, b);

const isSameSecret = (a: SecretCoordinates, b: SecretCoordinates): boolean =>
  a.uid !== '' && a.uid === b.uid && a.name === b.name && a.namespace === b.namespace;

/** Whoever is forgotten has to show again that it may read the image. */
const SECRETS_MAX = 100;
const REPOSITORIES_MAX = 100;
