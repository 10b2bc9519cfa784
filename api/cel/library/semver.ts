import { CelRuntimeError } from '../errors';
import type { Meter } from '../meter';
import { BOOL, INT, opaque, STRING, type CelType } from '../types';
import { CelOpaque } from '../values';
import { PARSE_COST } from './conversions';
import { fn, member, type Library, type Overload } from './function';

const SEMVER: CelType<SemverValue> = opaque('kubernetes.Semver');

class SemverValue extends CelOpaque {
  readonly type: CelType = SEMVER;

  constructor(
    readonly numbers: readonly [bigint, bigint, bigint],
    readonly prerelease: readonly string[],
  ) {
    super();
  }

  override equals(other: CelOpaque): boolean {
    return other instanceof SemverValue && compare(this, other) === 0;
  }
}

const parse = (meter: Meter, text: string, isLoose = false): SemverValue | undefined => {
  meter.charge(PARSE_COST);
  meter.traverse(text.length);
  const match = text.length > TEXT_MAX ? null : STRICT.exec(isLoose ? normalize(text) : text);
  if (match === null) return undefined;
  const [, major = '0', minor = '0', patch = '0', prerelease = ''] = match;
  const numbers = [BigInt(major), BigInt(minor), BigInt(patch)] as const;
  if (numbers.some((number) => number > UINT_MAX)) return undefined;
  return new SemverValue([...numbers], prerelease === '' ? [] : prerelease.split('.'));
};

/** `v1.02` is `1.2.0`. */
const normalize = (text: string): string => {
  const [, core = '', rest = ''] = /^v?([^-+]*)([\s\S]*)$/.exec(text) ?? [];
  const parts = core.split('.').map((part) => part.replace(/^0+(?=\d)/, ''));
  if (parts.length > 3) return text;
  return [...parts, '0', '0'].slice(0, 3).join('.') + rest;
};

const semver = (meter: Meter, text: string, isLoose?: boolean): SemverValue => {
  const version = parse(meter, text, isLoose);
  if (version === undefined)
    throw new CelRuntimeError(`invalid semantic version: ${text.slice(0, TEXT_MAX)}`);
  return version;
};

const compare = (a: SemverValue, b: SemverValue): number => {
  for (const [i, number] of a.numbers.entries()) {
    const other = b.numbers[i] ?? 0n;
    if (number !== other) return number < other ? -1 : 1;
  }
  return comparePrereleases(a.prerelease, b.prerelease);
};

/** A version before its release is less; its parts are compared as numbers where they are. */
const comparePrereleases = (a: readonly string[], b: readonly string[]): number => {
  if (a.length === 0 || b.length === 0) return Math.sign(b.length - a.length);
  for (const [i, part] of a.entries()) {
    const other = b[i];
    if (other === undefined) return 1;
    if (part !== other) return compareParts(part, other);
  }
  return Math.sign(a.length - b.length);
};

const compareParts = (a: string, b: string): number => {
  const [x, y] = [a, b].map((part) => (/^\d+$/.test(part) ? BigInt(part) : undefined));
  if (x !== undefined && y !== undefined) return x < y ? -1 : 1;
  if (x !== undefined) return -1;
  if (y !== undefined) return 1;
  return a < b ? -1 : 1;
};

const numberAt = (index: 0 | 1 | 2): readonly Overload[] => [
  member([SEMVER], INT, (_meter, { numbers }) => numbers[index]),
];

export const SEMVER_LIBRARY: Library = {
  semver: [fn([STRING], SEMVER, semver), fn([STRING, BOOL], SEMVER, semver)],
  isSemver: [
    fn([STRING], BOOL, (meter, text) => parse(meter, text) !== undefined),
    fn([STRING, BOOL], BOOL, (meter, text, isLoose) => parse(meter, text, isLoose) !== undefined),
  ],
  major: numberAt(0),
  minor: numberAt(1),
  patch: numberAt(2),
  isGreaterThan: [member([SEMVER, SEMVER], BOOL, (_meter, a, b) => compare(a, b) > 0)],
  isLessThan: [member([SEMVER, SEMVER], BOOL, (_meter, a, b) => compare(a, b) < 0)],
  compareTo: [member([SEMVER, SEMVER], INT, (_meter, a, b) => BigInt(compare(a, b)))],
};

const TEXT_MAX = 1000;
const UINT_MAX = 2n ** 63n - 1n;
const NUMBER = '(0|[1-9]\\d*)';
const PART = '(?:0|[1-9]\\d*|\\d*[A-Za-z-][0-9A-Za-z-]*)';
const STRICT = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${PART}(?:\\.${PART})*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);
