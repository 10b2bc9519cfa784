import { compareQuantities, formatQuantity, parseQuantity, type Quantity } from './quantity';

/** Exact amounts by the name of the resource. A map: resources may be called as anything. */
export type Amounts = ReadonlyMap<string, Quantity>;

export const NOTHING: Amounts = new Map();

export const ONE: Quantity = { nanos: 1_000_000_000n, format: 'DecimalSI' };

export const countOf = (count: number): Quantity => ({
  nanos: BigInt(count) * ONE.nanos,
  format: 'DecimalSI',
});

/** A list of quantities as the API has it. @throws QuantityError */
export const quantitiesOf = (
  list: Readonly<Record<string, string | number>> | undefined,
): Amounts =>
  new Map(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]));

/** As the API has it, in the order of names. */
export const textsOf = (amounts: Amounts): Readonly<Record<string, string>> =>
  Object.fromEntries(inOrder(amounts).map(([name, amount]) => [name, formatQuantity(amount)]));

/** Do they read the same? Without writing them down, which takes long for many. */
export const isSameText = (a: Amounts, b: Amounts): boolean =>
  a === b ||
  (a.size === b.size &&
    [...a].every(([name, amount]) => {
      const other = b.get(name);
      return other !== undefined && readsAs(amount, other);
    }));

const readsAs = (a: Quantity, b: Quantity): boolean =>
  a.nanos === b.nanos &&
  ((a.format === b.format && a.isCapped === b.isCapped) || formatQuantity(a) === formatQuantity(b));

/** `cpu=2,pods=1`, as messages list them. */
export const listed = (amounts: Amounts): string =>
  inOrder(amounts)
    .map(([name, amount]) => `${name}=${formatQuantity(amount)}`)
    .join(',');

export const addQuantities = (a: Quantity, b: Quantity): Quantity => ({
  nanos: a.nanos + b.nanos,
  format: a.nanos === 0n ? b.format : a.format,
});

export const sumOf = (a: Amounts, b: Amounts): Amounts => merged(a, b, addQuantities);

export const largerOf = (a: Amounts, b: Amounts): Amounts =>
  merged(a, b, (x, y) => (compareQuantities(y, x) > 0 ? y : x));

/** What is left of `a` without `b`; less than nothing is nothing, and nothing is left out. */
export const excessOf = (a: Amounts, b: Amounts): Amounts => {
  const rest = new Map<string, Quantity>();
  for (const [name, { nanos, format }] of a) {
    const left = nanos - (b.get(name)?.nanos ?? 0n);
    if (left > 0n) rest.set(name, { nanos: left, format });
  }
  return rest;
};

/** `a` without `b`, never below nothing, with all names that `a` has. */
export const without = (a: Amounts, b: Amounts): Amounts =>
  new Map(
    [...a].map(([name, { nanos, format }]) => {
      const left = nanos - (b.get(name)?.nanos ?? 0n);
      return [name, { nanos: left > 0n ? left : 0n, format }];
    }),
  );

/** How exact amounts are read and put together: an `Arithmetic`. */
export const EXACT = {
  none: NOTHING,
  of: quantitiesOf,
  add: sumOf,
  max: largerOf,
  replace: (amounts: Amounts, list: Readonly<Record<string, string>>): Amounts =>
    new Map([...amounts, ...quantitiesOf(list)]),
};

/** Of these names alone. */
export const only = (amounts: Amounts, isWanted: (name: string) => boolean): Amounts =>
  new Map([...amounts].filter(([name]) => isWanted(name)));

const merged = (
  a: Amounts,
  b: Amounts,
  combine: (x: Quantity, y: Quantity) => Quantity,
): Amounts => {
  const all = new Map(a);
  for (const [name, amount] of b) {
    const present = all.get(name);
    all.set(name, present === undefined ? amount : combine(present, amount));
  }
  return all;
};

const inOrder = (amounts: Amounts): readonly (readonly [string, Quantity])[] =>
  [...amounts].sort(([a], [b]) => (a < b ? -1 : 1));
