import type { ApiObject, OwnerReference } from './types';

/** The owner that manages `object`, if any. */
export const controllerOf = ({ metadata }: ApiObject): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);

/** A plain reference: the object is collected with its owner, which does not manage it. */
export const ownerReference = (owner: ApiObject): OwnerReference => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid ?? '',
});

/** What a controller puts on the objects it manages. Foreground deletion waits for them. */
export const controllerRef = (owner: ApiObject): OwnerReference => ({
  ...ownerReference(owner),
  controller: true,
  blockOwnerDeletion: true,
});
