import { ApiError, qualifiedResource } from '../../../api/errors';
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
 * Who may do what, by group: masters everything; a node what its agent, or a client that plays its
 * kubelet, needs; anyone authenticated may discover the API.
 */
export const isAllowed = (user: User, attributes: Attributes): boolean => {
  if (user.groups.includes(MASTERS)) return true;
  if (attributes.path !== undefined)
    return attributes.verb === 'get' && isPublicPath(attributes.path);
  if (SELF_REVIEWS.has(attributes.resource)) return attributes.verb === 'create';
  const nodeName = nodeNameOf(user);
  return nodeName !== undefined && isAllowedToNode(nodeName, attributes);
};

/** @throws Forbidden in upstream's words */
export const authorize = (user: User, attributes: Attributes): void => {
  if (!isAllowed(user, attributes)) throw denied(user, attributes);
};

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

const isPublicPath = (path: string): boolean =>
  /^\/(api|apis|openapi|version|healthz|livez|readyz)(\/|$)/.test(path);

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

const SELF_REVIEWS = new Set([
  'selfsubjectreviews',
  'selfsubjectaccessreviews',
  'selfsubjectrulesreviews',
]);
