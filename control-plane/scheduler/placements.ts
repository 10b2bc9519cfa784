import type { DecisionReplaySpec, DecisionReplayStatus } from '../../api/decision-replays';
import type { Placement } from '../../api/decisions';
import { ApiError } from '../../api/errors';
import type { PlacementPlanStatus } from '../../api/placement-plans';
import type { RebalancePlanSpec, RebalancePlanStatus } from '../../api/rebalance-plans';
import type { SchedulerCaptureSpec } from '../../api/scheduler-captures';
import type { Pod } from '../../api/types';
import type { PlacementQuestion, Placements } from '../../client/placements';
import { Semaphore } from '../../lib/async/semaphore';
import type { Clock } from '../../lib/clock';
import { describeError } from '../../lib/log';
import { captureText, type CaptureSources } from './capture/capture';
import { parseSchedulerConfiguration } from './configuration/configuration';
import { decide } from './decide';
import { planPlacements } from './plans/plan';
import type { KnownGroups } from './plans/planned-gangs';
import { podInfoOf, type PodInfo } from './pod-info';
import { DEFAULT_PROFILES, DEFAULT_SCHEDULER_NAME, Profiles } from './profile';
import type { SchedulingQueue } from './queue';
import { planRebalance } from './rebalance/plan-rebalance';
import type { Journal } from './replay/journal';
import { replayDecisions } from './replay/replay';
import type { Snapshot } from './snapshot';
import { suggest } from './suggest';
import type { VolumeView } from './volumes/volume-view';

export interface SnapshotPlacementsDeps {
  readonly snapshot: Snapshot;
  /** What the snapshot is made from. */
  readonly sources: readonly { readonly hasSynced: boolean }[];
  readonly queue: Pick<SchedulingQueue, 'waiting'>;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Breaks ties, as for pods that are placed. */
  readonly seed: number;
  /** Pods that name another scheduler are not this one's to place. Default: upstream's one. */
  readonly profiles?: Profiles;
  /** Finds what is behind the claims of pods. Default: they have none. */
  readonly volumes?: Pick<VolumeView, 'resolve'>;
  /** Which pods belong together. Default: none. */
  readonly gangs?: KnownGroups;
  /** What else a capture tells of. */
  readonly captured: CaptureSources;
}

/** Reviews by the live snapshot and the code that schedules; nothing is assumed, queued or recorded. */
export class SnapshotPlacements implements Placements {
  private readonly profiles: Profiles;
  /** However many plans and replays there are, one of them has this turn of the event loop. */
  private readonly turn = new Semaphore(1);
  /** Each has a copy of all that is in the cluster. */
  private readonly copies = new Semaphore(COPIES_MAX);

  constructor(private readonly deps: SnapshotPlacementsDeps) {
    this.profiles = deps.profiles ?? DEFAULT_PROFILES;
  }

  review(pod: Pod): Placement {
    this.checkSynced();
    const { snapshot, seed } = this.deps;
    const profile = this.profiles.of(pod);
    const info = this.resolved(podInfoOf(pod));
    const { nodesConsidered, nodesFeasible, refusals } = decide(info, snapshot, seed, profile);
    const suggestion = nodesFeasible > 0 ? undefined : suggest(info, snapshot, { profile });
    const { schedulerName = DEFAULT_SCHEDULER_NAME, schedulingGates = [] } = pod.spec;
    return {
      nodesConsidered,
      nodesFeasible,
      refusals,
      ...(suggestion === undefined ? {} : { suggestion }),
      ...(this.profiles.find(pod) !== undefined ? {} : { schedulerName }),
      ...(schedulingGates.length === 0 ? {} : { gates: schedulingGates.map(({ name }) => name) }),
    };
  }

  /** On a copy, so that it may take its time: the event loop turns meanwhile. */
  async plan(question: PlacementQuestion, signal: AbortSignal): Promise<PlacementPlanStatus> {
    this.checkSynced();
    const { snapshot, queue, seed, gangs: groups = NO_GROUPS } = this.deps;
    const begin = () =>
      planPlacements(question, {
        groups,
        ...{ cluster: snapshot.copy(), waiting: queue.waiting(), profiles: this.profiles, seed },
        resolve: (info) => this.resolved(info),
      });
    return this.paced(begin, signal);
  }

  /** On a copy, as a plan. */
  async rebalance(spec: RebalancePlanSpec, signal: AbortSignal): Promise<RebalancePlanStatus> {
    this.checkSynced();
    const { snapshot, seed } = this.deps;
    const begin = () =>
      planRebalance(spec, {
        ...{ cluster: snapshot.copy(), profiles: this.profiles, seed },
        resolve: (info) => this.resolved(info),
      });
    return this.paced(begin, signal);
  }

  async replay(
    { last, config }: DecisionReplaySpec,
    signal: AbortSignal,
  ): Promise<DecisionReplayStatus> {
    this.checkSynced();
    const { journal, seed } = this.deps;
    const given = config === undefined ? undefined : configurationIn(config);
    const profiles = given === undefined ? this.profiles : new Profiles(given.profiles);
    const begin = () => replayDecisions(journal.last(last), { profiles, seed });
    return { ...(await this.paced(begin, signal)), warnings: given?.warnings ?? [] };
  }

  async capture(question: SchedulerCaptureSpec, signal: AbortSignal): Promise<string> {
    this.checkSynced();
    const { journal, seed, captured: sources, clock } = this.deps;
    const profiles = this.profiles.all;
    const begin = () =>
      captureText(journal, question, { sources, profiles, seed, nowMs: clock.now() });
    return this.paced(begin, signal);
  }

  /** Steps to the end, between which others get their turn; those beyond `COPIES_MAX` begin later. */
  private paced<T>(begin: () => Generator<void, T>, signal: AbortSignal): Promise<T> {
    return this.copies.use(() => this.stepped(begin, signal), signal);
  }

  private async stepped<T>(begin: () => Generator<void, T>, signal: AbortSignal): Promise<T> {
    let steps: Generator<void, T> | undefined;
    const next = async () => {
      if (signal.aborted) throw new ApiError('ServiceUnavailable', 'the request was given up');
      const step = someOf((steps ??= begin()), this.deps.clock);
      await new Promise((resolve) => setImmediate(resolve));
      return step;
    };
    for (;;) {
      const step = await this.turn.use(next);
      if (step.done === true) return step.value;
    }
  }

  private resolved(info: PodInfo): PodInfo {
    return this.deps.volumes?.resolve(info) ?? info;
  }

  private checkSynced(): void {
    if (this.deps.sources.every(({ hasSynced }) => hasSynced)) return;
    throw new ApiError('ServiceUnavailable', 'the scheduler has not read nodes and pods yet');
  }
}

/** Steps until a turn is over, or to the end. */
const someOf = <T>(steps: Generator<void, T>, clock: Clock): IteratorResult<void, T> => {
  const startedAtMs = clock.monotonicMs();
  let step = steps.next();
  while (step.done !== true && clock.monotonicMs() - startedAtMs < TURN_MS) step = steps.next();
  return step;
};

const configurationIn = (text: string) => {
  try {
    return parseSchedulerConfiguration(text);
  } catch (error) {
    throw new ApiError('BadRequest', describeError(error), { cause: error });
  }
};

const NO_GROUPS: KnownGroups = { group: () => undefined, membersOf: () => [] };
const TURN_MS = 5;
const COPIES_MAX = 4;
