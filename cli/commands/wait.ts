import { notFound } from '../../api/errors';
import { isOfKind } from '../../api/owners';
import { JOBS, PODS } from '../../api/resources';
import type { ApiObject, Job, Pod } from '../../api/types';
import type { CliContext } from '../context';
import { durationMs } from '../durations';
import { select, type SelectOptions } from '../selection';
import { parseTargets } from '../targets';
import { UsageError } from '../usage-error';
import { FOR_EVER_MS, waitUntil, type Place } from '../waiting';
import { troubleLines, troublesOf, withEvidence } from '../why';
import { collectFound } from './found';
import { qualifiedKind } from './get';
import { parseAwaited, type Awaited } from './wait-condition';

export interface WaitOptions extends SelectOptions {
  readonly for?: string;
  readonly timeout?: string;
}

/**
 * Waits until each object is as it is to be. One that is named and not there yet is waited for; a pod
 * that cannot get there by waiting ends the wait at once.
 */
export const wait = async (
  context: CliContext,
  args: readonly string[],
  options: WaitOptions,
): Promise<void> => {
  if (options.for === undefined) {
    throw new UsageError('say what to wait for: --for=condition=Ready, --for=delete, ...');
  }
  const awaited = parseAwaited(options.for);
  const givenMs = durationMs('--timeout', options.timeout ?? '30s');
  const timeoutMs = givenMs < 0 ? FOR_EVER_MS : givenMs;
  const places = await placesOf(context, args, options);
  if (places.length === 0 && awaited.kind !== 'delete') {
    throw new UsageError('no matching resources found');
  }
  const results = await Promise.all(
    places.map((place) =>
      collectFound([place], () => waitForOne(context, place, awaited, timeoutMs)),
    ),
  );
  const failures = results.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  if (failures.length > 1) throw new AggregateError(failures);
  if (failures[0] !== undefined) throw failures[0];
};

const placesOf = async (
  context: CliContext,
  args: readonly string[],
  options: WaitOptions,
): Promise<readonly Place[]> => {
  const isNamed = options.filename === undefined && (args.length > 1 || args[0]?.includes('/'));
  if (isNamed === true) {
    const targets = await parseTargets(context, args);
    return targets.map(({ info, name = '' }) => ({
      info,
      name,
      namespace: info.isNamespaced ? (context.namespace ?? 'default') : '',
    }));
  }
  const { found, failure } = await select(context, args, options);
  if (failure !== undefined) throw failure;
  return found.map(({ info, object: { metadata } }) => ({
    info,
    name: metadata.name,
    namespace: metadata.namespace ?? '',
  }));
};

const waitForOne = async (
  context: CliContext,
  place: Place,
  awaited: Awaited,
  timeoutMs: number,
): Promise<void> => {
  const seen: { first?: ApiObject } = {};
  try {
    // The present state is looked at even by who does not want to wait.
    await waitUntil(context, place, Math.max(timeoutMs, LOOK_MS), async (state) => {
      if (state !== undefined) seen.first ??= state;
      if (awaited.kind === 'delete') return state === undefined || isAnother(state, seen.first);
      if (state === undefined) return false;
      if (awaited.holds(state)) return true;
      await failEarly(context, state, awaited);
      if (timeoutMs === 0) {
        throw new UsageError(`condition not met for ${qualifiedKind(place.info)}/${place.name}`);
      }
      return false;
    });
  } catch (error) {
    const { plural, group } = place.info;
    if (error instanceof UsageError && seen.first === undefined) {
      throw notFound(plural, group, place.name);
    }
    throw error;
  }
  context.terminal.out.write(`${qualifiedKind(place.info)}/${place.name} condition met\n`);
};

/** One of the same name that was made since. */
const isAnother = (state: ApiObject, first: ApiObject | undefined): boolean =>
  first !== undefined && state.metadata.uid !== first.metadata.uid;

/** @throws UsageError with the container's last words, where waiting is in vain */
const failEarly = async (
  { client, signal }: CliContext,
  object: ApiObject,
  { condition = '' }: Awaited,
): Promise<void> => {
  if (isOfKind(object, JOBS) && /^complete$/i.test(condition)) failWithJob(object);
  if (object.kind !== PODS.kind || !/^(ready|containersready)$/i.test(condition)) return;
  const pod = object as Pod;
  const troubles = troublesOf(pod).filter(({ reason }) => reason === 'CrashLoopBackOff');
  const { phase = '' } = pod.status;
  const isOver = phase === 'Failed' || phase === 'Succeeded';
  if (troubles.length === 0 && !isOver) return;
  const known = await withEvidence(client, pod, isOver ? troublesOf(pod) : troubles, signal);
  const why = troubleLines(known, { color: false, width: 100 });
  const what = isOver ? `it has ended: ${phase}` : 'its container ends again and again';
  throw new UsageError(
    [`pod/${pod.metadata.name} does not become ${condition}: ${what}`, ...why].join('\n'),
  );
};

/** @throws UsageError when the job has ended otherwise */
const failWithJob = ({ metadata, status }: Job): void => {
  const failed = status?.conditions?.find((each) => each.type === 'Failed');
  if (failed?.status !== 'True') return;
  const { reason = '', message = '' } = failed;
  throw new UsageError(`job/${metadata.name} does not become complete: ${reason}: ${message}`);
};

const LOOK_MS = 5000;
