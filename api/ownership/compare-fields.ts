import { jsonEqual } from '../json-value';
import { member, type Json } from '../patch/json';
import { FieldSetBuilder, union, type FieldSet } from './field-set';
import { fieldStep } from './fields-v1';
import { asList, itemsByStep, structureOfItem, type ListStructure } from './list-items';
import { deduced, type MapStructure, type Structure } from './structure';
import { isJsonObject } from '../../lib/json';

/** What sets two states of an object apart. */
export interface Changes {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** Fields that have another value than before. */
export const setFields = ({ added, modified }: Changes): FieldSet => union(added, modified);

/** `undefined` is an absent object. */
export const compareFields = (structure: Structure, before: unknown, after: unknown): Changes => {
  const comparison = new Comparison();
  comparison.compare(structure, before, after);
  return comparison;
};

class Comparison implements Changes {
  readonly added = new FieldSetBuilder();
  readonly modified = new FieldSetBuilder();
  readonly removed = new FieldSetBuilder();
  private readonly path: string[] = [];

  compare(structure: Structure, before: unknown, after: unknown): void {
    // Most writes leave spec or status as a whole alone: that is seen more cheaply.
    if (this.path.length === 1 && jsonEqual(before, after)) return;
    const shape = deduced(structure, after ?? before);
    if (shape.kind === 'leaf' || shape.kind === 'any' || (isBare(before) && isBare(after))) {
      this.leaf(before, after);
      return;
    }
    if (shape.kind === 'map') this.members(shape, asObject(before), asObject(after));
    else this.items(shape, asList(before), asList(after));
    if (before === undefined) this.added.insert(this.path);
    else if (after === undefined) this.removed.insert(this.path);
  }

  private leaf(before: unknown, after: unknown): void {
    if (before === undefined) this.added.insert(this.path);
    else if (after === undefined) this.removed.insert(this.path);
    else if (!jsonEqual(before, after)) this.modified.insert(this.path);
  }

  private members(map: MapStructure, before: Json, after: Json): void {
    for (const name of namesIn(before, after))
      this.at(fieldStep(name), map.member(name), member(before, name), member(after, name));
  }

  private items(list: ListStructure, before: readonly unknown[], after: readonly unknown[]): void {
    const [old, next] = [itemsByStep(list, before), itemsByStep(list, after)];
    for (const step of new Set([...old.keys(), ...next.keys()])) {
      const [was = [], is = []] = [old.get(step), next.get(step)];
      if (was.length < 2 && is.length < 2) this.at(step, structureOfItem(list), was[0], is[0]);
      // Items that cannot be told apart change together.
      else if (!jsonEqual(was, is)) this.modified.insert([...this.path, step]);
    }
  }

  private at(step: string, structure: Structure, before: unknown, after: unknown): void {
    if (before === undefined && after === undefined) return;
    this.path.push(step);
    this.compare(structure, before, after);
    this.path.pop();
  }
}

/** Absent, null, or a container without content: compared as one value. */
const isBare = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value)
    ? value.length === 0
    : isJsonObject(value) && Object.keys(value).length === 0);

/** Most of what is compared is new: nothing has to be told apart then. */
const namesIn = (before: Json, after: Json): Iterable<string> => {
  const [old, next] = [Object.keys(before), Object.keys(after)];
  return old.length === 0 ? next : new Set([...old, ...next]);
};

const asObject = (value: unknown): Json => (isJsonObject(value) ? value : {});
