import { ApiError } from '../../../api/errors';
import type { Authorizer } from './authorizer';
import { ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, type User } from './user';

type Headers = Readonly<Record<string, string | undefined>>;

/**
 * The user a request acts as: all that the headers name, each of it authorized. None is ignored, for
 * the request would then run as someone else than its author thinks.
 * @throws Forbidden unless the caller may impersonate; BadRequest without a user
 */
export const actingUser = (caller: User, headers: Headers, authorizer: Authorizer): User => {
  const asked = askedFor(headers);
  if (asked === undefined) return caller;
  const may = (group: string, resource: string, name: string, more: Partial<Place> = {}): void =>
    authorizer.authorize(caller, {
      verb: 'impersonate',
      group,
      resource,
      subresource: '',
      namespace: '',
      name,
      ...more,
    });
  const { name, groups, uid, extra } = asked;
  const [, namespace = '', accountName = ''] = SERVICE_ACCOUNT.exec(name) ?? [];
  if (namespace === '') may('', 'users', name);
  else may('', 'serviceaccounts', accountName, { namespace });
  for (const group of groups) may('', 'groups', group);
  if (uid !== undefined) may(AUTHENTICATION, 'uids', uid);
  for (const [key, values] of Object.entries(extra))
    for (const value of values) may(AUTHENTICATION, 'userextras', value, { subresource: key });
  return {
    name,
    groups: groupsOf(name, namespace, groups),
    ...(uid === undefined ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
};

/** Does a request ask to be taken for another's? */
export const isImpersonating = (headers: Headers): boolean =>
  Object.keys(headers).some((header) => header.startsWith(PREFIX));

interface Place {
  readonly namespace: string;
  readonly subresource: string;
}

interface Asked {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid: string | undefined;
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

const askedFor = (headers: Headers): Asked | undefined => {
  if (!isImpersonating(headers)) return undefined;
  const name = headers[`${PREFIX}user`] ?? '';
  if (name === '')
    throw new ApiError('BadRequest', 'impersonating groups, a uid or extra needs a user, too');
  const known = new Set(['user', 'group', 'uid'].map((each) => PREFIX + each));
  const extra = new Map<string, readonly string[]>();
  for (const [header, value] of Object.entries(headers)) {
    if (!header.startsWith(PREFIX) || known.has(header)) continue;
    if (!header.startsWith(EXTRA) || header === EXTRA)
      throw new ApiError('BadRequest', `${header} is no header to impersonate by`);
    extra.set(keyOf(header.slice(EXTRA.length)), listOf(value));
  }
  return {
    name,
    groups: listOf(headers[`${PREFIX}group`]),
    uid: headers[`${PREFIX}uid`] || undefined,
    // From entries: a key may be called __proto__.
    extra: Object.fromEntries(extra),
  };
};

/** Whoever has no name of their own is not authenticated by being impersonated. */
const groupsOf = (name: string, namespace: string, asked: readonly string[]): readonly string[] => {
  if (name === ANONYMOUS.name) return [...new Set([...asked, UNAUTHENTICATED])];
  const implied =
    namespace === '' || asked.length > 0
      ? []
      : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  return [...new Set([...asked, ...implied, AUTHENTICATED])];
};

/** Keys are percent-encoded where a header's name may not hold them. */
const keyOf = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** A header that comes several times reaches us as one, joined by commas. */
const listOf = (header = ''): readonly string[] =>
  header.split(',').flatMap((item) => item.trim() || []);

const PREFIX = 'impersonate-';
const EXTRA = `${PREFIX}extra-`;
const AUTHENTICATION = 'authentication.k8s.io';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
