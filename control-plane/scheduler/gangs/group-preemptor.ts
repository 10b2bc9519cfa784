import type { Pod } from '../../../api/types';
import { IndexedEngine } from '../engine/indexed-engine';
import type { PodInfo } from '../pod-info';
import { isMakingRoom } from '../preemption';
import type { Profile } from '../profile';
import type { Snapshot } from '../snapshot';
import type { Gang } from './gangs';
import { budgetsAfter, planRoom, type MadePlace } from './make-room';
import type { Room } from './place-together';

export interface GroupMember {
  readonly pod: Pod;
  readonly info: PodInfo;
}

export type GroupPreemption<M> =
  | { readonly kind: 'found'; readonly places: readonly MadePlace<M>[] }
  /** Others are ending for it. By uid: where members are to have their places. */
  | { readonly kind: 'waiting'; readonly promised: ReadonlyMap<string, string> }
  | { readonly kind: 'none' }
  /** No member may evict anybody, or nobody counts less than they do. */
  | { readonly kind: 'off' };

export interface GroupPreemptorDeps<M> {
  readonly snapshot: Snapshot;
  readonly seed: number;
  /** Places on a copy of the cluster, with all that is taken there. */
  readonly roomOn: (cluster: Snapshot) => Room;
  readonly resolve: (member: M) => PodInfo;
  readonly profileOf: (member: M) => Profile;
}

/** Looks for whom to evict so that a group is whole; nothing is changed. */
export const preemptForGroup = <M extends GroupMember>(
  members: readonly M[],
  { neededCount, members: own }: Gang,
  promised: ReadonlyMap<string, string>,
  deps: GroupPreemptorDeps<M>,
): GroupPreemption<M> => {
  const { snapshot, seed, roomOn, profileOf } = deps;
  const nodeOf = ({ pod, info }: M) => promised.get(info.uid) ?? pod.status.nominatedNodeName ?? '';
  if (members.some((member) => isMakingRoom(nodeOf(member), member.info, snapshot)))
    return { kind: 'waiting', promised };
  if (!members.some((member) => mayEvict(member, profileOf(member), snapshot)))
    return { kind: 'off' };
  const evicted: PodInfo[] = [];
  const cluster = snapshot.copy({ budgetsIn: budgetsAfter(snapshot.budgetsIn, evicted) });
  const engine = new IndexedEngine({ cluster });
  const room = roomOn(cluster);
  try {
    const places = planRoom(members, neededCount, {
      ...deps,
      ...{ cluster, room },
      evict: (victim) => {
        cluster.removePod(victim.uid);
        evicted.push(victim);
      },
      decide: (info, profile) => engine.decide(info, seed, profile),
      spared: new Set(own.map(({ metadata }) => metadata.uid ?? '')),
    });
    return places === undefined ? { kind: 'none' } : { kind: 'found', places };
  } finally {
    for (const { info } of members) room.forget(info.uid);
  }
};

const mayEvict = (
  { pod, info }: GroupMember,
  { preemption }: Profile,
  { nodes }: Snapshot,
): boolean =>
  preemption !== undefined &&
  pod.spec.preemptionPolicy !== 'Never' &&
  nodes.some(({ leastPriority }) => leastPriority < info.priority);
