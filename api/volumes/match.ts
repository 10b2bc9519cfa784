import { matchesNodeSelector, type AffinityNode } from '../node-affinity';
import { compareQuantities, parseQuantity } from '../quantity';
import { matchesLabelSelector } from '../selectors';
import type { PersistentVolume, PersistentVolumeClaim } from '../types';
import { classNameOf, isKeptFor } from './claims';

const DEFAULT_MODE = 'Filesystem';

/**
 * Why a volume that a claim names cannot be its volume, in upstream's words (pv_controller.go,
 * checkVolumeSatisfyClaim); undefined when it can.
 */
export const mismatchOf = (
  { spec: volume = {}, ...rest }: PersistentVolume,
  claim: PersistentVolumeClaim,
): string | undefined => {
  const { spec = {} } = claim;
  if (isSmaller(volume, spec)) return 'requested PV is too small';
  if (classNameOf({ ...rest, spec: volume }) !== classNameOf(claim))
    return 'storageClassName does not match';
  if (modeOf(volume) !== modeOf(spec)) return 'incompatible volumeMode';
  if (!offersModes(volume, spec)) return 'incompatible accessMode';
  return undefined;
};

export interface MatchOptions {
  /** The volume must be reachable from it. Absent: from anywhere. */
  readonly node?: AffinityNode;
  /** Only what is kept for the claim already: another is for the scheduler to choose. */
  readonly isReservedOnly?: boolean;
  /** Not to be chosen. */
  readonly isTaken?: (volume: PersistentVolume) => boolean;
}

/**
 * The volume that fits the claim best: one that is kept for it, else the smallest that is large
 * enough; of equals the first by name. Source: component-helpers, FindMatchingVolume
 */
export const bestVolumeFor = (
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
  { node, isReservedOnly = false, isTaken = () => false }: MatchOptions = {},
): PersistentVolume | undefined => {
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    if (!isFitFor(volume, claim) || isTaken(volume)) continue;
    if (node !== undefined && !isReachable(volume, node)) continue;
    if (isKeptFor(volume, claim)) return volume;
    if (isReservedOnly) continue;
    if (best === undefined || isBetter(volume, best)) best = volume;
  }
  return best;
};

/** Could it be the claim's, wherever it is? */
export const isFitFor = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean =>
  isCandidate(volume, claim) &&
  (isKeptFor(volume, claim) || (volume.spec?.claimRef === undefined && isChoosable(volume, claim)));

/** Has it only just been made, and could be the claim's once it is said to be available? */
export const isAboutToFit = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean =>
  volume.status?.phase === 'Pending' &&
  isFitFor({ ...volume, status: { phase: 'Available' } }, claim);

/** May pods on the node reach the volume? */
export const isReachable = ({ spec }: PersistentVolume, node: AffinityNode): boolean =>
  matchesNodeSelector(spec?.nodeAffinity?.required, node);

/** Bytes and the like, as asked for or offered. */
export const storageOf = (amounts: Readonly<Record<string, string>> | undefined) =>
  parseQuantity(amounts?.['storage'] ?? '0');

/** What holds also for a volume that was kept for the claim by hand. */
const isCandidate = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean =>
  modeOf(volume.spec) === modeOf(claim.spec) &&
  !isSmaller(volume.spec, claim.spec) &&
  volume.metadata.deletionTimestamp === undefined;

const isChoosable = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean => {
  const { selector } = claim.spec ?? {};
  // What has only just been made is nobody's until it is said to be available.
  return (
    volume.status?.phase === 'Available' &&
    classNameOf(volume) === classNameOf(claim) &&
    (selector === undefined || matchesLabelSelector(selector, volume.metadata.labels ?? {})) &&
    offersModes(volume.spec, claim.spec)
  );
};

const isBetter = (a: PersistentVolume, b: PersistentVolume): boolean => {
  const order = compareQuantities(storageOf(a.spec?.capacity), storageOf(b.spec?.capacity));
  return order < 0 || (order === 0 && a.metadata.name < b.metadata.name);
};

type VolumeSpec = PersistentVolume['spec'];
type ClaimSpec = PersistentVolumeClaim['spec'];

const isSmaller = (volume: VolumeSpec, claim: ClaimSpec): boolean =>
  compareQuantities(storageOf(volume?.capacity), storageOf(claim?.resources?.requests)) < 0;

/** Is it a device rather than a file system? */
export const isBlock = ({ spec }: Pick<PersistentVolume, 'spec'>): boolean =>
  modeOf(spec) === 'Block';

const modeOf = (spec: VolumeSpec | ClaimSpec): string => spec?.volumeMode ?? DEFAULT_MODE;

const offersModes = (volume: VolumeSpec, claim: ClaimSpec): boolean =>
  (claim?.accessModes ?? []).every((mode) => volume?.accessModes?.includes(mode) === true);
