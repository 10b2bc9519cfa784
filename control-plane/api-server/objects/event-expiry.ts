import { hasReason } from '../../../api/errors';
import { EVENTS } from '../../../api/resources';
import { nameOf, type Event } from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import type { Clock } from '../../../lib/clock';
import { describeError, type Log } from '../../../lib/log';

export interface EventExpiryDeps {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly log: Log;
}

/** Deletes events an hour after they last happened, until `signal` aborts. */
export const expireEvents = async (
  { client, clock, log }: EventExpiryDeps,
  signal: AbortSignal,
): Promise<void> => {
  const isStopping = () => signal.aborted;
  for (;;) {
    await clock.sleep(INTERVAL_MS, signal);
    if (isStopping()) return;
    try {
      const { items } = await client.list(EVENTS, {}, signal);
      const oldestMs = clock.now() - TTL_MS;
      for (const event of items.filter((each) => lastSeenMs(each) < oldestMs)) {
        const { uid = '', resourceVersion = '' } = event.metadata;
        // One that has just happened again stays.
        const preconditions = { uid, resourceVersion };
        await client.delete(EVENTS, nameOf(event), { preconditions }, signal).catch(ignoreRaces);
      }
    } catch (error) {
      log.warn({ err: describeError(error) }, 'old events stay for now');
    }
  }
};

const lastSeenMs = ({ series, lastTimestamp, eventTime, metadata }: Event): number => {
  const times: readonly unknown[] = [
    series?.lastObservedTime,
    lastTimestamp,
    eventTime,
    metadata.creationTimestamp,
  ];
  return Math.max(
    0,
    ...times.map((time) => (typeof time === 'string' ? Date.parse(time) || 0 : 0)),
  );
};

const ignoreRaces = (error: unknown): void => {
  if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
};

const TTL_MS = 3_600_000;
const INTERVAL_MS = 5 * 60_000;
