import type { Clock } from '../../../lib/clock';
import type { ApiRequest } from '../http/exchange';
import { parseInt64 } from './options';
import { linkedController } from '../../../lib/async/linked-controller';

/**
 * Ends a watch after the time its client asked for, or after half an hour to an hour, drawn so that
 * clients that came together do not come back together.
 */
export const watchSignal = (
  { query, signal }: ApiRequest,
  clock: Clock,
  random: { next(): number },
): AbortSignal => {
  const seconds = parseInt64(query, 'timeoutSeconds') ?? 0;
  const timeoutMs =
    seconds === 0 ? MIN_MS + random.next() * MIN_MS : Math.max(0, Math.min(seconds * 1000, MAX_MS));
  const ended = linkedController(signal);
  void clock.sleep(timeoutMs, signal).then(() => ended.abort());
  return ended.signal;
};

const MIN_MS = 30 * 60_000;
const MAX_MS = 24 * 3_600_000;
