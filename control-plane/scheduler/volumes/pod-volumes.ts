import type { AffinityNode } from '../../../api/node-affinity';
import { compareQuantities, parseQuantity } from '../../../api/quantity';
import { matchesLabelSelector } from '../../../api/selectors';
import {
  keyOf,
  type CSIStorageCapacity,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
} from '../../../api/types';
import { bestVolumeFor, isReachable, storageOf } from '../../../api/volumes';

/** What is behind the claims of one pod, at one moment. */
export interface PodVolumes {
  /** What speaks against the pod on any node, in upstream's words. */
  readonly problem?: VolumeProblem;
  readonly bound: readonly {
    readonly claim: PersistentVolumeClaim;
    /** Undefined when there is no such volume. */
    readonly volume: PersistentVolume | undefined;
  }[];
  /** Those that wait for the node of their first consumer. */
  readonly delayed: readonly DelayedClaim[];
  /** A claim for one pod at a time that another has. */
  readonly taken: PersistentVolumeClaim | undefined;
}

export interface VolumeProblem {
  readonly reason: string;
  /** `default/data`: the claim that it is about. */
  readonly claim: string;
  /** True when there is no such claim. */
  readonly isMissing: boolean;
}

export interface DelayedClaim {
  readonly claim: PersistentVolumeClaim;
  readonly storageClass: StorageClass;
  /** Free volumes that fit, wherever they are. */
  readonly candidates: readonly PersistentVolume[];
  /** Where its volume is being made already. */
  readonly nodeName: string | undefined;
  /** What its driver says of its room for the class; absent where that is not gone by. */
  readonly capacities?: readonly CSIStorageCapacity[];
}

/** What a node means for the claims of a pod. */
export type VolumePlan =
  | { readonly kind: 'refused'; readonly reason: VolumeReason; readonly claim: string }
  | {
      readonly kind: 'fits';
      readonly matches: readonly { readonly claim: string; readonly volumeName: string }[];
      /** Claims whose volumes are to be made on the node. */
      readonly provisions: readonly string[];
    };

/** Upstream's reasons, word by word (pkg/scheduler/framework/plugins/volumebinding/binder.go). */
export const VOLUME_REASONS = {
  conflict: "node(s) didn't match PersistentVolume's node affinity",
  noRoom: 'node(s) did not have enough free storage',
  noVolume: "node(s) didn't find available persistent volumes to bind",
  missing: 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)',
} as const;

export type VolumeReason = keyof typeof VOLUME_REASONS;

/** Pure: can the pod have its volumes on this node, and which? */
export const planVolumes = ({ bound, delayed }: PodVolumes, node: AffinityNode): VolumePlan => {
  for (const { claim, volume } of bound) {
    if (volume === undefined) return refused('missing', claim);
    if (!isReachable(volume, node)) return refused('conflict', claim);
  }
  const taken = new Set<string>();
  const provisions: string[] = [];
  const matches: { readonly claim: string; readonly volumeName: string }[] = [];
  // The smallest first: a large claim must not find the small volumes gone, nor the other way round.
  for (const each of [...delayed].sort(bySize)) {
    const { claim, candidates, nodeName } = each;
    if (nodeName !== undefined && nodeName !== node.metadata.name)
      return refused('noVolume', claim);
    const isTaken = ({ metadata }: PersistentVolume) => taken.has(metadata.name);
    const match =
      nodeName === undefined ? bestVolumeFor(claim, candidates, { node, isTaken }) : undefined;
    if (match !== undefined) {
      taken.add(match.metadata.name);
      matches.push({ claim: keyOf(claim), volumeName: match.metadata.name });
    } else if (!canBeMadeOn(each, node)) return refused('noVolume', claim);
    else if (!hasRoomOn(each, node)) return refused('noRoom', claim);
    else provisions.push(keyOf(claim));
  }
  return { kind: 'fits', matches, provisions };
};

const refused = (reason: VolumeReason, claim: PersistentVolumeClaim): VolumePlan => ({
  kind: 'refused',
  reason,
  claim: keyOf(claim),
});

const bySize = ({ claim: a }: DelayedClaim, { claim: b }: DelayedClaim): number =>
  compareQuantities(storageOf(a.spec?.resources?.requests), storageOf(b.spec?.resources?.requests));

/** None is built in of those in the project's own domain: there the administrator makes volumes. */
const canBeMadeOn = (
  { storageClass: { provisioner, allowedTopologies = [] } }: DelayedClaim,
  { metadata: { labels = {} } }: AffinityNode,
): boolean =>
  !provisioner.startsWith('kubernetes.io/') &&
  (allowedTopologies.length === 0 ||
    allowedTopologies.some(({ matchLabelExpressions = [] }) =>
      matchLabelExpressions.every(
        ({ key, values }) => Object.hasOwn(labels, key) && values.includes(labels[key] ?? ''),
      ),
    ));

/** Source: volumebinding/binder.go, hasEnoughCapacity */
const hasRoomOn = (
  { claim, capacities }: DelayedClaim,
  { metadata: { labels = {} } }: AffinityNode,
): boolean =>
  capacities === undefined ||
  capacities.some(
    (each) =>
      isLargeEnough(each, claim) &&
      // Without a topology no node reaches it.
      each.nodeTopology !== undefined &&
      matchesLabelSelector(each.nodeTopology, labels),
  );

const isLargeEnough = (
  { capacity, maximumVolumeSize = capacity }: CSIStorageCapacity,
  { spec }: PersistentVolumeClaim,
): boolean =>
  maximumVolumeSize !== undefined &&
  compareQuantities(parseQuantity(maximumVolumeSize), storageOf(spec?.resources?.requests)) >= 0;
