/**
 * A batch of writes shares one etcd revision, yet every change needs a `resourceVersion` of its
 * own. So a version is `revision * 128 + index`; the last index stands for the whole revision. It
 * stays below 2^53 for 2^46 revisions.
 */
const INDEXES_PER_REVISION = 128;

export const versionOf = (revision: number, index: number): number =>
  revision * INDEXES_PER_REVISION + index;

/** The version of a snapshot: everything at `revision` and before. */
export const snapshotVersion = (revision: number): number =>
  versionOf(revision, INDEXES_PER_REVISION - 1);

export const revisionOf = (version: number): number => Math.floor(version / INDEXES_PER_REVISION);
