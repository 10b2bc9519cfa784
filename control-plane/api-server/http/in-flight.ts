import { ApiError } from '../../../api/errors';
import { Holdings } from './holdings';

export type InFlightClass = 'readonly' | 'mutating';

/** Who wants a place. */
export interface InFlightCaller {
  /** Whose share it counts against; undefined for who may have all. */
  readonly sharer: string | undefined;
  /**
   * There are further places that others cannot take: nodes or leaders would be taken for dead, and
   * administrators could not help.
   */
  readonly isUrgent: boolean;
}

/**
 * How many requests are served at a time, as upstream's --max-requests-inflight and
 * --max-mutating-requests-inflight. Watches, logs that are followed and exec do not count: they last.
 * A request may wait for seconds at no cost to its caller, so that nobody may have more than a share.
 */
export class InFlightLimit {
  private readonly held = { readonly: new Holdings(), mutating: new Holdings() };

  constructor(private readonly limits: Readonly<Record<InFlightClass, number>> = DEFAULT_LIMITS) {}

  /** A place until it is disposed of. @throws TooManyRequests */
  enter(requestClass: InFlightClass, { sharer, isUrgent }: InFlightCaller): Disposable {
    const held = this.held[requestClass];
    const places = this.limits[requestClass];
    const isOverShare = sharer !== undefined && held.of(sharer) >= Math.ceil(places * SHARE);
    if (isOverShare || held.total >= places + (isUrgent ? URGENT_PLACES : 0))
      throw tooManyRequests();
    held.add(sharer ?? EVERYTHING, 1);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) held.add(sharer ?? EVERYTHING, -1);
        isHeld = false;
      },
    };
  }
}

/** What many may hold together, in bytes, and each no more than a share. */
export class ByteBudget {
  private readonly held = new Holdings();

  constructor(private readonly bytesMax: number) {}

  /** @throws TooManyRequests. What was taken must be given back with `release`. */
  take(bytes: number, sharer: string | undefined): void {
    const isOverShare =
      sharer !== undefined && this.held.of(sharer) + bytes > this.bytesMax * SHARE;
    if (isOverShare || this.held.total + bytes > this.bytesMax) throw tooManyRequests();
    this.held.add(sharer ?? EVERYTHING, bytes);
  }

  release(bytes: number, sharer: string | undefined): void {
    this.held.add(sharer ?? EVERYTHING, -bytes);
  }
}

/** In upstream's words. */
const tooManyRequests = (): ApiError =>
  new ApiError('TooManyRequests', 'Too many requests, please try again later.', {
    details: { retryAfterSeconds: 1 },
  });

/** No user has an empty name. */
const EVERYTHING = '';
const SHARE = 0.5;
const DEFAULT_LIMITS = { readonly: 400, mutating: 200 };
const URGENT_PLACES = 100;
