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
import { decideTogether, type DecideTogetherDeps, type TogetherDecision } from './decide-together';
import { tooFewMessage, undecided } from './gang-message';
import type { Gang, Gangs } from './gangs';

/** A pod of a group whose turn it is. */
export interface Member {
  readonly attempt: Attempt;
  readonly pod: Pod;
  readonly info: PodInfo;
}

export interface GangPlacerDeps extends DecideTogetherDeps<Member> {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly gangs: Gangs;
  readonly queue: SchedulingQueue;
  readonly eventsFor: (pod: Pod) => EventRecorder;
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
    const { accept, refuse } = this.deps;
    for (const { member, decision } of this.tried(members, gang).decisions)
      // Where enough run, those beyond wait as any pod does.
      if (decision.nodeName === undefined) refuse(member, decision);
      else accept(member, decision);
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

  private tried(members: readonly Member[], gang: Gang): TogetherDecision<Member> {
    try {
      return decideTogether(members, gang, this.deps);
    } catch (error) {
      for (const { info } of members) this.deps.queue.failed(info.uid, 'AttemptFailed');
      throw error;
    }
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

/** Members beyond those that are needed which are tried as well: some may fit where others do not. */
export const SPARE_MAX = 64;
