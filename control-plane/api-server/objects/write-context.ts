import type { Term } from '../../store/store';
import type { Span } from '../../../lib/tracing/tracing';
import type { Permit } from '../auth/permit';
import type { Yielding } from '../http/aside';
import type { Waiting } from '../kinds/served-kind';
import type { Annotate } from '../http/exchange';
import type { Pace } from '../http/heavy-lane';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** What a write carries besides its object. */
export interface WriteContext {
  /** Who writes, and what of that is allowed. */
  readonly permit: Permit;
  /** Everything but the store: admission, validation, the answer. */
  readonly isDryRun: boolean;
  /** Who is to own the fields that the write sets. */
  readonly fieldManager: string;
  /** `status`, `finalize` and `scale` set their part of the object, `''` the object itself. */
  readonly subresource: string;
  /** An apply records owners itself, as it merges. */
  readonly operation: 'Apply' | 'Update';
  /** Do new objects record who owns their fields? */
  readonly tracksOwners: boolean;
  /** An apply takes over what other managers own. */
  readonly isForced: boolean;
  readonly fieldValidation: FieldValidation;
  /** Collects what the caller should hear though the write succeeds. */
  readonly warnings: string[];
  /** As upstream calls them: `CreateOptions` and the like. Absent for the server's own writes. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Its place among the requests that are served. Absent for the server's own writes. */
  readonly place?: Yielding;
  /** How a large object is worked on. Absent for the server's own writes. */
  readonly pace?: Pace;
  /** Absent where nothing is recorded. */
  readonly annotate?: Annotate;
  /** Absent where the request is not sampled. */
  readonly span?: Span;
  /** What the leader does, it may do while it leads only. Absent for what any server does. */
  readonly term?: Term;
  readonly signal: AbortSignal;
}

/** Waits for others without keeping what the request holds and others wait for. */
export const waitingOf = ({
  signal,
  place,
  pace,
}: Pick<WriteContext, 'signal' | 'place' | 'pace'>): Required<Waiting> => ({
  signal,
  aside: (work) => asideOf(place, () => asideOf(pace, work)),
});

const asideOf = <T>(held: Yielding | undefined, work: () => Promise<T>): Promise<T> =>
  held === undefined ? work() : held.aside(work);

export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}
