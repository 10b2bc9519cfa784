import { ApiError, hasReason } from '../../../api/errors';
import { spanning } from '../../../lib/tracing/tracing';
import type { AdmissionPlugin, Reservation, WriteOutcome } from './admission-plugin';
import type { AdmissionAttributes } from './attributes';

/**
 * All that is asked of the API server passes the same plugins in the same order, twice: `admit`, then,
 * when the object has its defaults and is valid, `validate`. The first refusal ends it.
 */
export class AdmissionChain {
  private readonly steps: Readonly<Record<Step, readonly AdmissionPlugin[]>>;

  constructor(plugins: readonly AdmissionPlugin[]) {
    const having = (step: Step) => plugins.filter((plugin) => plugin[step] !== undefined);
    this.steps = {
      admit: having('admit'),
      needsAnotherRound: having('needsAnotherRound'),
      allocate: having('allocate'),
      validate: having('validate'),
      reserve: having('reserve'),
    };
  }

  /** Has anything changed the object? Then it needs its defaults again. @throws ApiError */
  admit(asked: AdmissionAttributes, signal: AbortSignal): Promise<boolean> {
    return asStep('Mutating admission', asked, () => this.rounds(asked, signal));
  }

  private async rounds(asked: AdmissionAttributes, signal: AbortSignal): Promise<boolean> {
    const isChanged = await this.round(asked, false, signal);
    const isAnotherNeeded = this.steps.needsAnotherRound.some((plugin) =>
      plugin.needsAnotherRound?.(asked),
    );
    if (!isAnotherNeeded) return isChanged;
    await this.round(asked, true, signal);
    return true;
  }

  private async round(
    asked: AdmissionAttributes,
    isAgain: boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    let isChanged = false;
    for (const plugin of this.steps.admit) {
      if (plugin.admit === undefined || !plugin.handles(asked)) continue;
      const isChangedNow =
        isAgain && plugin.readmit !== undefined
          ? await plugin.readmit(asked, signal)
          : await plugin.admit(asked, signal);
      isChanged ||= isChangedNow;
    }
    return isChanged;
  }

  /** @throws ApiError */
  validate(asked: AdmissionAttributes, signal: AbortSignal): Promise<void> {
    return asStep('Validating admission', asked, async () => {
      for (const plugin of this.steps.validate)
        if (plugin.handles(asked)) await plugin.validate?.(asked, signal);
    });
  }

  /**
   * Checks and writes what was admitted, between what plugins allocate and reserve for it and their
   * settling. @throws ApiError of a plugin, of the check, or of the write
   */
  async storing<T>(
    asked: AdmissionAttributes,
    signal: AbortSignal,
    { check, write }: Steps<T>,
  ): Promise<T> {
    const held: Reservation[] = [];
    const hold = async (step: 'allocate' | 'reserve') => {
      for (const plugin of this.steps[step]) {
        if (!plugin.handles(asked)) continue;
        const reservation = await plugin[step]?.(asked, signal);
        if (reservation !== undefined) held.push(reservation);
      }
    };
    let outcome: WriteOutcome = 'refused';
    try {
      await hold('allocate');
      const early = await check();
      if (early !== undefined) return early;
      await hold('reserve');
      outcome = 'unknown';
      const stored = await write();
      outcome = 'stored';
      return stored;
    } catch (error) {
      if (outcome === 'unknown' && isRefusal(error)) outcome = 'refused';
      throw error;
    } finally {
      if (held.length > 0)
        await Promise.allSettled(held.map(async (reservation) => reservation.settle(outcome)));
    }
  }

  /** For what is not stored as it was asked for: nothing comes between the two rounds. @throws ApiError */
  async pass(asked: AdmissionAttributes, signal: AbortSignal): Promise<void> {
    await this.admit(asked, signal);
    await this.validate(asked, signal);
  }
}

/** What plugins trace meanwhile is part of the step. */
const asStep = async <T>(
  name: string,
  asked: AdmissionAttributes,
  work: () => Promise<T>,
): Promise<T> => {
  const whole = asked.span;
  if (whole === undefined) return work();
  asked.span = whole.child(name);
  try {
    return await spanning(asked.span, work());
  } finally {
    asked.span = whole;
  }
};

/** What a plugin may have to do with a request. */
type Step = 'admit' | 'needsAnotherRound' | 'allocate' | 'validate' | 'reserve';

interface Steps<T> {
  /** Judges the object as it would be stored. An answer means that nothing has to be. @throws ApiError */
  readonly check: () => Promise<T | undefined>;
  readonly write: () => Promise<T>;
}

/** The store has answered, or was never asked. */
const isRefusal = (error: unknown): boolean =>
  error instanceof ApiError && !hasReason(error, 'ServiceUnavailable', 'Timeout');
