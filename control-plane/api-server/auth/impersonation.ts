import { ApiError } from '../../../api/errors';
import type { Authorizer } from './authorizer';
import { AUTHENTICATED, type User } from './user';

type Headers = Readonly<Record<string, string | undefined>>;

/** The user a request acts as. @throws Forbidden unless the caller may impersonate */
export const actingUser = (user: User, headers: Headers, authorizer: Authorizer): User => {
  const name = headers['impersonate-user'];
  const groups = headers['impersonate-group'];
  if (name === undefined) {
    if (groups !== undefined)
      throw new ApiError('BadRequest', 'impersonating a group needs a user to impersonate');
    return user;
  }
  const asked = (groups ?? '').split(',').flatMap((group) => group.trim() || []);
  const account = SERVICE_ACCOUNT.exec(name);
  const [, namespace = '', accountName = ''] = account ?? [];
  const may = (resource: string, wanted: string, where: string): void =>
    authorizer.authorize(user, {
      verb: 'impersonate',
      group: '',
      resource,
      subresource: '',
      namespace: where,
      name: wanted,
    });
  if (account === null) may('users', name, '');
  else may('serviceaccounts', accountName, namespace);
  for (const group of asked) may('groups', group, '');
  return { name, groups: [...new Set([...asked, ...impliedGroups(name), AUTHENTICATED])] };
};

const impliedGroups = (name: string): readonly string[] => {
  const namespace = SERVICE_ACCOUNT.exec(name)?.[1];
  return namespace === undefined
    ? []
    : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
};

const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
