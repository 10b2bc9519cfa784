import type { CliContext } from '../context';
import { durationMs } from '../durations';
import type { SelectOptions } from '../selection';
import { UsageError } from '../usage-error';
import { FOR_EVER_MS, statesOf, withinTime, type Place } from '../waiting';
import type { RolloutKind } from './rollout-kinds';
import { rolloutTargets } from './rollout-targets';
import { whyText } from './why';

export interface RolloutStatusOptions extends SelectOptions {
  readonly watch?: boolean | string;
  readonly timeout?: string;
  readonly revision?: string;
}

/** Tells how far rollouts are until they are done; of one that fails, which pods do not run and why. */
export const rolloutStatus = async (
  context: CliContext,
  args: readonly string[],
  options: RolloutStatusOptions,
): Promise<void> => {
  const timeoutMs = durationMs('--timeout', options.timeout ?? '0') || FOR_EVER_MS;
  const isOnce = options.watch === false || options.watch === 'false';
  const what = 'no status viewer has been implemented';
  for (const { kind, info, object } of await rolloutTargets(context, args, options, what)) {
    kind.checkFollowed(object, options.revision);
    const { namespace = '', name } = object.metadata;
    if (isOnce) context.terminal.out.write(`${kind.stateOf(object).text}\n`);
    else await follow(context, kind, { info, namespace, name }, timeoutMs);
  }
};

const follow = async (
  context: CliContext,
  { stateOf }: RolloutKind,
  place: Place,
  timeoutMs: number,
): Promise<void> => {
  try {
    await withinTime(context, timeoutMs, '', async (signal) => {
      let last = '';
      for await (const state of statesOf(context, place, signal)) {
        if (state === undefined) throw new UsageError('object has been deleted');
        const { is, text } = stateOf(state);
        if (is === 'failed') throw new UsageError(text);
        // Every change is an event; only those that say something new are lines.
        if (text !== last) context.terminal.out.write(`${text}\n`);
        last = text;
        if (is === 'done') return;
      }
      signal.throwIfAborted();
    });
  } catch (error) {
    if (!(error instanceof UsageError) || context.signal.aborted) throw error;
    context.terminal.err.write(await whyText(context, place));
    throw error;
  }
};
