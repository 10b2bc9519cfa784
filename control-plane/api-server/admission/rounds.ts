import { cloneJson, jsonEqual } from '../../../api/json-value';
import type { MutableObject } from '../kinds/mutable';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionAttributes } from './attributes';

/**
 * One time that code of others, one after another, may change what is asked. What one of them has
 * changed all plugins see again, and of that code what wants to; never a third time. Source: KEP-1307.
 */
export class Round {
  isChanged = false;
  /** That want to be asked again, and were asked since the last change. */
  private readonly invoked = new Set<string>();
  /** That want to be asked again, and were asked before a change of others. */
  private readonly due = new Set<string>();
  /** What the last of them left. */
  private output: MutableObject | undefined;

  /** Absent in the first round: who is asked in the second. */
  constructor(private readonly again?: ReadonlySet<string>) {}

  asks(id: string): boolean {
    return this.again?.has(id) ?? true;
  }

  noteChange(): void {
    this.isChanged = true;
    for (const id of this.invoked) this.due.add(id);
    this.invoked.clear();
  }

  /** It was asked, and wants to be again when others change the object. */
  noteReinvocable(id: string): void {
    this.invoked.add(id);
  }

  end({ object }: AdmissionAttributes): void {
    // Of no use unless somebody wants to be asked again.
    const isNeeded = object !== undefined && this.invoked.size > 0;
    this.output = isNeeded ? cloneJson(object) : undefined;
  }

  /** The second round. Other plugins may have changed the object after all: then all are due. */
  next({ object }: AdmissionAttributes): Round {
    const isOther = this.invoked.size > 0 && !jsonEqual(object, this.output);
    return new Round(new Set([...this.due, ...(isOther ? this.invoked : [])]));
  }
}

/** The part of a plugin that runs such rounds. */
export const inRounds = (
  run: (asked: AdmissionAttributes, round: Round, signal: AbortSignal) => Promise<void>,
): Required<Pick<AdmissionPlugin, 'admit' | 'needsAnotherRound' | 'readmit'>> => {
  const rounds = new WeakMap<AdmissionAttributes, Round>();
  const play = async (asked: AdmissionAttributes, round: Round, signal: AbortSignal) => {
    await run(asked, round, signal);
    round.end(asked);
    return round.isChanged;
  };
  return {
    admit: (asked, signal) => {
      const round = new Round();
      rounds.set(asked, round);
      return play(asked, round, signal);
    },
    needsAnotherRound: (asked) => rounds.get(asked)?.isChanged === true,
    readmit: async (asked, signal) => {
      const first = rounds.get(asked);
      return first === undefined ? false : play(asked, first.next(asked), signal);
    },
  };
};
