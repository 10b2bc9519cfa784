import { joined, type TableName } from './elements';
import {
  choiceNumberOf,
  groupNumberOf,
  MAX_CHOICE_NUMBER,
  MAX_GROUP_NUMBER,
  MAX_SLOTS,
  type GroupNumbers,
} from './groups';

/** What the kernel, or whoever stands for it, has under a key of a table. */
export type LookUp = (table: TableName, key: string) => string | undefined;

/**
 * The numbers of groups and kept choices. A new one is the next that nobody has: a client's old choice
 * must not come to mean another endpoint for as long as can be.
 */
export class Numbers {
  private readonly groups: Pool;
  private readonly choices: Pool;

  constructor(first: number) {
    this.groups = new Pool(first, MAX_GROUP_NUMBER);
    this.choices = new Pool(first, MAX_CHOICE_NUMBER);
  }

  /** For one plan of a service: what it does not ask for again is let go by `finish`. */
  turn(before: ServiceNumbers, lookUp: LookUp): Turn {
    return new Turn(before, lookUp, this.groups, this.choices);
  }

  /** Another process gave it out, and it is still in use. */
  claimGroup(number: number): boolean {
    return this.groups.claim(number);
  }

  claimChoice(number: number): boolean {
    return this.choices.claim(number);
  }
}

export interface ServiceNumbers {
  readonly groups: ReadonlyMap<string, number>;
  readonly choices: ReadonlyMap<string, number>;
}

export const NO_NUMBERS: ServiceNumbers = { groups: new Map(), choices: new Map() };

class Turn implements GroupNumbers {
  private readonly groups = new Map<string, number>();
  private readonly choices = new Map<string, number>();

  constructor(
    private readonly before: ServiceNumbers,
    private readonly lookUp: LookUp,
    private readonly groupPool: Pool,
    private readonly choicePool: Pool,
  ) {}

  group(name: string): number {
    return take(this.groups, name, this.before.groups, this.groupPool);
  }

  choice(endpoint: string): number {
    return take(this.choices, endpoint, this.before.choices, this.choicePool);
  }

  slots(mark: number): readonly string[] {
    const slots: string[] = [];
    for (;;) {
      const key = joined(mark, slots.length);
      const choice = this.lookUp('choice', key);
      const endpoint =
        choice === undefined ? this.lookUp('endpoint', key) : this.lookUp('chosen', choice);
      if (endpoint === undefined) return slots;
      slots.push(endpoint);
    }
  }

  finish(): ServiceNumbers {
    release(this.before.groups, this.groups, this.groupPool);
    release(this.before.choices, this.choices, this.choicePool);
    return { groups: this.groups, choices: this.choices };
  }
}

const take = (
  now: Map<string, number>,
  name: string,
  before: ReadonlyMap<string, number>,
  pool: Pool,
): number => {
  const number = now.get(name) ?? before.get(name) ?? pool.next();
  now.set(name, number);
  return number;
};

const release = (
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
  pool: Pool,
): void => {
  for (const [name, number] of before) if (!now.has(name)) pool.release(number);
};

class Pool {
  private readonly used = new Set<number>();
  private last: number;

  constructor(
    first: number,
    private readonly max: number,
  ) {
    this.last = first % max;
  }

  /** @throws RangeError when all are in use: millions are. */
  next(): number {
    if (this.used.size >= this.max) throw new RangeError('no number is left for a service');
    do this.last = (this.last % this.max) + 1;
    while (this.used.has(this.last));
    this.used.add(this.last);
    return this.last;
  }

  claim(number: number): boolean {
    if (number < 1 || number > this.max || this.used.has(number)) return false;
    this.used.add(number);
    return true;
  }

  release(number: number): void {
    this.used.delete(number);
  }
}

/** Pure: the numbers that a service's groups have where its elements are already. */
export const numbersIn = (
  name: string,
  fronts: { readonly all: number | undefined; readonly local: number | undefined },
  lookUp: LookUp,
): ServiceNumbers => {
  const groups = new Map<string, number>();
  const choices = new Map<string, number>();
  const follow = (groupName: string, mark: number | undefined, isPart = false): void => {
    if (mark === undefined) return;
    groups.set(groupName, groupNumberOf(mark));
    for (let slot = 0; slot < MAX_SLOTS; slot++) {
      const key = joined(mark, slot);
      const part = isPart ? undefined : lookUp('part', key);
      if (part !== undefined) follow(`${groupName}/${slot}`, Number(part), true);
      const choice = lookUp('choice', key);
      const endpoint = choice === undefined ? undefined : lookUp('chosen', choice);
      if (endpoint !== undefined)
        choices.set(`${groupName} ${endpoint}`, choiceNumberOf(Number(choice)));
      if (part === undefined && choice === undefined) return;
    }
  };
  follow(`${name}/all`, fronts.all);
  follow(`${name}/local`, fronts.local);
  return { groups, choices };
};
