import { onAbort } from '../../lib/async/on-abort';

interface Flight<V> {
  readonly controller: AbortController;
  readonly result: Promise<V>;
  passengers: number;
}

/**
 * Concurrent calls for one key share one run of the work, and each caller may leave: the run is
 * aborted only when the last one has.
 */
export class SharedFlights<V> {
  private readonly flights = new Map<string, Flight<V>>();
  /** Includes runs that were aborted and are winding down. */
  private readonly running = new Map<string, Promise<V>>();

  async join(
    key: string,
    work: (signal: AbortSignal) => Promise<V>,
    signal: AbortSignal | undefined,
  ): Promise<V> {
    signal?.throwIfAborted();
    const flight = this.flights.get(key) ?? this.start(key, work);
    flight.passengers++;
    try {
      return await Promise.race([flight.result, aborted(signal, flight.result)]);
    } finally {
      if (--flight.passengers === 0) {
        this.forget(key, flight);
        flight.controller.abort();
      }
    }
  }

  /** Resolves when nothing is under way. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.running.values());
  }

  private start(key: string, work: (signal: AbortSignal) => Promise<V>): Flight<V> {
    const controller = new AbortController();
    const result = this.after(this.running.get(key), () => work(controller.signal));
    const flight: Flight<V> = { controller, result, passengers: 0 };
    this.flights.set(key, flight);
    this.running.set(key, result);
    const forget = (): void => {
      this.forget(key, flight);
      if (this.running.get(key) === result) this.running.delete(key);
    };
    result.then(forget, forget);
    return flight;
  }

  /** Two runs of one key never overlap: they may write the same file. */
  private async after(previous: Promise<V> | undefined, work: () => Promise<V>): Promise<V> {
    await previous?.catch(() => undefined);
    return work();
  }

  private forget(key: string, flight: Flight<V>): void {
    if (this.flights.get(key) === flight) this.flights.delete(key);
  }
}

/** Rejects when `signal` aborts; stops listening once `until` settles. */
const aborted = (signal: AbortSignal | undefined, until: Promise<unknown>): Promise<never> =>
  new Promise((_resolve, reject) => {
    if (signal === undefined) return;
    const leave = (): void => reject(signal.reason as Error);
    onAbort(signal, leave);
    const stay = (): void => signal.removeEventListener('abort', leave);
    until.then(stay, stay);
  });
