import { hasReason } from '../../../api/errors';
import { isPlacedMember } from '../../../api/pod-groups';
import { isTerminal } from '../../../api/pods';
import { PODS } from '../../../api/resources';
import { nameOf, uidOf, type Pod } from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import type { EventRecorder } from '../../../client/events';
import type { TaskGroup } from '../../../lib/async/task-group';
import type { Clock } from '../../../lib/clock';
import { describeError, type Log } from '../../../lib/log';
import type { Decision } from '../decide';
import type { PodInfo } from '../pod-info';
import type { Attempt, SchedulingQueue } from '../queue';
import type { Snapshot } from '../snapshot';
import { heldBack, heldMessage, tooFewMessage, undecided, withPreemption } from './gang-message';
import type { Gang, Gangs } from './gangs';
import type { GroupPreemption } from './group-preemptor';
import { preemptionOf } from './make-room';
import { placeTogether, type Room, type Together } from './place-together';

/** A pod of a group whose turn it is. */
export interface Member {
  readonly attempt: Attempt;
  readonly pod: Pod;
  readonly info: PodInfo;
}

export interface GangPlacerDeps {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly gangs: Gangs;
  readonly snapshot: Pick<Snapshot, 'nodeCount' | 'nominate' | 'endNomination'>;
  /** Where members have their places while the others are tried, with all that they take there. */
  readonly room: Room;
  readonly queue: SchedulingQueue;
  readonly eventsFor: (pod: Pod) => EventRecorder;
  /** By the member's profile, evicting nobody: a victim would be for nothing if the others did not fit. */
  readonly decide: (member: Member) => Decision;
  /** Whom to evict for the group, of which these are to have places. */
  readonly preempt: (
    members: readonly Member[],
    gang: Gang,
    promised: ReadonlyMap<string, string>,
  ) => GroupPreemption<Member>;
  /** It is assumed on the node of the decision, and may be bound. */
  readonly accept: (member: Member, decision: Decision) => void;
  readonly refuse: (member: Member, decision: Decision) => void;
  /** Is it this scheduler's to place? */
  readonly isWaiting: (pod: Pod) => boolean;
}

/**
 * Places the pods of a group together or not at all. All are decided in one go and none is bound before
 * enough have a place: nothing is held while others are waited for, so that two groups cannot block each
 * other. A crash between two bindings leaves a group in part; the rest goes first when the scheduler is
 * back, and if it does not fit within the group's time, those that were placed give their room back.
 */
export class GangPlacer {
  constructor(private readonly deps: GangPlacerDeps) {}

  place(popped: Attempt, pod: Pod, gang: Gang, group: TaskGroup): void {
    const first = { attempt: popped, pod, info: popped.info };
    const others = this.waiting(first, gang);
    if (!gang.wasWhole && gang.neededCount < gang.minMember) this.limit(gang, group);
    if (others.length + 1 < gang.neededCount) {
      const { nodeCount } = this.deps.snapshot;
      // It alone: were the others told at once, each that comes would cost as much as all before it.
      this.deps.refuse(first, undecided(tooFewMessage(first.info, gang, nodeCount), nodeCount));
      return;
    }
    const members = [first, ...this.taken(others)];
    const { together, preemption } = this.tried(members, gang);
    if (together.isWhole) this.carryOut(together);
    else this.holdBack(together, gang, preemption);
  }

  /** The others of the group that wait, wherever in the queue they are. */
  private waiting(first: Member, { members, neededCount }: Gang): readonly Pod[] {
    const { queue, isWaiting } = this.deps;
    const found: Pod[] = [];
    for (const pod of members) {
      if (found.length + 1 >= neededCount + SPARE_MAX) break;
      const uid = uidOf(pod);
      if (uid !== first.info.uid && isWaiting(pod) && queue.canTake(uid)) found.push(pod);
    }
    return found;
  }

  private taken(pods: readonly Pod[]): readonly Member[] {
    return pods.flatMap((pod) => {
      const attempt = this.deps.queue.take(uidOf(pod));
      return attempt === undefined ? [] : [{ attempt, pod, info: attempt.info }];
    });
  }

