import type { ContainerStatus } from '../../api/types';

/** One thing that keeps a placed pod, or a container of it, from running well. */
export interface Trouble {
  /** Absent: the pod as a whole. */
  readonly container?: string;
  readonly isInit?: boolean;
  /** As the status says it: `ErrImagePull`, `CrashLoopBackOff`, `Evicted`; or one of `OwnReason`. */
  readonly reason: string;
  readonly message?: string;
  /** RFC 3339, by the clock of who wrote the status. */
  readonly since?: string;
  readonly restartCount?: number;
  /** How the container ended last. */
  readonly lastEnd?: Termination;
  /** What to do; absent where nothing is sure to help. */
  readonly next?: string;
}

/** A trouble with what happened and what was said last: what was there to be had. */
export interface KnownTrouble extends Trouble {
  readonly lastEvent?: EventNote;
  /** The last line of the container's log: of the run that ended, if it ended. */
  readonly lastLine?: string;
}

export interface EventNote {
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly time: string;
}

export type Termination = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;

/** For what a status says by its form and not by a word. */
export type OwnReason =
  | 'DriverNotRegistered'
  | 'NotReady'
  | 'NotStarted'
  | 'Pending'
  | 'Restarted'
  | 'Terminating'
  | 'VolumeNotAttached';
