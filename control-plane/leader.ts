import { ApiError } from '../api/errors';
import type { PodExplanation, SchedulingDecision } from '../api/decisions';
import type { Informers } from '../client/informers';
import type { Placements } from '../client/placements';
import type { VirtualResource } from '../client/virtual-resource';
import { TaskGroup } from '../lib/async/task-group';
import type { Scheduler } from './scheduler';
import type { Leading, Term } from './store';

/** @throws ServiceUnavailable while another server leads, or none does */
export const termOf = ({ term }: Leading): Term => {
  if (term === undefined) throw notLeading();
  return term;
};

interface LeadersWork {
  readonly informers: Informers;
  readonly scheduler: LedScheduler;
  /** Each until its signal aborts. */
  readonly tasks: readonly ((signal: AbortSignal) => Promise<void>)[];
}

/**
 * What one server does at a time, from when it leads until it does no more, or `signal` aborts. It begins
 * with all that was stored before the term: what the leader before it wrote last must not be done again.
 */
export const runAsLeader = (
  leading: Leading,
  { informers, scheduler, tasks }: LeadersWork,
  signal: AbortSignal,
): Promise<void> =>
  leading.during(async (termSignal, { isSuccessor }) => {
    await using group = new TaskGroup(termSignal);
    try {
      if (isSuccessor) await informers.catchUp(termSignal);
    } catch (error) {
      if (termSignal.aborted) return;
      throw error;
    }
    for (const task of tasks) group.run(task);
    group.run((each) => scheduler.run(each));
    await group.wait();
  }, signal);

/** 1 on the server that leads. */
export const leaderMetrics = (leading: Leading) => ({
  lines: (): readonly string[] => [
    '# HELP dhow_leader Whether this server runs the scheduler and the controllers.',
    '# TYPE dhow_leader gauge',
    `dhow_leader ${leading.term === undefined ? 0 : 1}`,
  ],
});

/**
 * The scheduler of a server that leads now and then: in each term another, which takes over nothing from
 * an earlier one. While another server leads nobody is answered.
 */
export class LedScheduler {
  private current: Scheduler;
  readonly decisions: VirtualResource<SchedulingDecision>;
  readonly explanations: VirtualResource<PodExplanation>;
  readonly placements: Placements;

  constructor(
    private readonly leading: Pick<Leading, 'isFollowing'>,
    private readonly make: () => Scheduler,
  ) {
    this.current = make();
    const asked = () => this.asked();
    this.decisions = servedBy(this.current.decisions, () => asked().decisions);
    this.explanations = servedBy(this.current.explanations, () => asked().explanations);
    this.placements = {
      review: (...args) => asked().placements.review(...args),
      plan: async (...args) => asked().placements.plan(...args),
      rebalance: async (...args) => asked().placements.rebalance(...args),
      replay: async (...args) => asked().placements.replay(...args),
      capture: async (...args) => asked().placements.capture(...args),
    };
  }

  lines(): readonly string[] {
    return this.current.metrics.lines();
  }

  /** For one term. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.current.run(signal);
    } finally {
      this.current = this.make();
    }
  }

  private asked(): Scheduler {
    if (this.leading.isFollowing) throw notLeading();
    return this.current;
  }
}

/** As `like` is served, by whoever it is now. */
const servedBy = <T extends SchedulingDecision | PodExplanation>(
  like: VirtualResource<T>,
  now: () => VirtualResource<T>,
): VirtualResource<T> => ({
  resource: like.resource,
  get: async (...args) => now().get(...args),
  ...(like.list === undefined || like.watch === undefined
    ? {}
    : {
        list: async (...args) => offered(now().list?.(...args)),
        watch: (...args) => offered(now().watch?.(...args)),
      }),
});

const offered = <T>(answer: T | undefined): T => {
  if (answer === undefined) throw notLeading();
  return answer;
};

const notLeading = (): ApiError =>
  new ApiError('ServiceUnavailable', 'another server leads, and this one does not know the answer');
