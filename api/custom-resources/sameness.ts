import { jsonEqual } from '../json-value';
import { isJsonList, type Json } from '../structural/json-schema';
import { isJsonObject } from '../../lib/json';

/**
 * Whether values are as they were, for who asks it of a whole and of each of its parts in turn: no part is
 * compared again with the same, however often it is asked, and each comparison is charged.
 */
export class Sameness {
  private readonly known = new WeakMap<
    object,
    { readonly before: object; readonly isSame: boolean }
  >();

  constructor(private readonly charge: (parts: number) => void) {}

  isSame(value: unknown, before: unknown): boolean {
    if (value === before) return true;
    if (!isCompound(value) || !isCompound(before)) return jsonEqual(value, before);
    const known = this.known.get(value);
    if (known?.before === before) return known.isSame;
    const isSame = this.haveSameParts(value, before);
    this.known.set(value, { before, isSame });
    return isSame;
  }

  private haveSameParts(value: object, before: object): boolean {
    if (isJsonList(value)) {
      this.charge(value.length);
      return (
        isJsonList(before) &&
        value.length === before.length &&
        value.every((item, index) => this.isSame(item, before[index]))
      );
    }
    if (!isJsonObject(value) || !isJsonObject(before)) return false;
    const names = namesOf(value);
    this.charge(names.length);
    return (
      names.length === namesOf(before).length &&
      names.every((name) => Object.hasOwn(before, name) && this.isSame(value[name], before[name]))
    );
  }
}

const isCompound = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Members that are undefined are none, as `jsonEqual` has it. */
const namesOf = (object: Json): readonly string[] =>
  Object.keys(object).filter((name) => object[name] !== undefined);
