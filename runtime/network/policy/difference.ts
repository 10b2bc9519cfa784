import type { PlannedChain, PolicyPlan } from './plan';
import {
  containersOf,
  GO_WITH_DECIDERS,
  HOLD_BACK,
  type Container,
  type ElementChange,
} from './text';

/** What the kernel has of the table, as far as this process has put it there. */
export interface AppliedTable {
  readonly chains: ReadonlyMap<string, PlannedChain>;
  readonly containers: ReadonlyMap<string, Container>;
}

export interface TableDifference {
  readonly chains: ReadonlyMap<string, PlannedChain>;
  readonly containers: ReadonlyMap<string, Container>;
  readonly changes: readonly ElementChange[];
  /** How many elements come or go. */
  readonly elementCount: number;
  /** Chains and sets that nothing needs any more. They do no harm. */
  readonly unusedCount: number;
  /** Something that passed before may not pass any more. */
  readonly isStricter: boolean;
}

/** Pure. What is named is never changed but in its elements; what is not needed stays. */
export const differenceOf = (applied: AppliedTable, plan: PolicyPlan): TableDifference => {
  const wanted = containersOf(plan);
  const changes = [...wanted].flatMap(([container, { kind, elements }]) => {
    const before = applied.containers.get(container)?.elements;
    if (before === undefined || before === elements) return [];
    const added = new Map([...elements].filter(([key, value]) => before.get(key) !== value));
    const removed = [...before].filter(([key, value]) => elements.get(key) !== value);
    if (added.size + removed.length === 0) return [];
    return [{ container, kind, added, removed: removed.map(([key]) => key) }];
  });
  return {
    chains: missing(plan.chains, applied.chains),
    containers: missing(wanted, applied.containers),
    changes,
    elementCount: changes.reduce((sum, { added, removed }) => sum + added.size + removed.length, 0),
    unusedCount:
      missing(applied.chains, plan.chains).size + missing(applied.containers, wanted).size,
    isStricter: changes.some(isStricter),
  };
};

const isStricter = ({ container, added, removed }: ElementChange): boolean => {
  if (GO_WITH_DECIDERS.has(container)) return false;
  return HOLD_BACK.has(container) ? added.size > 0 : removed.length > 0;
};

/** Pure: the table after the difference. */
export const afterChange = (applied: AppliedTable, plan: PolicyPlan): AppliedTable => ({
  chains: new Map([...applied.chains, ...plan.chains]),
  containers: new Map([...applied.containers, ...containersOf(plan)]),
});

const missing = <T>(
  wanted: ReadonlyMap<string, T>,
  there: ReadonlyMap<string, T>,
): ReadonlyMap<string, T> => new Map([...wanted].filter(([name]) => !there.has(name)));
