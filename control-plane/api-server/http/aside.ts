/** Does `work`, and has again what was let go of for it when it has ended. */
export type Aside = <T>(work: () => Promise<T>) => Promise<T>;

/** For what holds nothing. */
export const NOTHING_HELD: Aside = (work) => work();

/** What a request holds and others wait for: let go of while the request itself waits for somebody. */
export interface Yielding {
  /** @throws what `work` throws, and nothing else */
  aside<T>(work: () => Promise<T>): Promise<T>;
}
