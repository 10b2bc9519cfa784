import { ApiError } from '../api/errors';
import type { DecisionReplaySpec } from '../api/decision-replays';
import type { RebalancePlanSpec } from '../api/rebalance-plans';
import type { SchedulerCaptureSpec } from '../api/scheduler-captures';
import type { ObjectName } from '../api/types';
import type { PlacementQuestion } from '../client/placements';
import type { Scheduler } from './scheduler';

/** Asks the server that leads; what comes back is as `answerOf` there gave it. @throws ApiError */
export type AskLeader = <N extends QuestionName>(
  name: N,
  argument: QuestionArgument<N>,
  signal: AbortSignal,
) => Promise<unknown>;

/** What a server that does not lead asks of the one that does, with arguments that are JSON. */
interface Arguments {
  readonly 'decisions.get': NamedQuestion;
  readonly 'decisions.list': { readonly namespace?: string };
  readonly 'explanations.get': NamedQuestion;
  readonly plan: Omit<PlacementQuestion, 'replacedOwners'> & {
    readonly replacedOwners?: readonly string[];
  };
  readonly rebalance: RebalancePlanSpec;
  readonly replay: DecisionReplaySpec;
  readonly capture: SchedulerCaptureSpec;
}

export type QuestionName = keyof Arguments;
export type QuestionArgument<N extends QuestionName> = Arguments[N];

interface NamedQuestion {
  readonly name: ObjectName;
  /** As in a URL. */
  readonly query: string;
}

type Answers = {
  readonly [N in QuestionName]: (
    scheduler: Scheduler,
    argument: Arguments[N],
    signal: AbortSignal,
  ) => Promise<unknown>;
};

const ANSWERS: Answers = {
  'decisions.get': ({ decisions }, { name, query }, signal) =>
    decisions.get(name, new URLSearchParams(query), signal),
  'decisions.list': async ({ decisions }, { namespace }, signal) =>
    decisions.list?.(namespace, signal),
  'explanations.get': ({ explanations }, { name, query }, signal) =>
    explanations.get(name, new URLSearchParams(query), signal),
  plan: ({ placements }, { replacedOwners, ...question }, signal) =>
    placements.plan(
      {
        ...question,
        ...(replacedOwners === undefined ? {} : { replacedOwners: new Set(replacedOwners) }),
      },
      signal,
    ),
  rebalance: ({ placements }, question, signal) => placements.rebalance(question, signal),
  replay: ({ placements }, question, signal) => placements.replay(question, signal),
  capture: ({ placements }, question, signal) => placements.capture(question, signal),
};

/**
 * The answer of this server's scheduler to what another server asks, whose user may. The argument was made by a
 * server of this cluster. @throws ApiError; BadRequest for a question of a later release
 */
export const answerOf = async (
  scheduler: Scheduler,
  name: string,
  argument: unknown,
  signal: AbortSignal,
): Promise<unknown> => {
  if (!Object.hasOwn(ANSWERS, name) || typeof argument !== 'object' || argument === null)
    throw new ApiError('BadRequest', `this server knows no question ${JSON.stringify(name)}`);
  const answer = ANSWERS[name as QuestionName] as (
    scheduler: Scheduler,
    argument: unknown,
    signal: AbortSignal,
  ) => Promise<unknown>;
  return answer(scheduler, argument, signal);
};
