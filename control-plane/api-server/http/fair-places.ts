import { onAbort } from '../../../lib/async/on-abort';
import { timedController } from '../../../lib/async/timed-controller';
import { ApiError } from '../../../api/errors';
import type { Clock } from '../../../lib/clock';
import type { Yielding } from './aside';
import { Holdings } from './holdings';

/** Who wants a place. */
export interface InFlightCaller {
  /** Whose share it counts against; undefined for who may have all. */
  readonly sharer: string | undefined;
  /**
   * There are further places that others cannot take: nodes or leaders would be taken for dead, and
   * administrators could not help.
   */
  readonly isUrgent: boolean;
  /** How many places the work is worth. Default 1. */
  readonly seats?: number;
}

/**
 * Places for requests that are served at a time. Who finds none waits: the urgent before all others, and
 * of the others whoever has the fewest, so that the many requests of one never keep another's waiting
 * behind them. Nobody holds more than half. Each may have some waiting, for a while; then they are told
 * to come back later.
 */
export class FairPlaces {
  private readonly held = new Holdings();
  private readonly aside = new Holdings();
  /** In the order of their first's coming. */
  private readonly queues = new Map<string, Queue>();
  private waitingCount = 0;

  constructor(
    private readonly max: number,
    private readonly clock: Clock,
  ) {}

  /** A place until it is disposed of. @throws TooManyRequests; ServiceUnavailable when its caller goes */
  async enter(caller: InFlightCaller, signal: AbortSignal): Promise<HeldPlace> {
    const wanted = wantedBy(caller, this.max);
    const isFirst = !this.queues.has(wanted.queue) && !this.isBehindOthers(wanted);
    if (!isFirst || !this.fits(wanted)) await this.turnOf(wanted, signal);
    else this.held.add(wanted.holder, wanted.seats);
    return this.placeOf(wanted);
  }

  private isBehindOthers({ isUrgent }: Wanted): boolean {
    const next = this.next();
    return next !== undefined && (next[0].isUrgent || !isUrgent);
  }

  private placeOf({ holder, seats }: Wanted): HeldPlace {
    let [isHeld, isGivenBack] = [true, false];
    return {
      aside: async (work) => {
        if (!isHeld || !this.mayStepAside(holder)) return work();
        isHeld = false;
        this.aside.add(holder, 1);
        this.held.add(holder, -seats);
        this.startNext();
        try {
          return await work();
        } finally {
          this.aside.add(holder, -1);
          // What was served already does not wait again: for a while there are more than there should be.
          if (!isGivenBack) this.held.add(holder, seats);
          isHeld = !isGivenBack;
        }
      },
      [Symbol.dispose]: () => {
        isGivenBack = true;
        if (!isHeld) return;
        isHeld = false;
        this.held.add(holder, -seats);
        this.startNext();
      },
    };
  }

  /** Beyond so many, who waits for others keeps the place meanwhile: the sum stays bounded. */
  private mayStepAside(holder: string): boolean {
    return this.aside.total < ASIDE_MAX && this.aside.of(holder) < ASIDE_MAX * SHARE;
  }

  private fits(wanted: Wanted): boolean {
    return this.isInShare(wanted) && this.held.total + wanted.seats <= this.placesFor(wanted);
  }

  private isInShare({ sharer, holder, seats }: Wanted): boolean {
    return sharer === undefined || this.held.of(holder) + seats <= Math.ceil(this.max * SHARE);
  }

  private placesFor({ isUrgent }: Wanted): number {
    return this.max + (isUrgent ? URGENT_PLACES : 0);
  }

  /** Resolves when the places are taken. */
  private async turnOf(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const queue = this.queues.get(wanted.queue) ?? { isUrgent: wanted.isUrgent, waiters: [] };
    if (queue.waiters.length >= WAITING_MAX || this.waitingCount >= WAITING_TOTAL_MAX)
      throw tooManyRequests();
    using limit = timedController(this.clock, WAIT_MS, signal);
    const isStarted = await new Promise<boolean>((settle) => {
      const waiter: Waiter = { wanted, start: () => settle(true) };
      queue.waiters.push(waiter);
      this.queues.set(wanted.queue, queue);
      this.waitingCount++;
      const giveUp = () => {
        if (this.remove(queue, waiter)) settle(false);
      };
      if (limit.signal.aborted) giveUp();
      onAbort(limit.signal, giveUp);
    });
    if (isStarted) return;
    // It may have been what the others waited for.
    this.startNext();
    if (signal.aborted) throw new ApiError('ServiceUnavailable', 'the request was given up');
    throw tooManyRequests();
  }

  private startNext(): void {
    for (let next = this.next(); next !== undefined; next = this.next()) {
      const [queue, waiter] = next;
      // It keeps its turn until there is room, or small ones would go past it for ever.
      if (!this.fits(waiter.wanted)) return;
      this.remove(queue, waiter);
      this.held.add(waiter.wanted.holder, waiter.wanted.seats);
      waiter.start();
    }
  }

  /** Of the first of each queue, who is within their share. */
  private next(): readonly [Queue, Waiter] | undefined {
    let best: readonly [Queue, Waiter] | undefined;
    for (const queue of this.queues.values()) {
      const [first] = queue.waiters;
      if (first === undefined || !this.isInShare(first.wanted)) continue;
      if (best === undefined || this.isBefore(queue, first, best)) best = [queue, first];
    }
    return best;
  }

  private isBefore(queue: Queue, { wanted }: Waiter, [other, best]: readonly [Queue, Waiter]) {
    if (queue.isUrgent !== other.isUrgent) return queue.isUrgent;
    return this.held.of(wanted.holder) < this.held.of(best.wanted.holder);
  }

  private remove(queue: Queue, waiter: Waiter): boolean {
    const index = queue.waiters.indexOf(waiter);
    if (index < 0) return false;
    queue.waiters.splice(index, 1);
    this.waitingCount--;
    this.queues.delete(waiter.wanted.queue);
    // Behind those who wait for their first turn.
    if (queue.waiters.length > 0) this.queues.set(waiter.wanted.queue, queue);
    return true;
  }
}

/** One request's place: its own until it is disposed of, for others while it waits for somebody. */
export interface HeldPlace extends Yielding, Disposable {}

interface Wanted {
  readonly sharer: string | undefined;
  readonly isUrgent: boolean;
  readonly seats: number;
  readonly holder: string;
  readonly queue: string;
}

interface Queue {
  readonly isUrgent: boolean;
  readonly waiters: Waiter[];
}

interface Waiter {
  readonly wanted: Wanted;
  readonly start: () => void;
}

const wantedBy = ({ sharer, isUrgent, seats = 1 }: InFlightCaller, max: number): Wanted => {
  const holder = sharer ?? EVERYTHING;
  const least = Math.max(1, Math.min(seats, Math.floor(max * SHARE)));
  return { sharer, isUrgent, seats: least, holder, queue: `${String(isUrgent)} ${holder}` };
};

/** In upstream's words. */
export const tooManyRequests = (): ApiError =>
  new ApiError('TooManyRequests', 'Too many requests, please try again later.', {
    details: { retryAfterSeconds: 1 },
  });

/** No user has an empty name. */
export const EVERYTHING = '';
export const SHARE = 0.5;
const URGENT_PLACES = 100;
/** Requests that wait for webhooks and hold no place meanwhile. */
const ASIDE_MAX = 200;
/** Of one sharer. A waiting request keeps a connection, and no body. */
const WAITING_MAX = 50;
const WAITING_TOTAL_MAX = 1000;
/** As upstream: a quarter of the minute that a request has. */
const WAIT_MS = 15_000;
