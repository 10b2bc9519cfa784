import { mixHashes } from './hash';

/**
 * Equal totals go to the node that comes first on a ring: nodes stand on it by their hashes, and each pod
 * starts somewhere else. Another order for each pod spreads them as well, but this one can be kept.
 */
export const ringPlaceOf = (nodeHash: number): number => mixHashes(nodeHash, 0, 0);

/** Where on the ring the pod starts. */
export const ringStartOf = (podHash: number, seed: number): number => mixHashes(podHash, 0, seed);

/** How far behind the start a place is; the nearer wins. */
export const ringDistance = (place: number, start: number): number => (place - start) >>> 0;
