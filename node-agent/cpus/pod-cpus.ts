import { INFEASIBLE } from '../../api/pod-resources';
import type { Pod } from '../../api/types';
import type { Refusal } from '../plan/admission';
import type { ResizeRefusal } from '../plan/resize';
import type { CpuShare } from '../pod-spec/cpu-share';

/** Which processors containers run on. */
export interface CpuManager {
  /** Why the pod cannot have what it asks for; undefined when it can. */
  refuse(pod: Pod): Refusal | undefined;
  /** Gives the pod its processors, noted before it returns; what it has already it keeps. */
  take(pod: Pod): Refusal | undefined;
  refuseResize(pod: Pod): ResizeRefusal | undefined;
  /** Undefined: it may run on any. */
  shareOf(podUid: string, container: string): CpuShare | undefined;
  /** Has one of its containers processors of its own? */
  isOwner(podUid: string): boolean;
  /** The container was made: from now on it is kept to its share. */
  place(containerId: string): void;
  /** Nothing of the pod runs any more. Idempotent. */
  release(podUid: string): void;
  /** Pods that have processors of their own. */
  podUids(): readonly string[];
  /** Has every container run where it is to. */
  update(): void;
}

/** Every container runs on any processor: policy `none`. */
export const ANY_CPUS: CpuManager = {
  refuse: () => undefined,
  take: () => undefined,
  refuseResize: () => undefined,
  shareOf: () => undefined,
  isOwner: () => false,
  place: () => undefined,
  release: () => undefined,
  podUids: () => [],
  update: () => undefined,
};

export const RESIZE_OF_OWNERS: ResizeRefusal = {
  reason: INFEASIBLE,
  message: 'Resize is infeasible for Guaranteed Pods alongside CPU Manager static policy',
};
