import { compareQuantities, parseQuantity } from '../../api/quantity';
import { parseFieldPath, valueText } from './jsonpath';

/** Rows in the order of a field of the object that each is about. */
export type Sorter = <T>(rows: readonly T[], objectOf: (row: T) => unknown) => readonly T[];

/** Numbers and quantities by their amount, texts as people count (`web-2` before `web-10`). @throws UsageError */
export const sorterBy = (field: string): Sorter => {
  const find = parseFieldPath(field);
  return (rows, objectOf) =>
    rows
      .map((row) => ({ row, key: find(objectOf(row))[0] }))
      .sort((a, b) => compare(a.key, b.key))
      .map(({ row }) => row);
};

/** What lacks the field comes first, as kubectl has it. */
const compare = (a: unknown, b: unknown): number => {
  const [isAbsent, isOtherAbsent] = [a, b].map((value) => value === undefined || value === null);
  if (isAbsent === true || isOtherAbsent === true) {
    return Number(isOtherAbsent) - Number(isAbsent);
  }
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [x, y] = [valueText(a), valueText(b)];
  if (QUANTITY.test(x) && QUANTITY.test(y)) {
    return compareQuantities(parseQuantity(x), parseQuantity(y));
  }
  return x.localeCompare(y, 'en', { numeric: true });
};

const QUANTITY = /^\d{1,18}(\.\d{1,9})?([numkMGTPE]|[KMGTPE]i)?$/;
