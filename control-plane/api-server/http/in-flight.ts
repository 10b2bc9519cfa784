import type { Clock } from '../../../lib/clock';
import {
  EVERYTHING,
  FairPlaces,
  SHARE,
  tooManyRequests,
  type HeldPlace,
  type InFlightCaller,
} from './fair-places';
import { Holdings } from './holdings';

export type InFlightClass = 'readonly' | 'mutating';

/**
 * How many requests are served at a time, as upstream's --max-requests-inflight and
 * --max-mutating-requests-inflight. Watches, logs that are followed and exec do not count: they last.
 */
export class InFlightLimit {
  private readonly places: Readonly<Record<InFlightClass, FairPlaces>>;

  constructor(clock: Clock, { readonly, mutating } = DEFAULT_LIMITS) {
    this.places = {
      readonly: new FairPlaces(readonly, clock),
      mutating: new FairPlaces(mutating, clock),
    };
  }

  /** A place until it is disposed of; waits for one. @throws TooManyRequests */
  enter(
    requestClass: InFlightClass,
    caller: InFlightCaller,
    signal: AbortSignal,
  ): Promise<HeldPlace> {
    return this.places[requestClass].enter(caller, signal);
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

const DEFAULT_LIMITS: Readonly<Record<InFlightClass, number>> = { readonly: 400, mutating: 200 };
