import { onAbort } from '../../../lib/async/on-abort';
import { ApiError } from '../../../api/errors';

/** How many watches are open: each costs a connection, a buffer and a place in the fan-out. */
export class WatchLimit {
  private total = 0;
  private readonly byUser = new Map<string, number>();

  constructor(private readonly max: number) {}

  /**
   * A place until it is disposed of, or until `signal` aborts: an answer that nobody reads to its end is
   * never disposed of. One user cannot have all. @throws TooManyRequests
   */
  enter(user: string, signal: AbortSignal): Disposable {
    const ofUser = this.byUser.get(user) ?? 0;
    if (this.total >= this.max || ofUser >= this.max * SHARE_OF_USER) throw tooManyWatches();
    this.total++;
    this.byUser.set(user, ofUser + 1);
    let isHeld = true;
    const leave = () => {
      if (!isHeld) return;
      isHeld = false;
      this.leave(user);
    };
    if (signal.aborted) leave();
    onAbort(signal, leave);
    return { [Symbol.dispose]: leave };
  }

  private leave(user: string): void {
    this.total--;
    const left = (this.byUser.get(user) ?? 1) - 1;
    if (left > 0) this.byUser.set(user, left);
    else this.byUser.delete(user);
  }
}

const SHARE_OF_USER = 0.75;

const tooManyWatches = (): ApiError =>
  new ApiError('TooManyRequests', 'too many watches are open, try again later', {
    details: { retryAfterSeconds: 5 },
  });
