import { isOfKind, ownerReference } from '../../../api/owners';
import { PODS, STATEFUL_SETS } from '../../../api/resources';
import type {
  ApiObject,
  OwnerReference,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
} from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';

/* Which claims the pods of a set have, and with whom they go. Source: upstream stateful_set_utils.go. */

/** `data-web-0` */
export const claimName = (set: StatefulSet, template: string, ordinal: number): string =>
  `${template}-${set.metadata.name}-${ordinal}`;

/** The names of the claims of one pod. */
export const claimNames = (set: StatefulSet, ordinal: number): readonly string[] =>
  (set.spec.volumeClaimTemplates ?? []).map(({ metadata }) =>
    claimName(set, metadata?.name ?? '', ordinal),
  );

/** Is it a name that a claim of some pod of the set has? */
export const isClaimOf = (set: StatefulSet, name: string): boolean => {
  const ordinal = /\d+$/.exec(name)?.[0];
  return ordinal !== undefined && claimNames(set, Number(ordinal)).includes(name);
};

/** The claims of one pod, as they are made before it. */
export const claimDrafts = (
  set: StatefulSet,
  ordinal: number,
): readonly DraftOf<PersistentVolumeClaim>[] =>
  (set.spec.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      ...(metadata?.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ...(metadata?.finalizers === undefined ? {} : { finalizers: metadata.finalizers }),
      name: claimName(set, metadata?.name ?? '', ordinal),
      namespace: set.metadata.namespace ?? 'default',
      labels: { ...metadata?.labels, ...set.spec.selector.matchLabels },
    },
    ...(spec === undefined ? {} : { spec }),
  }));

/**
 * Does the claim go with an earlier pod of this name, that has been scaled down? A new pod must wait
 * until it is gone: it would lose its data.
 */
export const isStale = (set: StatefulSet, podName: string, claim: PersistentVolumeClaim): boolean =>
  policyOf(set).whenScaled === 'Delete' &&
  ownersOf(claim).some((owner) => isOfKind(owner, PODS) && owner.name === podName);

/**
 * Whose the claim of a pod is, as the set's policy has it: nobody's if it outlives both, else the
 * set's while the pod is wanted, and the pod's once it is scaled down. Undefined: as it should be, or
 * somebody else's business.
 */
export const claimOwners = (
  set: StatefulSet,
  pod: Pod,
  isWanted: boolean,
  claim: PersistentVolumeClaim,
): readonly OwnerReference[] | undefined => {
  const owners = ownersOf(claim);
  // Of an earlier set or pod: it is about to be collected.
  if (isOfFormer(owners, set, STATEFUL_SETS) || isOfFormer(owners, pod, PODS)) return undefined;
  const isOurs = ({ uid }: OwnerReference) => uid === set.metadata.uid || uid === pod.metadata.uid;
  const others = owners.filter((owner) => !isOurs(owner));
  const wanted = hasManager(set, others) ? [] : wantedOwners(set, pod, isWanted);
  const ours = owners.filter(isOurs);
  const isRight =
    ours.length === wanted.length &&
    wanted.every(({ uid }) => ours.some((owner) => owner.uid === uid && owner.controller === true));
  return isRight ? undefined : [...others, ...wanted];
};

/** Does somebody else manage the claim? The policy is ignored for it then. */
export const hasManager = (set: StatefulSet, others: readonly OwnerReference[]): boolean => {
  const { whenDeleted, whenScaled } = policyOf(set);
  const isKept = whenDeleted === 'Retain' && whenScaled === 'Retain';
  return !isKept && others.some(({ controller }) => controller === true);
};

const wantedOwners = (set: StatefulSet, pod: Pod, isWanted: boolean): readonly OwnerReference[] => {
  const { whenDeleted, whenScaled } = policyOf(set);
  if (whenScaled === 'Delete' && !isWanted) return [managed(pod)];
  return whenDeleted === 'Delete' ? [managed(set)] : [];
};

const managed = (owner: ApiObject): OwnerReference => ({
  ...ownerReference(owner),
  controller: true,
});

const isOfFormer = (
  owners: readonly OwnerReference[],
  { metadata }: ApiObject,
  resource: { readonly group: string; readonly kind: string },
): boolean =>
  owners.some(
    (owner) =>
      isOfKind(owner, resource) && owner.name === metadata.name && owner.uid !== metadata.uid,
  );

const policyOf = ({ spec }: StatefulSet) => ({
  whenDeleted: spec.persistentVolumeClaimRetentionPolicy?.whenDeleted ?? 'Retain',
  whenScaled: spec.persistentVolumeClaimRetentionPolicy?.whenScaled ?? 'Retain',
});

const ownersOf = ({ metadata }: PersistentVolumeClaim): readonly OwnerReference[] =>
  metadata.ownerReferences ?? [];
