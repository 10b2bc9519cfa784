import type { Attributes } from './access-attributes';
import { ApiError, qualifiedResource } from '../../../api/errors';
import type { PolicyRule } from '../../../api/types';
import { judgeNode, type PodReader } from './node-authorizer';
import { ruleAllows, rulesFor, type RoleReader } from './role-rules';
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
    return this.refusal(user, attributes) === undefined;
  }

  /** @throws Forbidden in upstream's words */
  authorize(user: User, attributes: Attributes): void {
    const why = this.refusal(user, attributes);
    if (why !== undefined) throw denied(user, attributes, why);
  }

  /** What roles allow a user; nodes may do more than this. */
  rulesFor(user: User, namespace: string): readonly PolicyRule[] {
    return rulesFor(user, namespace, this.roles);
  }

  /** Undefined when allowed; else why not, `''` when no rule speaks of it. */
  private refusal(user: User, attributes: Attributes): string | undefined {
    if (user.groups.includes(MASTERS)) return undefined;
    const nodeName = nodeNameOf(user);
    const node = nodeName === undefined ? undefined : judgeNode(nodeName, attributes, this.pods);
    if (node?.isAllowed === true) return undefined;
    const rules = this.rulesFor(user, attributes.namespace);
    return rules.some((rule) => ruleAllows(rule, attributes)) ? undefined : (node?.why ?? '');
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
