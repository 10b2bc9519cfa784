import type { User } from '../auth/user';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** What a write carries besides its object. */
export interface WriteContext {
  readonly user: User;
  /** Everything but the store: admission, validation, the answer. */
  readonly isDryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
  /** Collects what the caller should hear though the write succeeds. */
  readonly warnings: string[];
  readonly signal: AbortSignal;
}

export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}
