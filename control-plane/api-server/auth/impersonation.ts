import { ApiError } from '../../../api/errors';
import { AUTHENTICATED, MASTERS, type User } from './user';

type Headers = Readonly<Record<string, string | undefined>>;

/** The user a request acts as. @throws Forbidden unless a master asks */
export const actingUser = (user: User, headers: Headers): User => {
  const name = headers['impersonate-user'];
  const groups = headers['impersonate-group'];
  if (name === undefined) {
    if (groups !== undefined)
      throw new ApiError('BadRequest', 'impersonating a group needs a user to impersonate');
    return user;
  }
  if (!user.groups.includes(MASTERS))
    throw new ApiError(
      'Forbidden',
      `users ${JSON.stringify(name)} is forbidden: User ${JSON.stringify(user.name)} cannot ` +
        'impersonate resource "users" in API group "" at the cluster scope',
      { details: { name, kind: 'users' } },
    );
  const asked = (groups ?? '').split(',').flatMap((group) => group.trim() || []);
  return { name, groups: [...new Set([...asked, ...impliedGroups(name), AUTHENTICATED])] };
};

const impliedGroups = (name: string): readonly string[] => {
  const [, , namespace, account] = SERVICE_ACCOUNT.test(name) ? name.split(':') : [];
  return account === undefined || namespace === undefined
    ? []
    : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
};

const SERVICE_ACCOUNT = /^system:serviceaccount:[^:]+:[^:]+$/;