  private tried(members: readonly Member[], gang: Gang) {
    const { room, queue, decide, preempt } = this.deps;
    const promised = this.liftNominations(members);
    try {
      const together = placeTogether(members, gang.neededCount, room, decide);
      const preemption: GroupPreemption<Member> = together.isWhole
        ? { kind: 'off' }
        : preempt(members, gang, promised);
      return { together, preemption };
    } catch (error) {
      for (const { info } of members) {
        room.forget(info.uid);
        queue.failed(info.uid, 'AttemptFailed');
      }
      throw error;
    } finally {
      for (const { info } of members) {
        const nodeName = promised.get(info.uid);
        if (nodeName !== undefined) this.deps.snapshot.nominate(info, nodeName);
      }
    }
  }

  /** Or room that is kept for one of them would be in the way of the others. Returns where it was, by uid. */
  private liftNominations(members: readonly Member[]): ReadonlyMap<string, string> {
    const promised = new Map<string, string>();
    for (const { info } of members) {
      const nodeName = this.deps.snapshot.endNomination(info.uid);
      if (nodeName !== undefined) promised.set(info.uid, nodeName);
    }
    return promised;
  }

  private carryOut({ placed, refused }: Together<Member>): void {
    for (const { member, decision } of placed) this.deps.accept(member, decision);
    // Enough run: those beyond wait as any pod does.
    for (const { member, decision } of refused) this.deps.refuse(member, decision);
  }

  private holdBack(
    { placed, refused, untried }: Together<Member>,
    gang: Gang,
    preemption: GroupPreemption<Member>,
  ): void {
    const { snapshot } = this.deps;
    const message = heldMessage(gang, { placed, refused }, preemption);
    const refusedBy = new Set(refused.flatMap(({ decision }) => [...decision.refusedBy]));
    const refuse = (member: Member, decision: Decision, words: string) =>
      this.deps.refuse(member, {
        ...heldBack(decision, words, refusedBy),
        ...promiseOf(member.info.uid, preemption),
      });
    for (const { member, decision } of placed) refuse(member, decision, message);
    for (const { member, decision } of refused)
      refuse(member, decision, withPreemption(decision.message, gang, preemption));
    for (const member of untried) refuse(member, undecided(message, snapshot.nodeCount), message);
  }

  /** A group that is there in part gives its room back in the end. */
  private limit({ key, timeoutMs }: Gang, group: TaskGroup): void {
    const { gangs, clock } = this.deps;
    if (gangs.ends.has(key)) return;
    gangs.ends.set(key, clock.now() + timeoutMs);
    group.run(async (signal) => {
      try {
        await clock.sleep(timeoutMs, signal);
        const now = gangs.find(key);
        if (now !== undefined && !now.wasWhole && now.neededCount > 0) await this.end(now, signal);
      } finally {
        gangs.ends.delete(key);
      }
    });
  }

  private async end({ key, members, timeoutMs }: Gang, signal: AbortSignal): Promise<void> {
    const { client, eventsFor, log } = this.deps;
    // One that has done its part holds nothing, and is not to do it again.
    for (const pod of members.filter((each) => isPlacedMember(each) && !isTerminal(each))) {
      try {
        await client.delete(PODS, nameOf(pod), { preconditions: { uid: uidOf(pod) } }, signal);
        const message = `PodGroup ${key} was not whole within ${timeoutMs / 1000} s: its pods give their room back`;
        eventsFor(pod).event(PODS, pod, 'Warning', 'PodGroupTimeout', message);
      } catch (error) {
        if (signal.aborted) return;
        if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict'))
          log.warn({ group: key, err: describeError(error) }, 'a pod of a group in part stays');
      }
    }
  }
}

/** The node where the member is to have its place, and who ends for it there. */
const promiseOf = (
  uid: string,
  found: GroupPreemption<Member>,
): Pick<Decision, 'nominatedNodeName' | 'preemption'> => {
  const nodeName = found.kind === 'waiting' ? found.promised.get(uid) : undefined;
  if (nodeName !== undefined) return { nominatedNodeName: nodeName };
  const places = found.kind === 'found' ? found.places : [];
  const place = places.find(({ member }) => member.info.uid === uid);
  if (place === undefined) return {};
  const preemption = preemptionOf(place);
  return {
    nominatedNodeName: place.nodeName,
    ...(preemption === undefined ? {} : { preemption }),
  };
};

/** Members beyond those that are needed which are tried as well: some may fit where others do not. */
const SPARE_MAX = 64;
