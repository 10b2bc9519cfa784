import { onAbort } from '../../../lib/async/on-abort';
import { ApiError } from '../../../api/errors';
import { Holdings } from '../http/holdings';

/** How many watches are open: each costs a connection, a buffer and a place in the fan-out. */
export class WatchLimit {
  private readonly held = new Holdings();

  constructor(private readonly max: number) {}

  /**
   * A place until it is disposed of, or until `signal` aborts: an answer that nobody reads to its end is
   * never disposed of. Long selectors take several: every requirement is kept for as long as the watch,
   * and tried with every change. One sharer cannot have all. @throws TooManyRequests
   */
  enter(sharer: string, signal: AbortSignal, selectorLength = 0): Disposable {
    const { held, max } = this;
    const places = 1 + Math.floor(selectorLength / SELECTOR_LENGTH_PER_PLACE);
    if (held.total + places > max || held.of(sharer) + places > Math.ceil(max * SHARE))
      throw tooManyWatches();
    held.add(sharer, places);
    let isHeld = true;
    const leave = () => {
      if (!isHeld) return;
      isHeld = false;
      held.add(sharer, -places);
    };
    if (signal.aborted) leave();
    onAbort(signal, leave);
    return { [Symbol.dispose]: leave };
  }
}

const SHARE = 0.75;
/** Kept, that takes 30 KB. */
const SELECTOR_LENGTH_PER_PLACE = 512;

const tooManyWatches = (): ApiError =>
  new ApiError('TooManyRequests', 'too many watches are open, try again later', {
    details: { retryAfterSeconds: 5 },
  });
