import type { CelType } from '../types';
import type { CelValue } from '../values';
import type { ValueSize } from './sizes';
import { added, plus, SCALAR, through, times, UNKNOWN, type Size } from './size';

/** What a function is called with. */
export interface Argument {
  readonly cost: number;
  readonly type: CelType;
  readonly size: Size;
  readonly at: ValueSize | undefined;
  /** Of its items, where they are known. */
  readonly item: Size | undefined;
  readonly literal?: CelValue;
}

interface CallCost {
  readonly cost: number;
  readonly size?: Size;
}

/**
 * What a function costs beside what its arguments do. Source: cel-go's checker/cost.go and
 * apiserver/pkg/cel/library/cost.go. What is not named there costs one.
 */
export const callCost = (
  name: string,
  target: Argument | undefined,
  args: readonly Argument[],
): CallCost => {
  const [first, second] = args;
  const known = first === undefined ? undefined : FUNCTIONS[name]?.(first, second);
  if (known !== undefined) return known;
  return (target && MEMBERS[name]?.(target, args)) ?? ONE;
};

const ONE: CallCost = { cost: 1 };
const FORMAT_FACTOR = 0.1;
const REGEX_FACTOR = 0.25;

const compare = (a: Argument, b: Argument | undefined): CallCost => {
  const max = Math.min(a.size.max, b?.size.max ?? Infinity);
  return { cost: through({ min: 0, max }), size: SCALAR };
};

const isIn = (type: CelType, kinds: readonly string[]): boolean =>
  kinds.includes(type.kind) || type.kind === 'dyn';

const concatenate = (a: Argument, b: Argument | undefined): CallCost => {
  if (b === undefined) return ONE;
  const size = added(a.size, b.size);
  const isText = isIn(a.type, ['string', 'bytes']) && isIn(b.type, ['string', 'bytes']);
  if (isText) return { cost: Math.max(1, through(size)), size };
  return a.type.kind === 'list' && b.type.kind === 'list' ? { cost: 1, size } : ONE;
};

const contained = (_item: Argument, container: Argument | undefined): CallCost =>
  container === undefined || container.type.kind === 'map'
    ? ONE
    : { cost: container.size.max, size: SCALAR };

const inSets = (factor: number) => (a: Argument, b: Argument | undefined) => ({
  cost: plus(1, times(factor, times(a.size.max, b?.size.max ?? Infinity))),
});

const parsed = (argument: Argument): CallCost => ({ cost: through(argument.size) });

type Global = (first: Argument, second: Argument | undefined) => CallCost | undefined;

const FUNCTIONS: Readonly<Partial<Record<string, Global>>> = {
  ...{ '_==_': compare, '_!=_': compare, '_<_': compare, '_<=_': compare },
  ...{ '_>_': compare, '_>=_': compare, '_+_': concatenate, '@in': contained },
  ...{ url: parsed, cidr: parsed, isIP: parsed, isCIDR: parsed, ip: parsed, isURL: parsed },
  ...{ quantity: parsed, isQuantity: parsed, semver: parsed, isSemver: parsed },
  'ip.isCanonical': ({ size }) => ({ cost: through(size, 2 * FORMAT_FACTOR) }),
  bytes: ({ size }) => ({ cost: through(size), size: { min: size.min, max: times(4, size.max) } }),
  string: ({ size, type }) =>
    type.kind === 'bytes'
      ? { cost: through(size), size: { min: Math.floor(size.min / 4), max: size.max } }
      : undefined,
  'strings.quote': ({ size }) => ({
    cost: through(size),
    size: { min: size.min + 2, max: plus(times(2, size.max), 2) },
  }),
  ...{ 'sets.contains': inSets(1), 'sets.intersects': inSets(1), 'sets.equivalent': inSets(2) },
};

type Member = (target: Argument, args: readonly Argument[]) => CallCost | undefined;

const searched: Member = (target, [part]) => ({ cost: through(part?.size ?? target.size) });

const changed: Member = ({ size }) => ({ cost: through(size), size });

const matched = (target: Argument, [pattern]: readonly Argument[]): CallCost => {
  const text = through(added(target.size, SCALAR));
  return { cost: times(text, through(pattern?.size ?? UNKNOWN, REGEX_FACTOR)) };
};

const found: Member = (target, args) => ({
  ...matched(target, args),
  size: { min: 0, max: target.size.max },
});

/** Of a list each item is looked at; `indexOf` goes through a text, too. */
const looked: Member = ({ type, size, item }) => {
  if (type.kind !== 'list') return { cost: through(size) };
  const isText = type.of.kind === 'string' || type.of.kind === 'bytes';
  return { cost: times(size.max, plus(1, isText ? through(item ?? UNKNOWN) : 0)) };
};

const replaced: Member = (target, [old, by]) => {
  if (old === undefined || by === undefined) return undefined;
  const { size } = target;
  const longest =
    old.size.min === 0
      ? plus(times(plus(size.max, 1), by.size.max), size.max)
      : by.size.max <= old.size.min
        ? size.max
        : times(Math.ceil(size.max / old.size.min), by.size.max);
  return { cost: through(size, 2 * FORMAT_FACTOR), size: { min: 0, max: longest } };
};

const joined: Member = (target, [separator]) => {
  const items = times(target.size.max, (target.item ?? UNKNOWN).max);
  const between = times(Math.max(0, target.size.max - 1), separator?.size.max ?? 0);
  const size = { min: 0, max: plus(items, between) };
  return { cost: through(size), size };
};

const MEMBERS: Readonly<Partial<Record<string, Member>>> = {
  contains: (target, [part]) => ({
    cost: times(through(target.size), through(part?.size ?? UNKNOWN)),
  }),
  ...{ startsWith: searched, endsWith: searched, matches: matched },
  ...{ lowerAscii: changed, upperAscii: changed, substring: changed, trim: changed },
  ...{ isSorted: looked, sum: looked, max: looked, min: looked },
  ...{ indexOf: looked, lastIndexOf: looked, replace: replaced, join: joined },
  format: ({ size }) => ({ cost: through(size) }),
  ...{ find: found, findAll: found },
  split: ({ size }, [, count]) => ({
    cost: through(size, 2 * FORMAT_FACTOR),
    size: {
      min: 0,
      max: typeof count?.literal === 'bigint' ? Math.max(0, Number(count.literal)) : size.max,
    },
  }),
  check: () => ({ cost: CHECK_COST }),
};

/** Asking whether somebody may do something. */
const CHECK_COST = 350_000;
