import { jsonEqual } from '../../../api/json-value';
import {
  COORDINATION_GROUP,
  forbiddenLabelChanges,
  NODE_LEASE_NAMESPACE,
} from '../../../api/node-restriction';
import type { ApiObject } from '../../../api/types';
import { NODE_IDENTITY_ANNOTATION } from '../../../api/node-identity';
import { nodeNameOf, type User } from '../auth/user';
import { NODES } from '../../../api/resources';
import { listAt, textAt, valueAt } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import { forbidden } from './forbidden';

/**
 * Holds what a node writes to what a node may say: authorization saw only where it writes. `old` is
 * undefined for a create. @throws Forbidden. Source: upstream's NodeRestriction admission
 */
export const checkNodeWrite = (
  kind: ServedKind,
  object: ApiObject,
  old: ApiObject | undefined,
  user: User,
  subresource: string,
  nodes: () => readonly ApiObject[],
): void => {
  const nodeName = nodeNameOf(user);
  if (nodeName === undefined) return;
  const { group, plural } = kind.resource;
  const check = CHECKS[group === '' ? plural : `${plural}.${group}`];
  const why =
    check?.(nodeName, object, old, subresource) ??
    (kind.resource === NODES ? takenAddress(object, old, nodes) : undefined);
  if (why !== undefined) throw forbidden(kind, object, why);
};

type Check = (
  nodeName: string,
  object: ApiObject,
  old: ApiObject | undefined,
  subresource: string,
) => string | undefined;

const checkNode: Check = (nodeName, { metadata, ...object }, old) => {
  if (metadata.name !== nodeName)
    return `node "${nodeName}" is not allowed to modify node "${metadata.name}"`;
  const labels = forbiddenLabelChanges(old?.metadata.labels, metadata.labels);
  if (labels.length > 0)
    return `is not allowed to ${old === undefined ? 'set the following' : 'modify'} labels: ${labels.join(', ')}`;
  if (identityOf({ metadata }) !== identityOf(old))
    return `node "${nodeName}" is not allowed to modify who may act as it`;
  if (old === undefined) return undefined;
  if (!jsonEqual(taintsOf(object), taintsOf(old)))
    return `node "${nodeName}" is not allowed to modify taints`;
  if (!jsonEqual(metadata.ownerReferences ?? [], old.metadata.ownerReferences ?? []))
    return `node "${nodeName}" is not allowed to modify ownerReferences`;
  return undefined;
};

/** A pod's status is all that a node writes of it: labels are how others choose it. */
const checkPod: Check = (nodeName, { metadata }, old, subresource) => {
  if (old === undefined || subresource !== 'status')
    return `node "${nodeName}" can only update the status of pods`;
  if (valueAt(old, 'spec', 'nodeName') !== nodeName)
    return `node "${nodeName}" can only update pod status for pods with spec.nodeName set to itself`;
  // Nothing else of the metadata is written through a status, by anyone.
  for (const field of ['labels', 'annotations'] as const)
    if (!jsonEqual({ ...metadata[field] }, { ...old.metadata[field] }))
      return `node "${nodeName}" cannot update ${field} through pod status`;
  return undefined;
};

const checkLease: Check = (nodeName, { metadata }) => {
  if (metadata.namespace !== NODE_LEASE_NAMESPACE)
    return `can only access leases in the "${NODE_LEASE_NAMESPACE}" system namespace`;
  return metadata.name === nodeName
    ? undefined
    : 'can only access node lease with the same name as the requesting node';
};

const CHECKS: Readonly<Partial<Record<string, Check>>> = {
  nodes: checkNode,
  pods: checkPod,
  [`leases.${COORDINATION_GROUP}`]: checkLease,
};

const identityOf = (object: Pick<ApiObject, 'metadata'> | undefined): string | undefined =>
  object?.metadata.annotations?.[NODE_IDENTITY_ANNOTATION];

/** Pods of two nodes of one address would be cut off. */
const takenAddress = (
  node: ApiObject,
  old: ApiObject | undefined,
  nodes: () => readonly ApiObject[],
): string | undefined => {
  const before = addressesOf(old);
  const added = addressesOf(node).filter((address) => !before.includes(address));
  if (added.length === 0) return undefined;
  const other = nodes().find(
    (each) =>
      each.metadata.name !== node.metadata.name &&
      addressesOf(each).some((address) => added.includes(address)),
  );
  return other && `the address ${added.join(', ')} is of node "${other.metadata.name}"`;
};

const addressesOf = (node: ApiObject | undefined): readonly string[] =>
  listAt(node, 'status', 'addresses')
    .filter((each) => textAt(each, 'type') === 'InternalIP')
    .map((each) => textAt(each, 'address'));

const taintsOf = (node: unknown): unknown => valueAt(node, 'spec', 'taints') ?? [];
