/**
 * A set of fields of one object, as a tree. A step from a field to one below it is written as
 * FieldsV1 writes it: `f:spec` a field, `k:{"name":"c"}` an item by its keys, `v:"x"` an item by its
 * value, `i:0` an item by its place. Children are never empty sets.
 */
export interface FieldSet {
  readonly members: ReadonlySet<string>;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export type FieldPath = readonly string[];

export const NO_FIELDS: FieldSet = { members: new Set(), children: new Map() };

export const isEmptySet = ({ members, children }: FieldSet): boolean =>
  members.size === 0 && children.size === 0;

export const hasMember = ({ members }: FieldSet, step: string): boolean => members.has(step);

export const below = ({ children }: FieldSet, step: string): FieldSet =>
  children.get(step) ?? NO_FIELDS;

/** Collects paths into a set. */
export class FieldSetBuilder implements FieldSet {
  readonly members = new Set<string>();
  readonly children = new Map<string, FieldSetBuilder>();

  insert(path: FieldPath, from = 0): void {
    const step = path[from];
    if (step === undefined) return;
    if (from === path.length - 1) this.members.add(step);
    else this.child(step).insert(path, from + 1);
  }

  private child(step: string): FieldSetBuilder {
    let child = this.children.get(step);
    if (child === undefined) this.children.set(step, (child = new FieldSetBuilder()));
    return child;
  }
}

export const setOf = (paths: Iterable<FieldPath>): FieldSet => {
  const set = new FieldSetBuilder();
  for (const path of paths) set.insert(path);
  return set;
};

export const union = (a: FieldSet, b: FieldSet): FieldSet => {
  if (isEmptySet(a)) return b;
  if (isEmptySet(b)) return a;
  const children = new Map(a.children);
  for (const [step, child] of b.children) children.set(step, union(below(a, step), child));
  return { members: new Set([...a.members, ...b.members]), children };
};

export const intersection = (a: FieldSet, b: FieldSet): FieldSet =>
  withChildren(
    [...a.members].filter((step) => b.members.has(step)),
    [...a.children].map(([step, child]) => [step, intersection(child, below(b, step))]),
  );

/** The fields of `a` that are not in `b`. */
export const difference = (a: FieldSet, b: FieldSet): FieldSet =>
  isEmptySet(b)
    ? a
    : withChildren(
        [...a.members].filter((step) => !b.members.has(step)),
        [...a.children].map(([step, child]) => [step, difference(child, below(b, step))]),
      );

export const equalSets = (a: FieldSet, b: FieldSet): boolean =>
  a.members.size === b.members.size &&
  a.children.size === b.children.size &&
  [...a.members].every((step) => b.members.has(step)) &&
  [...a.children].every(([step, child]) => equalSets(child, below(b, step)));

/** Every field of the set, in order. */
export function* pathsOf(set: FieldSet, prefix: FieldPath = []): Generator<FieldPath> {
  for (const step of stepsOf(set)) {
    const path = [...prefix, step];
    if (set.members.has(step)) yield path;
    yield* pathsOf(below(set, step), path);
  }
}

/** All steps that lead on from here, sorted. */
export const stepsOf = ({ members, children }: FieldSet): readonly string[] => {
  const steps = [...members];
  for (const step of children.keys()) if (!members.has(step)) steps.push(step);
  return steps.sort();
};

const withChildren = (
  members: readonly string[],
  children: readonly (readonly [string, FieldSet])[],
): FieldSet => ({
  members: new Set(members),
  children: new Map(children.filter(([, child]) => !isEmptySet(child))),
});
