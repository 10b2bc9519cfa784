import { ApiError, qualifiedResource } from '../../../api/errors';
import type { PolicyRule } from '../../../api/types';
import { ruleAllows, rulesFor, type RoleReader } from './role-rules';
import { MASTERS, nodeNameOf, type User } from './user';

/** What is asked: of objects, or of a path that names none. */
export interface Attributes {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** Set for requests that are about no resource. */
  readonly path?: string;
}

/**
 * Who may do what: masters everything; a node what its agent, or a client that plays its kubelet,
 * needs; everyone what roles say that are bound to them.
 */
export class Authorizer {
  constructor(readonly roles: RoleReader) {}

  isAllowed(user: User, attributes: Attributes): boolean {
    if (user.groups.includes(MASTERS)) return true;
    const nodeName = nodeNameOf(user);
    if (nodeName !== undefined && isAllowedToNode(nodeName, attributes)) return true;
    return this.rulesFor(user, attributes.namespace).some((rule) => ruleAllows(rule, attributes));
  }

  /** @throws Forbidden in upstream's words */
  authorize(user: User, attributes: Attributes): void {
    if (!this.isAllowed(user, attributes)) throw denied(user, attributes);
  }

  /** What roles allow a user; nodes may do more than this. */
  rulesFor(user: User, namespace: string): readonly PolicyRule[] {
    return rulesFor(user, namespace, this.roles);
  }
}

const denied = (user: User, attributes: Attributes): ApiError => {
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
      `${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${where}`,
    {
      details: {
        ...(name === '' ? {} : { name }),
        ...(group === '' ? {} : { group }),
        kind: resource,
      },
    },
  );
};

/** Reads what pods refer to; writes statuses, events, its own lease and node, ends its pods. */
const isAllowedToNode = (nodeName: string, attributes: Attributes): boolean => {
  const { verb, resource, subresource, name } = attributes;
  const rule = NODE_RULES[subresource === '' ? resource : `${resource}/${subresource}`];
  if (rule === undefined) return false;
  const isOwn = name === '' || name === nodeName;
  return rule.verbs.includes(verb) && (isOwn || rule.isOwnOnly !== true || READS.includes(verb));
};

const READS = ['get', 'list', 'watch'];
const WRITES = ['create', 'update', 'patch'];

const NODE_RULES: Readonly<
  Partial<Record<string, { readonly verbs: readonly string[]; readonly isOwnOnly?: boolean }>>
> = {
  nodes: { verbs: [...READS, ...WRITES], isOwnOnly: true },
  'nodes/status': { verbs: ['get', 'update', 'patch'], isOwnOnly: true },
  leases: { verbs: ['get', 'delete', ...WRITES], isOwnOnly: true },
  pods: { verbs: [...READS, 'delete'] },
  'pods/status': { verbs: ['get', 'update', 'patch'] },
  'pods/eviction': { verbs: ['create'] },
  events: { verbs: WRITES },
  // Only those that its pods name: see `guardNode`.
  configmaps: { verbs: ['get'] },
  secrets: { verbs: ['get'] },
  serviceaccounts: { verbs: ['get'] },
  services: { verbs: READS },
  namespaces: { verbs: READS },
};
