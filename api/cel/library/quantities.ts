import { compareQuantities, parseQuantity, QuantityError, type Quantity } from '../../quantity';
import { CelRuntimeError } from '../errors';
import type { Meter } from '../meter';
import { BOOL, DOUBLE, INT, opaque, STRING, type CelType } from '../types';
import { CelOpaque } from '../values';
import { PARSE_COST } from './conversions';
import { fn, member, type Library } from './function';

const QUANTITY: CelType<QuantityValue> = opaque('kubernetes.Quantity');

class QuantityValue extends CelOpaque {
  readonly type: CelType = QUANTITY;

  constructor(readonly quantity: Quantity) {
    super();
  }

  override equals(other: CelOpaque): boolean {
    return other instanceof QuantityValue && compareQuantities(this.quantity, other.quantity) === 0;
  }
}

const read = (meter: Meter, text: string): Quantity | QuantityError => {
  meter.charge(PARSE_COST);
  meter.traverse(text.length);
  try {
    return parseQuantity(text);
  } catch (error) {
    if (error instanceof QuantityError) return error;
    throw error;
  }
};

const quantityOf = (meter: Meter, text: string): QuantityValue => {
  const quantity = read(meter, text);
  if (quantity instanceof QuantityError) throw new CelRuntimeError(quantity.message);
  return new QuantityValue(quantity);
};

const added = ({ quantity }: QuantityValue, nanos: bigint): QuantityValue => {
  const sum = quantity.nanos + nanos;
  if (sum > NANOS_MAX || sum < -NANOS_MAX) throw new CelRuntimeError('quantity overflow');
  return new QuantityValue({ nanos: sum, format: quantity.format });
};

const isWhole = ({ nanos, isCapped }: Quantity): boolean =>
  nanos % NANOS === 0n && isCapped !== true;

const compared = (holds: (order: number) => boolean) =>
  member([QUANTITY, QUANTITY], BOOL, (_meter, a, b) =>
    holds(compareQuantities(a.quantity, b.quantity)),
  );

export const QUANTITY_LIBRARY: Library = {
  quantity: [fn([STRING], QUANTITY, quantityOf)],
  isQuantity: [fn([STRING], BOOL, (meter, text) => !(read(meter, text) instanceof QuantityError))],
  sign: [
    member([QUANTITY], INT, (_meter, { quantity: { nanos } }) =>
      nanos === 0n ? 0n : nanos > 0n ? 1n : -1n,
    ),
  ],
  isInteger: [member([QUANTITY], BOOL, (_meter, { quantity }) => isWhole(quantity))],
  asInteger: [
    member([QUANTITY], INT, (_meter, { quantity }) => {
      if (!isWhole(quantity)) throw new CelRuntimeError('cannot convert value to integer');
      return quantity.nanos / NANOS;
    }),
  ],
  asApproximateFloat: [
    member([QUANTITY], DOUBLE, (_meter, { quantity }) => Number(quantity.nanos) / Number(NANOS)),
  ],
  isGreaterThan: [compared((order) => order > 0)],
  isLessThan: [compared((order) => order < 0)],
  compareTo: [
    member([QUANTITY, QUANTITY], INT, (_meter, a, b) =>
      BigInt(compareQuantities(a.quantity, b.quantity)),
    ),
  ],
  add: [
    member([QUANTITY, QUANTITY], QUANTITY, (_meter, a, b) => added(a, b.quantity.nanos)),
    member([QUANTITY, INT], QUANTITY, (_meter, a, b) => added(a, b * NANOS)),
  ],
  sub: [
    member([QUANTITY, QUANTITY], QUANTITY, (_meter, a, b) => added(a, -b.quantity.nanos)),
    member([QUANTITY, INT], QUANTITY, (_meter, a, b) => added(a, -b * NANOS)),
  ],
};

const NANOS = 1_000_000_000n;
const NANOS_MAX = (2n ** 63n - 1n) * NANOS;
