import { notFound, qualifiedResource } from '../../../api/errors';
import { jsonEqual } from '../../../api/json-value';
import {
  COORDINATION_GROUP,
  forbiddenLabelChanges,
  NODE_LEASE_NAMESPACE,
} from '../../../api/node-restriction';
import type { ApiObject } from '../../../api/types';
import { NODE_IDENTITY_ANNOTATION } from '../../../api/node-identity';
import { nodeNameOf } from '../auth/user';
import { NODES, PODS } from '../../../api/resources';
import { fieldsAt, listAt, textAt, valueAt } from '../kinds/mutable';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';
import type { AdmissionAttributes } from './attributes';
import { refusal } from './refusal';

/**
 * Holds what a node writes to what a node may say: authorization saw only where it writes. In
 * upstream's words, where it has them.
 */
export const nodeRestriction = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'NodeRestriction',
  handles: ({ operation, user }) => operation !== 'CONNECT' && nodeNameOf(user) !== undefined,
  admit: async (asked, signal) => {
    const { group, plural } = asked.kind.resource;
    const check = CHECKS[qualifiedResource(plural, group)];
    const why = await check?.(nodeNameOf(asked.user) ?? '', asked, reader, signal);
    if (why !== undefined) throw refusal(asked, why);
    return false;
  },
});

/** Why not; undefined when there is nothing against it. */
type Check = (
  nodeName: string,
  asked: AdmissionAttributes,
  reader: AdmissionReader,
  signal: AbortSignal,
) => string | undefined | Promise<string | undefined>;

const checkNode: Check = (nodeName, asked, reader) => {
  const { operation, name, object, old } = asked;
  if (name !== nodeName) return `node "${nodeName}" is not allowed to modify node "${name}"`;
  if (operation === 'DELETE') return undefined;
  const labels = forbiddenLabelChanges(old?.metadata.labels, object?.metadata.labels);
  if (labels.length > 0)
    return `is not allowed to ${operation === 'CREATE' ? 'set the following' : 'modify'} labels: ${labels.join(', ')}`;
  if (identityOf(object) !== identityOf(old))
    return `node "${nodeName}" is not allowed to modify who may act as it`;
  if (old !== undefined && !jsonEqual(taintsOf(object), taintsOf(old)))
    return `node "${nodeName}" is not allowed to modify taints`;
  if (old !== undefined && !jsonEqual(ownersOf(object), ownersOf(old)))
    return `node "${nodeName}" is not allowed to modify ownerReferences`;
  return takenAddress(asked, reader);
};

const checkPod: Check = (nodeName, asked, reader, signal) => {
  switch (asked.subresource) {
    case '':
      return checkWholePod(nodeName, asked);
    case 'status':
      return checkPodStatus(nodeName, asked);
    case 'eviction':
      return checkEviction(nodeName, asked, reader, signal);
    default:
      return (
        `unexpected pod subresource "${asked.subresource}", only 'status' and 'eviction' are ` +
        'allowed'
      );
  }
};

const checkWholePod = (nodeName: string, { operation, old }: AdmissionAttributes) => {
  if (operation !== 'DELETE') return `node "${nodeName}" can only update the status of pods`;
  return nodeOf(old) === nodeName
    ? undefined
    : `node "${nodeName}" can only delete pods with spec.nodeName set to itself`;
};

/** A pod's status is all that a node writes of it: labels are how others choose it. */
const checkPodStatus = (nodeName: string, { object, old }: AdmissionAttributes) => {
  if (nodeOf(old) !== nodeName)
    return `node "${nodeName}" can only update pod status for pods with spec.nodeName set to itself`;
  // Nothing else of the metadata is written through a status, by anyone.
  for (const field of ['labels', 'annotations'] as const)
    if (!jsonEqual({ ...object?.metadata[field] }, { ...old?.metadata[field] }))
      return `node "${nodeName}" cannot update ${field} through pod status`;
  return undefined;
};

const checkEviction: Check = async (nodeName, { namespace, name }, reader, signal) => {
  const pod = await reader.find(PODS.plural, namespace, name, signal);
  if (pod === undefined) throw notFound(PODS.plural, '', name);
  return nodeOf(pod) === nodeName
    ? undefined
    : `node ${nodeName} can only evict pods with spec.nodeName set to itself`;
};

/** A node has tokens only for the pods that it runs. */
const checkToken: Check = async (nodeName, asked, reader, signal) => {
  if (asked.operation !== 'CREATE' || asked.subresource !== 'token') return undefined;
  const bound = fieldsAt(asked.object, 'spec', 'boundObjectRef');
  const [name, uid] = [textAt(bound, 'name'), textAt(bound, 'uid')];
  if (textAt(bound, 'apiVersion') !== 'v1' || textAt(bound, 'kind') !== 'Pod' || name === '')
    return 'node requested token not bound to a pod';
  if (uid === '') return 'node requested token with a pod binding without a uid';
  const pod = await reader.find(PODS.plural, asked.namespace, name, signal);
  if (pod === undefined) throw notFound(PODS.plural, '', name);
  if (uid !== pod.metadata.uid)
    return (
      `the UID in the bound object reference (${uid}) does not match the UID in record. The ` +
      'object might have been deleted and then recreated'
    );
  return nodeOf(pod) === nodeName
    ? undefined
    : 'node requested token bound to a pod scheduled on a different node';
};

const checkLease: Check = (nodeName, { namespace, name }) => {
  if (namespace !== NODE_LEASE_NAMESPACE)
    return `can only access leases in the "${NODE_LEASE_NAMESPACE}" system namespace`;
  return name === nodeName
    ? undefined
    : 'can only access node lease with the same name as the requesting node';
};

const CHECKS: Readonly<Partial<Record<string, Check>>> = {
  nodes: checkNode,
  pods: checkPod,
  serviceaccounts: checkToken,
  [`leases.${COORDINATION_GROUP}`]: checkLease,
};

const nodeOf = (pod: ApiObject | undefined): string => textAt(pod, 'spec', 'nodeName');

const identityOf = (object: Pick<ApiObject, 'metadata'> | undefined): string | undefined =>
  object?.metadata.annotations?.[NODE_IDENTITY_ANNOTATION];

/** Pods of two nodes of one address would be cut off. */
const takenAddress = (
  { name, object, old }: AdmissionAttributes,
  reader: AdmissionReader,
): string | undefined => {
  const before = addressesOf(old);
  const added = addressesOf(object).filter((address) => !before.includes(address));
  if (added.length === 0) return undefined;
  const other = reader
    .list(NODES.plural)
    .find(
      (each) =>
        each.metadata.name !== name && addressesOf(each).some((address) => added.includes(address)),
    );
  return other && `the address ${added.join(', ')} is of node "${other.metadata.name}"`;
};

const addressesOf = (node: ApiObject | undefined): readonly string[] =>
  listAt(node, 'status', 'addresses')
    .filter((each) => textAt(each, 'type') === 'InternalIP')
    .map((each) => textAt(each, 'address'));

const taintsOf = (node: unknown): unknown => valueAt(node, 'spec', 'taints') ?? [];

const ownersOf = (node: ApiObject | undefined): unknown => node?.metadata.ownerReferences ?? [];
