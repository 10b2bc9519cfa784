import { COORDINATION_GROUP, NODE_LEASE_NAMESPACE } from '../../../api/node-restriction';
import type { ApiObject, Pod } from '../../../api/types';
import { isFields, textAt } from '../kinds/mutable';
import type { Attributes } from './access-attributes';

/** The pods there are, from a cache. */
export interface PodReader {
  pod(namespace: string, name: string): ApiObject | undefined;
  podsIn(namespace: string): readonly ApiObject[];
}

/** What a node may do, or why not; `''` where there is nothing to say. */
export type Verdict = { readonly isAllowed: boolean; readonly why: string };

/**
 * What the agent of one node needs, or a client that plays its kubelet: its own node and lease, the
 * pods bound to it, and of secrets and the like just those that they name. A stolen node key opens
 * one node, not the cluster. Source: KEP-279, KEP-4601 and upstream's node authorizer; what the
 * written objects may hold is for `nodeRestriction`.
 */
export const judgeNode = (nodeName: string, asked: Attributes, pods: PodReader): Verdict => {
  const { verb, group, resource, subresource } = asked;
  if (asked.path !== undefined) return NOT_FOR_NODES;
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  const rule = RULES.get(group === '' ? full : `${full}.${group}`);
  if (rule === undefined || !rule.verbs.includes(verb)) return NOT_FOR_NODES;
  const why = rule.refusal?.(nodeName, asked, pods);
  return why === undefined ? ALLOWED : { isAllowed: false, why };
};

interface Rule {
  readonly verbs: readonly string[];
  /** Why not in this case. */
  refusal?(nodeName: string, asked: Attributes, pods: PodReader): string | undefined;
}

const ALLOWED: Verdict = { isAllowed: true, why: '' };
const NOT_FOR_NODES: Verdict = { isAllowed: false, why: '' };

/** A create names nothing yet: admission looks at the object. */
const ownNode = (nodeName: string, { verb, name, resource }: Attributes): string | undefined =>
  name === nodeName || (name === '' && verb === 'create')
    ? undefined
    : `node '${nodeName}' cannot ${READS.includes(verb) ? 'read' : 'modify'} ` +
      (name === '' ? `all ${resource}, only its own Node object` : `'${name}', only its own`);

const ownLease = (nodeName: string, asked: Attributes): string | undefined =>
  asked.namespace === NODE_LEASE_NAMESPACE
    ? ownNode(nodeName, asked)
    : `can only access leases in the "${NODE_LEASE_NAMESPACE}" system namespace`;

const ownPod = (
  nodeName: string,
  { verb, namespace, name, fields }: Attributes,
  pods: PodReader,
): string | undefined => {
  if (verb === 'list' || verb === 'watch')
    return fields?.get('spec.nodeName') === nodeName
      ? undefined
      : 'can only list/watch pods with spec.nodeName field selector';
  return nodeOf(pods.pod(namespace, name)) === nodeName ? undefined : unrelated(nodeName);
};

/** Only what a pod on the node refers to by one of the fields. */
const referred =
  (fields: ReferenceFields) =>
  (nodeName: string, { namespace, name }: Attributes, pods: PodReader): string | undefined =>
    name !== '' &&
    pods
      .podsIn(namespace)
      .some((pod) => nodeOf(pod) === nodeName && refersTo((pod as Pod).spec, fields, name))
      ? undefined
      : unrelated(nodeName);

const unrelated = (nodeName: string): string =>
  `no relationship found between node '${nodeName}' and this object`;

const nodeOf = (pod: ApiObject | undefined): string => textAt(pod, 'spec', 'nodeName');

interface ReferenceFields {
  /** Objects that hold the name in `name` or `secretName`. */
  readonly objects?: readonly string[];
  readonly lists?: readonly string[];
  readonly texts?: readonly string[];
}

/** Looks for a reference anywhere in a pod's spec: volumes, env, envFrom, pull secrets. */
const refersTo = (value: unknown, fields: ReferenceFields, name: string): boolean => {
  if (Array.isArray(value)) return value.some((item: unknown) => refersTo(item, fields, name));
  if (!isFields(value)) return false;
  return Object.entries(value).some(([key, member]) => {
    if (fields.texts?.includes(key) === true && member === name) return true;
    if (fields.objects?.includes(key) === true && isNamed(member, name)) return true;
    if (fields.lists?.includes(key) === true && Array.isArray(member))
      return member.some((item: unknown) => isNamed(item, name));
    return refersTo(member, fields, name);
  });
};

const isNamed = (value: unknown, name: string): boolean =>
  isFields(value) && (value['name'] === name || value['secretName'] === name);

const READS = ['get', 'list', 'watch'];
const WRITES = ['create', 'update', 'patch'];
const ACCOUNT = { texts: ['serviceAccountName'] };

const RULES: ReadonlyMap<string, Rule> = new Map(
  Object.entries<Rule>({
    nodes: { verbs: [...READS, ...WRITES], refusal: ownNode },
    'nodes/status': { verbs: ['get', 'update', 'patch'], refusal: ownNode },
    [`leases.${COORDINATION_GROUP}`]: { verbs: ['get', 'delete', ...WRITES], refusal: ownLease },
    pods: { verbs: [...READS, 'delete'], refusal: ownPod },
    'pods/status': { verbs: ['get', 'update', 'patch'], refusal: ownPod },
    'pods/eviction': { verbs: ['create'], refusal: ownPod },
    events: { verbs: WRITES },
    'events.events.k8s.io': { verbs: WRITES },
    'certificatesigningrequests.certificates.k8s.io': { verbs: ['create', ...READS] },
    'runtimeclasses.node.k8s.io': { verbs: READS },
    configmaps: {
      verbs: ['get'],
      refusal: referred({ objects: ['configMap', 'configMapRef', 'configMapKeyRef'] }),
    },
    secrets: {
      verbs: ['get'],
      refusal: referred({
        objects: ['secret', 'secretRef', 'secretKeyRef'],
        lists: ['imagePullSecrets'],
      }),
    },
    serviceaccounts: { verbs: ['get'], refusal: referred(ACCOUNT) },
    'serviceaccounts/token': { verbs: ['create'], refusal: referred(ACCOUNT) },
    services: { verbs: READS },
    namespaces: { verbs: READS },
  }),
);
