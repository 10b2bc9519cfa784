import type { Placement } from '../../api/decisions';
import { ApiError } from '../../api/errors';
import type { Pod } from '../../api/types';
import type { Placements } from '../../client/placements';
import { decide } from './decide';
import { podInfoOf } from './pod-info';
import { DEFAULT_PROFILES, DEFAULT_SCHEDULER_NAME, type Profiles } from './profile';
import type { Snapshot } from './snapshot';
import { suggest } from './suggest';
import type { VolumeView } from './volumes/volume-view';

export interface SnapshotPlacementsDeps {
  readonly snapshot: Snapshot;
  /** What the snapshot is made from. */
  readonly sources: readonly { readonly hasSynced: boolean }[];
  /** Pods that name another scheduler are not this one's to place. Default: upstream's one. */
  readonly profiles?: Profiles;
  /** Finds what is behind the claims of pods. Default: they have none. */
  readonly volumes?: Pick<VolumeView, 'resolve'>;
}

/** Reviews by the live snapshot and the code that schedules; nothing is assumed, queued or recorded. */
export class SnapshotPlacements implements Placements {
  constructor(private readonly deps: SnapshotPlacementsDeps) {}

  review(pod: Pod): Placement {
    const { snapshot, sources, volumes, profiles = DEFAULT_PROFILES } = this.deps;
    if (!sources.every(({ hasSynced }) => hasSynced))
      throw new ApiError('ServiceUnavailable', 'the scheduler has not read nodes and pods yet');
    const profile = profiles.of(pod);
    const unresolved = podInfoOf(pod);
    const info = volumes?.resolve(unresolved) ?? unresolved;
    const { nodesConsidered, nodesFeasible, refusals } = decide(info, snapshot, ANY_SEED, profile);
    const suggestion = nodesFeasible > 0 ? undefined : suggest(info, snapshot, { profile });
    const { schedulerName = DEFAULT_SCHEDULER_NAME, schedulingGates = [] } = pod.spec;
    return {
      nodesConsidered,
      nodesFeasible,
      refusals,
      ...(suggestion === undefined ? {} : { suggestion }),
      ...(profiles.find(pod) !== undefined ? {} : { schedulerName }),
      ...(schedulingGates.length === 0 ? {} : { gates: schedulingGates.map(({ name }) => name) }),
    };
  }
}

/** Which of several nodes would be chosen is not asked. */
const ANY_SEED = 0;
