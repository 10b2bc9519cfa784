import { ApiError } from '../../../api/errors';

export type InFlightClass = 'readonly' | 'mutating';

/**
 * How many requests are served at a time, as upstream's --max-requests-inflight and
 * --max-mutating-requests-inflight. Watches, logs that are followed and exec do not count: they last.
 */
export class InFlightLimit {
  private readonly counts = { readonly: 0, mutating: 0 };

  constructor(private readonly limits: Readonly<Record<InFlightClass, number>> = DEFAULT_LIMITS) {}

  /**
   * A place until it is disposed of. Who is urgent, because nodes or leaders would be taken for dead,
   * has further places that others cannot take. @throws TooManyRequests
   */
  enter(requestClass: InFlightClass, isUrgent: boolean): Disposable {
    const { counts } = this;
    const max = this.limits[requestClass] + (isUrgent ? URGENT_PLACES : 0);
    if (counts[requestClass] >= max) throw tooManyRequests();
    counts[requestClass]++;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) counts[requestClass]--;
        isHeld = false;
      },
    };
  }
}

/** What many may hold together, in bytes. */
export class ByteBudget {
  private heldBytes = 0;

  constructor(private readonly bytesMax: number) {}

  /** @throws TooManyRequests. What was taken must be given back with `release`. */
  take(bytes: number): void {
    if (this.heldBytes + bytes > this.bytesMax) throw tooManyRequests();
    this.heldBytes += bytes;
  }

  release(bytes: number): void {
    this.heldBytes -= bytes;
  }
}

/** In upstream's words. */
const tooManyRequests = (): ApiError =>
  new ApiError('TooManyRequests', 'Too many requests, please try again later.', {
    details: { retryAfterSeconds: 1 },
  });

const DEFAULT_LIMITS = { readonly: 400, mutating: 200 };
const URGENT_PLACES = 100;
