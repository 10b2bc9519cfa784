import { jsonEqual } from '../../../api/json-value';
import type { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from '../../../api/resources';
import type {
  ObjectName,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '../../../api/types';
import type { EventType } from '../../../client/events';

/** What the planners look at: all from caches, so every write is guarded by the version it is based on. */
export interface VolumeWorld {
  readonly claim: (key: string) => PersistentVolumeClaim | undefined;
  readonly volume: (name: string) => PersistentVolume | undefined;
  readonly volumes: () => Iterable<PersistentVolume>;
  readonly storageClass: (name: string) => StorageClass | undefined;
  /** The name of a pod that waits for a node and uses the claim. */
  readonly waitingPod: (claimKey: string) => string | undefined;
  /** Does a pod use the claim that has a node and has not ended? */
  readonly isUsed: (claimKey: string) => boolean;
}

/** Something to tell of the object that is looked at. */
export interface Told {
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
}

/**
 * The next write, if any, towards what should be. One at a time: whoever dies between two writes is
 * followed by somebody who plans from what is stored.
 */
export type Step = (
  | { readonly kind: 'claim'; readonly object: PersistentVolumeClaim; readonly isStatus: boolean }
  | { readonly kind: 'volume'; readonly object: PersistentVolume; readonly isStatus: boolean }
  | { readonly kind: 'none' }
) & {
  readonly tell?: Told;
  /** The other side has work to do now. */
  readonly alsoClaim?: string;
  /**
   * What must be proved before anything is done: that the cache is right to know no such object. It may
   * be behind, and what follows cannot be taken back.
   */
  readonly ifGone?:
    | {
        readonly resource: typeof PERSISTENT_VOLUME_CLAIMS;
        readonly key: ObjectName;
        readonly uid: string;
      }
    | { readonly resource: typeof PERSISTENT_VOLUMES; readonly key: ObjectName };
};

export const NOTHING: Step = { kind: 'none' };

export const claimWrite = (object: PersistentVolumeClaim, tell?: Told): Step => ({
  kind: 'claim',
  object,
  isStatus: false,
  ...(tell === undefined ? {} : { tell }),
});

export const volumeWrite = (object: PersistentVolume): Step => ({
  kind: 'volume',
  object,
  isStatus: false,
});

/** The claim is in a phase, and why; nothing is written where that is so already. */
export const claimPhase = (
  claim: PersistentVolumeClaim,
  status: NonNullable<PersistentVolumeClaim['status']>,
  tell?: Told,
): Step => ({
  ...(isStatusOf(claim.status, status)
    ? NOTHING
    : {
        kind: 'claim',
        object: { ...claim, status: { ...claim.status, ...status } },
        isStatus: true,
      }),
  ...(tell === undefined ? {} : { tell }),
});

export const volumePhase = (
  volume: PersistentVolume,
  phase: string,
  message = '',
  tell?: Told,
): Step => {
  const { status = {} } = volume;
  const isSaid = status.phase === phase && (status.message ?? '') === message;
  const { message: _before, ...rest } = status;
  const next = { ...rest, phase, ...(message === '' ? {} : { message }) };
  return {
    ...(isSaid ? NOTHING : { kind: 'volume', object: { ...volume, status: next }, isStatus: true }),
    ...(tell === undefined || isSaid ? {} : { tell }),
  };
};

const isStatusOf = (
  now: PersistentVolumeClaim['status'],
  wanted: NonNullable<PersistentVolumeClaim['status']>,
): boolean => jsonEqual({ ...now, ...wanted }, now ?? {});
