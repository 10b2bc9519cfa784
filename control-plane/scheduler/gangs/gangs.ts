import { groupKeyOf, isPlacedMember, WHOLE_PHASES, type PodGroup } from '../../../api/pod-groups';
import { keyOf, uidOf, type Pod } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { KeyedIndex } from '../../../client/keyed-index';

/** A group of pods that are to be placed together. */
export interface Gang {
  /** `NAMESPACE/NAME` */
  readonly key: string;
  readonly minMember: number;
  readonly timeoutMs: number;
  /** It has been whole once. */
  readonly wasWhole: boolean;
  /** Its pods that are there, whether they have a node or not. */
  readonly members: readonly Pod[];
  /** How many more of them must be placed before any of it may run. */
  readonly neededCount: number;
  /** Wall-clock milliseconds: when it gives its room back, being there in part. */
  readonly endsAtMs?: number;
}

export interface GangsDeps {
  readonly groups: Informer<PodGroup>;
  readonly pods: Informer<Pod>;
  /** A node is promised to the pod: its binding is on the way. */
  readonly isAssumed: (uid: string) => boolean;
}

/** Which pods belong together. */
export class Gangs {
  private readonly members: KeyedIndex<Pod>;
  /** By key: groups in part, whose time runs, and when it ends. */
  readonly ends = new Map<string, number>();

  constructor(private readonly deps: GangsDeps) {
    this.members = new KeyedIndex(deps.pods, groupKeyOf);
  }

  /** `undefined`: the pod names no group, or one that is not there, and is placed by itself. */
  of(pod: Pod): Gang | undefined {
    const key = groupKeyOf(pod);
    return key === undefined ? undefined : this.find(key);
  }

  /** Those of which some have a place and others lack one, as a crash may leave them. */
  *inPart(): Generator<Gang> {
    for (const group of this.deps.groups.list()) {
      const gang = this.find(keyOf(group));
      if (gang !== undefined && gang.neededCount > 0 && gang.neededCount < gang.minMember)
        yield gang;
    }
  }

  find(key: string): Gang | undefined {
    const group = this.group(key);
    if (group === undefined) return undefined;
    const endsAtMs = this.ends.get(key);
    const isPlaced = (pod: Pod) => isPlacedMember(pod) || this.deps.isAssumed(uidOf(pod));
    return {
      ...gangOf(group, this.membersOf(key), isPlaced),
      ...(endsAtMs === undefined ? {} : { endsAtMs }),
    };
  }

  group(key: string): PodGroup | undefined {
    return this.deps.groups.get(key);
  }

  /** Pods that name the group, be it there or not. */
  membersOf(key: string): readonly Pod[] {
    return this.members.in(key);
  }
}

export const gangOf = (
  group: PodGroup,
  members: readonly Pod[],
  isPlaced: (pod: Pod) => boolean,
): Gang => {
  const { minMember = 0, scheduleTimeoutSeconds = TIMEOUT_SECONDS } = group.spec ?? {};
  return {
    key: keyOf(group),
    minMember,
    timeoutMs: scheduleTimeoutSeconds * 1000,
    wasWhole: WHOLE_PHASES.has(group.status?.phase ?? 'Pending'),
    members,
    neededCount: minMember - members.filter(isPlaced).length,
  };
};

/** Upstream's default of permitWaitingTimeSeconds. */
const TIMEOUT_SECONDS = 60;
/** Upstream's name of the plugin: what a member is held back by that would fit by itself. */
export const COSCHEDULING = 'Coscheduling';
