import type { ApiObject, OwnerReference } from './types';

/** The owner that manages `object`, if any. */
export const controllerOf = ({ metadata }: ApiObject): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);

/**
 * Does a reference of `dependent` name `owner`: its group, kind, place, name and uid? A uid alone may
 * be copied from anywhere: owners in other namespaces are none.
 */
export const isOwnedBy = (
  dependent: ApiObject,
  reference: OwnerReference,
  owner: ApiObject,
): boolean => {
  const { namespace, name, uid } = owner.metadata;
  return (
    reference.uid === uid &&
    reference.name === name &&
    reference.kind === owner.kind &&
    groupOf(reference.apiVersion) === groupOf(owner.apiVersion) &&
    (namespace === undefined || namespace === dependent.metadata.namespace)
  );
};

/** Does `owner` manage `object`? */
export const isControlledBy = (object: ApiObject, owner: ApiObject): boolean => {
  const reference = controllerOf(object);
  return reference !== undefined && isOwnedBy(object, reference, owner);
};

/** Is an object, or what a reference names, of this kind? A name alone may be of any group. */
export const isOfKind = (
  { apiVersion, kind }: Pick<ApiObject, 'apiVersion' | 'kind'>,
  wanted: { readonly group: string; readonly kind: string },
): boolean => kind === wanted.kind && groupOf(apiVersion) === wanted.group;

/** `apps` of `apps/v1`, `''` of `v1`. */
export const groupOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? (apiVersion.split('/', 1)[0] ?? '') : '';

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
