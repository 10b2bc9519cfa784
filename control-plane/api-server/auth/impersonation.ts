import { ApiError, hasReason } from '../../../api/errors';
import { subdomainName } from '../../../api/validation/metadata';
import type { Attributes } from './access-attributes';
import type { Authorizer } from './authorizer';
import {
  ANONYMOUS,
  AUTHENTICATED,
  MASTERS,
  NODES_GROUP,
  nodeNameIn,
  UNAUTHENTICATED,
  type User,
} from './user';

type Headers = Readonly<Record<string, string | undefined>>;

/**
 * The user a request acts as: all that the headers name, each of it authorized. None is ignored, for
 * the request would then run as someone else than its author thinks. As upstream, whoever may only do
 * some things as another, by `impersonate-on:MODE:VERB` and `impersonate:MODE`, is asked about these
 * first, and then about `impersonate`, which is for everything. Source: KEP-5284.
 * @throws Forbidden unless the caller may impersonate; BadRequest without a user
 */
export const actingUser = (
  caller: User,
  headers: Headers,
  asked: Attributes,
  authorizer: Authorizer,
): User => {
  const wanted = wantedIn(headers);
  if (wanted === undefined) return caller;
  let first: unknown;
  for (const mode of MODES) {
    if (!mode.fits(wanted, caller)) continue;
    try {
      return allowed(mode, caller, wanted, asked, authorizer);
    } catch (error) {
      if (!hasReason(error, 'Forbidden')) throw error;
      first ??= error;
    }
  }
  throw first;
};

/** Does a request ask to be taken for another's? */
export const isImpersonating = (headers: Headers): boolean =>
  Object.keys(headers).some((header) => header.startsWith(PREFIX));

/** Between the values of a header that came several times: none can hold it. */
export const VALUES_SEPARATOR = '\n';

interface Wanted {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid: string | undefined;
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** A way to act as another, which a role may allow by itself. */
interface Mode {
  /** `''`: everything, as it was before there were others. */
  readonly name: string;
  fits(wanted: Wanted, caller: User): boolean;
}

const MODES: readonly Mode[] = [
  {
    name: 'associated-node',
    fits: (wanted, { name, extra = {} }) => {
      const [node, ...more] = extra['authentication.kubernetes.io/node-name'] ?? [];
      const isOwn = node !== undefined && more.length === 0 && nodeNameOf(wanted.name) === node;
      return isOwn && isNameOnly(wanted) && SERVICE_ACCOUNT.test(name);
    },
  },
  {
    name: 'arbitrary-node',
    fits: (wanted) => isNameOnly(wanted) && nodeNameOf(wanted.name) !== undefined,
  },
  {
    name: 'serviceaccount',
    fits: (wanted) => isNameOnly(wanted) && SERVICE_ACCOUNT.test(wanted.name),
  },
  {
    name: 'user-info',
    fits: ({ name }) => nodeNameOf(name) === undefined && !SERVICE_ACCOUNT.test(name),
  },
  { name: '', fits: () => true },
];

/** @throws Forbidden */
const allowed = (
  { name: mode }: Mode,
  caller: User,
  wanted: Wanted,
  asked: Attributes,
  authorizer: Authorizer,
): User => {
  const isConstrained = mode !== '';
  const verb = isConstrained ? `impersonate:${mode}` : 'impersonate';
  // It is for all nodes: the token says which one it is.
  const isAssociated = mode === 'associated-node';
  if (isConstrained)
    authorizer.authorize(caller, { ...asked, verb: `impersonate-on:${mode}:${asked.verb}` });
  const may = (group: string, resource: string, name: string, more: Partial<Place> = {}): void =>
    authorizer.authorize(caller, { ...NOTHING, verb, group, resource, name, ...more });
  const { name, groups, uid, extra } = wanted;
  const group = isConstrained ? AUTHENTICATION : '';
  const [, namespace = '', accountName = ''] = SERVICE_ACCOUNT.exec(name) ?? [];
  const nodeName = isConstrained ? nodeNameOf(name) : undefined;
  if (nodeName !== undefined) may(group, 'nodes', isAssociated ? '*' : nodeName);
  else if (namespace !== '')
    may(isConstrained ? group : '', 'serviceaccounts', accountName, { namespace });
  else may(group, 'users', name);
  if (isConstrained) refuseWhatNoneMay(wanted, (resource, each) => may(group, resource, each));
  if (uid !== undefined) may(AUTHENTICATION, 'uids', uid);
  for (const each of groups) may(group, 'groups', each);
  for (const [key, values] of Object.entries(extra))
    for (const value of values) may(AUTHENTICATION, 'userextras', value, { subresource: key });
  return {
    name,
    groups:
      nodeName === undefined ? groupsOf(name, namespace, groups) : [NODES_GROUP, AUTHENTICATED],
    ...(uid === undefined ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
};

/** No role lets one act as everybody's master but by the right that is for everything. */
const refuseWhatNoneMay = (
  { groups, extra }: Wanted,
  may: (resource: string, name: string) => void,
): void => {
  if (groups.includes(MASTERS)) {
    may('groups', MASTERS);
    throw new ApiError('Forbidden', 'impersonating the system:masters group is not allowed');
  }
  const values = Object.values(extra);
  if (groups.includes('') || values.some((list) => list.length === 0 || list.includes('')))
    throw new ApiError('Forbidden', 'impersonating the empty string is not allowed');
};

interface Place {
  readonly namespace: string;
  readonly subresource: string;
}

const wantedIn = (headers: Headers): Wanted | undefined => {
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

const isNameOnly = ({ groups, uid, extra }: Wanted): boolean =>
  groups.length === 0 && uid === undefined && Object.keys(extra).length === 0;

/** A user that is called as a node is, whatever its groups. */
const nodeNameOf = (user: string): string | undefined => {
  const name = nodeNameIn(user);
  return name !== undefined && subdomainName(name).length === 0 ? name : undefined;
};

/** Whoever has no name of their own is not authenticated by being impersonated. */
const groupsOf = (name: string, namespace: string, asked: readonly string[]): readonly string[] => {
  const implied =
    namespace === '' || asked.length > 0
      ? []
      : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  const isStranger = name === ANONYMOUS.name || asked.includes(UNAUTHENTICATED);
  return [...new Set([...asked, ...implied, isStranger ? UNAUTHENTICATED : AUTHENTICATED])];
};

/** Keys are percent-encoded where a header's name may not hold them. */
const keyOf = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const listOf = (header: string | undefined): readonly string[] =>
  header === undefined ? [] : header.split(VALUES_SEPARATOR);

const NOTHING = { subresource: '', namespace: '' };
const PREFIX = 'impersonate-';
const EXTRA = `${PREFIX}extra-`;
const AUTHENTICATION = 'authentication.k8s.io';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
