import { ApiError, qualifiedResource } from '../api/errors';
import type { Resource } from '../api/resources';
import type { ApiObject } from '../api/types';
import type { WatchEvent, WatchOptions } from '../client/api-client';
import { DeadlineExceededError, withDeadline } from '../lib/async/deadline';
import { systemClock } from '../lib/clock';
import type { CliContext } from './context';
import { UsageError } from './usage-error';

/** One object, there or not there yet. */
export interface Place<T extends ApiObject = ApiObject> {
  readonly info: Resource<T>;
  /** `''` for what lives in none. */
  readonly namespace: string;
  readonly name: string;
}

/**
 * The states of one object: the present one, then each as it comes; undefined while it is not there.
 * A watch that is lost is made again. Ends when `signal` aborts.
 * @throws what the server refuses: Forbidden, ...
 */
export async function* statesOf<T extends ApiObject>(
  { client }: Pick<CliContext, 'client'>,
  { info, namespace, name }: Place<T>,
  signal: AbortSignal,
): AsyncGenerator<T | undefined> {
  const place = { namespace, fieldSelector: `metadata.name=${name}` };
  while (!signal.aborted) {
    try {
      const { items, resourceVersion } = await client.list(info, place, signal);
      yield items[0];
      for await (const event of client.watch(info, { ...place, resourceVersion }, signal)) {
        if (event.type !== 'BOOKMARK') yield event.type === 'DELETED' ? undefined : event.object;
      }
    } catch (error) {
      // Out of reach, or the history is gone: look again.
      if (!(error instanceof ApiError) || !PASSING.has(error.reason)) throw error;
    }
    await systemClock.sleep(AGAIN_MS, signal);
  }
}

/**
 * Changes of a kind after a version, until `signal` aborts. A watch that is lost is made again; of a
 * history that is gone, what is there now is told as added.
 * @throws what the server refuses: Forbidden, ...
 */
export async function* changesOf<T extends ApiObject>(
  { client, signal }: Pick<CliContext, 'client' | 'signal'>,
  info: Resource<T>,
  options: WatchOptions,
): AsyncGenerator<Exclude<WatchEvent<T>, { type: 'BOOKMARK' }>> {
  let { resourceVersion } = options;
  while (!signal.aborted) {
    try {
      for await (const event of client.watch(info, { ...options, resourceVersion }, signal)) {
        resourceVersion = versionOf(event) ?? resourceVersion;
        if (event.type !== 'BOOKMARK') yield event;
      }
    } catch (error) {
      if (!(error instanceof ApiError) || !PASSING.has(error.reason)) throw error;
      if (error.reason !== 'ServiceUnavailable') {
        const { resourceVersion: _from, ...place } = options;
        const listed = await client.list(info, place, signal);
        ({ resourceVersion } = listed);
        for (const object of listed.items) yield { type: 'ADDED', object };
      }
    }
    await systemClock.sleep(AGAIN_MS, signal);
  }
}

const versionOf = (event: WatchEvent<ApiObject>): string | undefined =>
  event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion;

/**
 * Waits until `isOver` says so of a state of the object, and resolves with that state.
 * @throws UsageError `timed out waiting for the condition on pods/web`, or what `isOver` throws
 */
export const waitUntil = async <T extends ApiObject>(
  context: Pick<CliContext, 'client' | 'signal'>,
  place: Place<T>,
  timeoutMs: number,
  isOver: (state: T | undefined) => boolean | Promise<boolean>,
): Promise<T | undefined> => {
  const { plural, group } = place.info;
  const what = `${qualifiedResource(plural, group)}/${place.name}`;
  return withinTime(context, timeoutMs, what, async (signal) => {
    for await (const state of statesOf(context, place, signal)) {
      if (await isOver(state)) return state;
    }
    throw signal.reason;
  });
};

/** The result of `work`, if it ends in time. @throws UsageError `timed out waiting for the condition on WHAT`, or without a place for `''` */
export const withinTime = async <T>(
  { signal }: Pick<CliContext, 'signal'>,
  limitMs: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  try {
    return await withDeadline({ what, limitMs, clock: systemClock, signal }, work);
  } catch (error) {
    if (!(error instanceof DeadlineExceededError) || error.what !== what) throw error;
    const on = what === '' ? '' : ` on ${what}`;
    throw new UsageError(`timed out waiting for the condition${on}`, { cause: error });
  }
};

/** What kubectl makes of a timeout that is below zero, and we of one that is zero where that means none. */
export const FOR_EVER_MS = 7 * 24 * 3600 * 1000;

const PASSING: ReadonlySet<string> = new Set(['ServiceUnavailable', 'Expired', 'Gone', 'Timeout']);
const AGAIN_MS = 500;
