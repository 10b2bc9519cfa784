import type { AdmissionAttributes } from './attributes';

/** A rule beyond what an object by itself must satisfy. */
export interface AdmissionPlugin {
  /** Upstream's name for it. */
  readonly name: string;
  /** Has it anything to say? Cheap: everything is asked of every plugin. */
  handles(asked: AdmissionAttributes): boolean;
  /**
   * Before validation: may change `asked.object`, and says whether it did. What is refused here is
   * refused before the object is known to be valid.
   * @throws ApiError to refuse
   */
  admit?(asked: AdmissionAttributes, signal: AbortSignal): boolean | Promise<boolean>;
  /** Has code of somebody else changed the object? Then all plugins admit it once more. */
  needsAnotherRound?(asked: AdmissionAttributes): boolean;
  /** In place of `admit` in that round. Default: `admit`. */
  readmit?(asked: AdmissionAttributes, signal: AbortSignal): boolean | Promise<boolean>;
  /**
   * After all have admitted and before validation: gives the object what the server hands out once each,
   * as an address, and holds it until it is told what became of the write. Of a dry run it holds nothing.
   * What it holds is given back also when the object is refused later on.
   * @throws ApiError to refuse; then it holds nothing
   */
  allocate?(
    asked: AdmissionAttributes,
    signal: AbortSignal,
  ): Reservation | undefined | Promise<Reservation | undefined>;
  /** After validation: looks at what is to be stored. @throws ApiError to refuse */
  validate?(asked: AdmissionAttributes, signal: AbortSignal): void | Promise<void>;
  /**
   * For exact accounts, as of a quota: when all else has agreed and the write comes next, takes what
   * the write will use, and is told what became of it. To take must be one step, guarded against
   * others that take at the same time; `validate` can only look. It is asked about creations, and
   * updates that change something; of a dry run it judges and takes nothing. What a deletion frees is
   * free once the object has gone, which only a watch tells.
   * @throws ApiError to refuse; what other plugins have taken is given back
   */
  reserve?(
    asked: AdmissionAttributes,
    signal: AbortSignal,
  ): Reservation | undefined | Promise<Reservation | undefined>;
}

export interface Reservation {
  /**
   * Comes exactly once, before the request is answered, also when its caller has gone. Resolves when
   * the account is right again as far as it can be; what it cannot settle now it must settle later by
   * itself, for nothing of it is an error of the request any more.
   */
  settle(outcome: WriteOutcome): void | Promise<void>;
}

/** `unknown`: the store gave no answer. Only what is stored in the end can tell. */
export type WriteOutcome = 'stored' | 'refused' | 'unknown';
