import type { Meter } from '../meter';
import type { CelType } from '../types';
import { kindOf, type CelValue } from '../values';

/** One way to call a function. Of a member, the first argument is what it is called on. */
export interface Overload {
  readonly isMember: boolean;
  readonly args: readonly CelType[];
  readonly result: CelType;
  /** The arguments are of the declared kinds. @throws CelRuntimeError, CelBudgetError */
  readonly apply: (meter: Meter, ...args: readonly CelValue[]) => CelValue;
}

export type Library = Readonly<Record<string, readonly Overload[]>>;

type ValuesOf<T extends readonly CelType[]> = {
  [K in keyof T]: T[K] extends CelType<infer V> ? V : never;
};

type Apply<T extends readonly CelType[]> = (meter: Meter, ...args: ValuesOf<T>) => CelValue;

/** `f(a, b)` */
export const fn = <const T extends readonly CelType[]>(
  args: T,
  result: CelType,
  apply: Apply<T>,
): Overload => ({ isMember: false, args, result, apply: apply as unknown as Overload['apply'] });

/** `a.f(b)` */
export const member = <const T extends readonly CelType[]>(
  args: T,
  result: CelType,
  apply: Apply<T>,
): Overload => ({ ...fn(args, result, apply), isMember: true });

/** Are the values, which may have been declared `dyn`, what the overload takes? */
export const takes = ({ args }: Overload, values: readonly CelValue[]): boolean =>
  args.length === values.length && args.every((type, i) => isOf(type, values[i] as CelValue));

const isOf = (type: CelType, value: CelValue): boolean => {
  switch (type.kind) {
    case 'dyn':
    case 'param':
      return true;
    case 'opaque':
    case 'object':
      return kindOf(value) === type.name;
    default:
      return kindOf(value) === type.kind;
  }
};
