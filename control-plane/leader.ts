import { ApiError } from '../api/errors';
import type { PodExplanation, SchedulingDecision } from '../api/decisions';
import type { Informers } from '../client/informers';
import type { PlacementQuestion, Placements } from '../client/placements';
import type { VirtualResource } from '../client/virtual-resource';
import { TaskGroup } from '../lib/async/task-group';
import {
  answerOf,
  type AskLeader,
  type QuestionArgument,
  type QuestionName,
} from './leaders-answers';
import type { NodesServer } from './nodes';
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
 * an earlier one. While another server leads that one is asked.
 */
export class LedScheduler {
  private current: Scheduler;
  readonly decisions: VirtualResource<SchedulingDecision>;
  readonly explanations: VirtualResource<PodExplanation>;
  readonly placements: Placements;

  constructor(
    private readonly leading: Pick<Leading, 'isFollowing'>,
    private readonly make: () => Scheduler,
    private readonly ask: AskLeader = () => Promise.reject(notLeading()),
  ) {
    this.current = make();
    this.decisions = this.ledDecisions();
    this.explanations = {
      resource: this.current.explanations.resource,
      get: (name, query, signal) =>
        this.either('explanations.get', { name, query: query.toString() }, signal, () =>
          this.current.explanations.get(name, query, signal),
        ),
    };
    this.placements = this.ledPlacements();
  }

  /** To another server: not when this one does not lead either, lest a question goes round. @throws ApiError */
  answer(name: string, argument: unknown, signal: AbortSignal): Promise<unknown> {
    return answerOf(this.asked(), name, argument, signal);
  }

  private ledDecisions(): VirtualResource<SchedulingDecision> {
    return {
      resource: this.current.decisions.resource,
      get: (name, query, signal) =>
        this.either('decisions.get', { name, query: query.toString() }, signal, () =>
          this.current.decisions.get(name, query, signal),
        ),
      list: (namespace, signal) =>
        this.either(
          'decisions.list',
          namespace === undefined ? {} : { namespace },
          signal,
          async () => offered(await this.current.decisions.list?.(namespace, signal)),
        ),
      watch: (...args) => offered(this.asked().decisions.watch?.(...args)),
    };
  }

  private ledPlacements(): Placements {
    const local = () => this.current.placements;
    return {
      review: (...args) => this.asked().placements.review(...args),
      plan: (question, signal) =>
        this.either('plan', planArgument(question), signal, () => local().plan(question, signal)),
      rebalance: (question, signal) =>
        this.either('rebalance', question, signal, () => local().rebalance(question, signal)),
      replay: (question, signal) =>
        this.either('replay', question, signal, () => local().replay(question, signal)),
      capture: (question, signal) =>
        this.either('capture', question, signal, () => local().capture(question, signal)),
    };
  }

  /** From the server that leads, or from here. */
  private async either<N extends QuestionName, T>(
    name: N,
    argument: QuestionArgument<N>,
    signal: AbortSignal,
    local: () => Promise<T>,
  ): Promise<T> {
    if (!this.leading.isFollowing) return local();
    return (await this.ask(name, argument, signal)) as T;
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

const planArgument = ({
  replacedOwners,
  ...question
}: PlacementQuestion): QuestionArgument<'plan'> => ({
  ...question,
  ...(replacedOwners === undefined ? {} : { replacedOwners: [...replacedOwners] }),
});

/** Asks whoever leads, as far as is known. */
export const askerOf =
  (leading: Pick<Leading, 'leader'>, nodes: Pick<NodesServer, 'ask'>): AskLeader =>
  async (name, argument, signal) => {
    const { leader } = leading;
    if (leader === undefined) throw notLeading();
    return nodes.ask(leader, name, argument, signal);
  };

const offered = <T>(answer: T | undefined): T => {
  if (answer === undefined) throw notLeading();
  return answer;
};

const notLeading = (): ApiError =>
  new ApiError('ServiceUnavailable', 'another server leads, and this one does not know the answer');
