import type { Attributes } from './access-attributes';
import { ApiError, qualifiedResource } from '../../../api/errors';
import type { PolicyRule } from '../../../api/types';
import { judgeNode, type PodReader, type Verdict } from './node-authorizer';
import { describeGrant, grantsFor, ruleAllows, rulesFor, type RoleReader } from './role-rules';
import { MASTERS, nodeNameOf, type User } from './user';

/**
 * Who may do what: masters everything; a node what its agent, or a client that plays its kubelet,
 * needs; everyone what roles say that are bound to them.
 */
export class Authorizer {
  constructor(
    readonly roles: RoleReader,
    private readonly pods: PodReader,
  ) {}

  isAllowed(user: User, attributes: Attributes): boolean {
    return this.judge(user, attributes).isAllowed;
  }

  /** @throws Forbidden in upstream's words */
  authorize(user: User, attributes: Attributes): void {
    const { isAllowed, why } = this.judge(user, attributes);
    if (!isAllowed) throw denied(user, attributes, why);
  }

  /** What roles allow a user; nodes may do more than this. */
  rulesFor(user: User, namespace: string): readonly PolicyRule[] {
    return rulesFor(user, namespace, this.roles);
  }

  /** Whether, and by what or why not; `''` when there is nothing to say. */
  judge(user: User, attributes: Attributes): Verdict {
    if (user.groups.includes(MASTERS)) return { isAllowed: true, why: '' };
    const nodeName = nodeNameOf(user);
    const node = nodeName === undefined ? undefined : judgeNode(nodeName, attributes, this.pods);
    if (node?.isAllowed === true) return node;
    for (const grant of grantsFor(user, attributes.namespace, this.roles))
      if (grant.rules.some((rule) => ruleAllows(rule, attributes)))
        return { isAllowed: true, why: describeGrant(grant) };
    return { isAllowed: false, why: node?.why ?? '' };
  }
}

const denied = (user: User, attributes: Attributes, why: string): ApiError => {
  const { verb, group, namespace, name, path } = attributes;
  if (path !== undefined)
    return new ApiError(
      'Forbidden',
      `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}`,
    );
  const { resource, subresource } = attributes;
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  const what = qualifiedResource(resource, group) + (name === '' ? '' : ` ${JSON.stringify(name)}`);
  const where =
    namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return new ApiError(
    'Forbidden',
    `${what} is forbidden: User ${JSON.stringify(user.name)} cannot ${verb} resource ` +
      `${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${where}` +
      (why === '' ? '' : `: ${why}`),
    {
      details: {
        ...(name === '' ? {} : { name }),
        ...(group === '' ? {} : { group }),
        kind: resource,
      },
    },
  );
};
