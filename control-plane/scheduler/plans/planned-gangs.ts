import { controllerOf } from '../../../api/owners';
import { groupKeyOf, isPlacedMember, type PodGroup } from '../../../api/pod-groups';
import { isTerminal } from '../../../api/pods';
import { keyOf, uidOf, type Pod } from '../../../api/types';
import { gangOf, type Gang, type Gangs } from '../gangs/gangs';
import type { Snapshot } from '../snapshot';

export type KnownGroups = Pick<Gangs, 'group' | 'membersOf'>;

export interface PlannedGangsDeps {
  /** The plan's own: who has a place there counts as placed. */
  readonly cluster: Snapshot;
  readonly known: KnownGroups;
  /** Groups as they are to be: what is there already under that name is replaced by it. */
  readonly groups: readonly PodGroup[];
  /** Uids of what makes pods: those that it has made are gone. */
  readonly replacedOwners: ReadonlySet<string>;
}

/** Which pods of a plan belong together, with those that are there. */
export class PlannedGangs {
  private readonly planned: ReadonlyMap<string, PodGroup>;
  /** By group and uid. */
  private readonly members = new Map<string, Map<string, Pod>>();

  constructor(private readonly deps: PlannedGangsDeps) {
    this.planned = new Map(deps.groups.map((group) => [keyOf(group), group]));
  }

  /** The pod is to be: it counts as a member before it has a place. */
  add(pod: Pod): void {
    const key = groupKeyOf(pod);
    if (key !== undefined) this.membersIn(key).set(uidOf(pod), pod);
  }

  /** The pod is gone, and nobody makes it anew. */
  lose(pod: Pod): void {
    const key = groupKeyOf(pod);
    if (key !== undefined) this.membersIn(key).delete(uidOf(pod));
  }

  /** `undefined`: the pod names no group, or one that is not there, and is placed by itself. */
  of(pod: Pod): Gang | undefined {
    const key = groupKeyOf(pod);
    return key === undefined ? undefined : this.find(key);
  }

  find(key: string): Gang | undefined {
    const group = this.planned.get(key) ?? this.deps.known.group(key);
    if (group === undefined) return undefined;
    return gangOf(group, [...this.membersIn(key).values()], (pod) => this.isPlaced(pod));
  }

  /** One that has done its part is on no node of the copy. */
  private isPlaced(pod: Pod): boolean {
    const there = this.deps.cluster.pod(uidOf(pod));
    if (there !== undefined) return !there.isTerminating;
    return isPlacedMember(pod) && isTerminal(pod);
  }

  private membersIn(key: string): Map<string, Pod> {
    const found = this.members.get(key);
    if (found !== undefined) return found;
    const { known, replacedOwners } = this.deps;
    const live = known
      .membersOf(key)
      .filter((pod) => !replacedOwners.has(controllerOf(pod)?.uid ?? ''));
    const members = new Map(live.map((pod) => [uidOf(pod), pod]));
    this.members.set(key, members);
    return members;
  }
}
