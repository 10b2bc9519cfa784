import { CelRuntimeError } from '../errors';
import type { Meter } from '../meter';
import { BOOL, DYN, INT, listOf, STRING } from '../types';
import { ArrayList, type CelList } from '../values';
import { formatString, quote } from './format-string';
import { fn, member, type Library, type Overload } from './function';
import { regexOf } from './regex';

const STRINGS = listOf(STRING);

/**
 * A text as Go's runes: by code points. Texts without halves of them, nearly all, are taken as they are.
 */
class Runes {
  private readonly points: readonly string[] | undefined;

  constructor(
    meter: Meter,
    private readonly text: string,
  ) {
    meter.traverse(text.length);
    if (!SURROGATE.test(text)) return;
    meter.charge(text.length);
    this.points = Array.from(text);
  }

  get length(): number {
    return this.points?.length ?? this.text.length;
  }

  slice(start: number, end: number): string {
    return this.points?.slice(start, end).join('') ?? this.text.slice(start, end);
  }

  /** Where what stands at an index of UTF-16 begins, in runes; -1 stays. */
  runeAt(index: number): number {
    return this.points === undefined || index < 0
      ? index
      : Array.from(this.text.slice(0, index)).length;
  }

  /** The other way. */
  indexAt(rune: number): number {
    return this.points === undefined ? rune : this.slice(0, rune).length;
  }
}

const indexIn = (index: bigint, length: number): number => {
  if (index < 0n || index > BigInt(length))
    throw new CelRuntimeError(`index out of range: ${index}`);
  return Number(index);
};

const find = (meter: Meter, text: string, part: string, from: bigint | undefined): bigint => {
  const runes = new Runes(meter, text);
  chargeSearch(meter, text, part);
  const start = from === undefined ? 0 : indexIn(from, runes.length);
  return BigInt(runes.runeAt(text.indexOf(part, runes.indexAt(start))));
};

const findLast = (meter: Meter, text: string, part: string, from: bigint | undefined): bigint => {
  const runes = new Runes(meter, text);
  chargeSearch(meter, text, part);
  const start = from === undefined ? runes.length : indexIn(from, runes.length);
  return BigInt(runes.runeAt(text.lastIndexOf(part, runes.indexAt(start))));
};

/** A search may look at every letter of the one for every letter of the other. */
const chargeSearch = (meter: Meter, text: string, part: string): void => {
  meter.charge(1 + Math.ceil(text.length * 0.1) * Math.ceil(part.length * 0.1));
};

const substring = (meter: Meter, text: string, start: bigint, end: bigint | undefined): string => {
  const runes = new Runes(meter, text);
  const from = indexIn(start, runes.length);
  const to = end === undefined ? runes.length : indexIn(end, runes.length);
  if (from > to) throw new CelRuntimeError(`invalid substring range. start: ${from}, end: ${to}`);
  return runes.slice(from, to);
};

const replace = (meter: Meter, text: string, old: string, by: string, limit: bigint): string => {
  meter.charge(1 + Math.ceil(text.length * 0.2));
  if (limit === 0n) return text;
  const parts = splitBy(meter, text, old, limit < 0n ? -1 : Number(limit) + 1, true);
  meter.charge(Math.ceil((parts.length * by.length) / 10));
  return parts.join(by);
};

const split = (meter: Meter, text: string, by: string, limit: bigint): CelList => {
  meter.charge(1 + Math.ceil(text.length * 0.2));
  if (limit === 0n) return new ArrayList([]);
  return new ArrayList(splitBy(meter, text, by, limit < 0n ? -1 : Number(limit), false));
};

/** As Go does: the last part is all that is left. Between runes when `by` is empty. */
const splitBy = (
  meter: Meter,
  text: string,
  by: string,
  limit: number,
  isForReplacing: boolean,
): string[] => {
  if (by === '') meter.charge(text.length / 2);
  const all = by === '' ? runesBetween(text, isForReplacing) : text.split(by);
  meter.charge(all.length / 2);
  if (limit < 0 || all.length <= limit) return all;
  return [...all.slice(0, limit - 1), all.slice(limit - 1).join(by)];
};

const runesBetween = (text: string, isForReplacing: boolean): string[] =>
  isForReplacing ? ['', ...Array.from(text), ''] : Array.from(text);

const join = (meter: Meter, list: CelList, by: string): string => {
  const parts: string[] = [];
  meter.charge(list.size);
  for (const item of list) {
    if (typeof item !== 'string') throw new CelRuntimeError('no such overload');
    meter.charge(1 + (item.length + by.length) * 0.2);
    parts.push(item);
  }
  return parts.join(by);
};

const mapped = (change: (text: string) => string): Overload =>
  member([STRING], STRING, (meter, text) => {
    meter.traverse(text.length);
    return change(text);
  });

const tested = (test: (text: string, part: string) => boolean): Overload =>
  member([STRING, STRING], BOOL, (meter, text, part) => {
    meter.traverse(part.length);
    return test(text, part);
  });

const ascii = (pattern: RegExp, change: (letter: string) => string) => (text: string) =>
  text.replace(pattern, change);

const matches = (meter: Meter, text: string, pattern: string): boolean =>
  regexOf(meter, pattern, text.length).test(text);

export const STRING_LIBRARY: Library = {
  contains: [
    member([STRING, STRING], BOOL, (meter, text, part) => {
      chargeSearch(meter, text, part);
      return text.includes(part);
    }),
  ],
  startsWith: [tested((text, part) => text.startsWith(part))],
  endsWith: [tested((text, part) => text.endsWith(part))],
  matches: [fn([STRING, STRING], BOOL, matches), member([STRING, STRING], BOOL, matches)],
  charAt: [
    member([STRING, INT], STRING, (meter, text, index) => {
      const runes = new Runes(meter, text);
      const at = indexIn(index, runes.length);
      return runes.slice(at, at + 1);
    }),
  ],
  indexOf: [
    member([STRING, STRING], INT, (meter, text, part) => find(meter, text, part, undefined)),
    member([STRING, STRING, INT], INT, find),
  ],
  lastIndexOf: [
    member([STRING, STRING], INT, (meter, text, part) => findLast(meter, text, part, undefined)),
    member([STRING, STRING, INT], INT, findLast),
  ],
  substring: [
    member([STRING, INT], STRING, (meter, text, start) => substring(meter, text, start, undefined)),
    member([STRING, INT, INT], STRING, substring),
  ],
  lowerAscii: [mapped(ascii(/[A-Z]+/g, (letters) => letters.toLowerCase()))],
  upperAscii: [mapped(ascii(/[a-z]+/g, (letters) => letters.toUpperCase()))],
  trim: [mapped((text) => text.replace(LEADING, '').trimEnd())],
  replace: [
    member([STRING, STRING, STRING], STRING, (meter, text, old, by) =>
      replace(meter, text, old, by, -1n),
    ),
    member([STRING, STRING, STRING, INT], STRING, replace),
  ],
  split: [
    member([STRING, STRING], STRINGS, (meter, text, by) => split(meter, text, by, -1n)),
    member([STRING, STRING, INT], STRINGS, split),
  ],
  join: [
    member([STRINGS], STRING, (meter, list) => join(meter, list, '')),
    member([STRINGS, STRING], STRING, join),
  ],
  format: [member([STRING, listOf(DYN)], STRING, formatString)],
  'strings.quote': [
    fn([STRING], STRING, (meter, text) => {
      meter.traverse(text.length * 2);
      return quote(text);
    }),
  ],
};

const SURROGATE = /[\ud800-\udfff]/;
const LEADING = /^[\s\u0085]+/;
