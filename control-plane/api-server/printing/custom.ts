import type { ApiObject, CustomResourceDefinitionVersion } from '../../../api/types';
import { JsonPathError, parsePath } from '../../../lib/json-path';
import { stringifyJson } from '../../../lib/json';
import { ageOf } from './ages';
import { AGE, NAME, NAME_AND_AGE, printer, type ColumnRule } from './columns';
import type { Cell, Printer } from './printer';

type Column = NonNullable<CustomResourceDefinitionVersion['additionalPrinterColumns']>[number];

/**
 * The columns of a kind that users define: its age when they say nothing, and when what they say cannot
 * be read. Source: apiextensions-apiserver's tableconvertor.
 */
export const customPrinter = (columns: readonly Column[]): Printer => {
  if (columns.length === 0) return NAME_AND_AGE;
  try {
    return printer(NAME, ...columns.map(columnOf));
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error;
    return printer(NAME, AGE);
  }
};

const columnOf = ({
  name,
  type,
  format,
  description = '',
  priority = 0,
  jsonPath,
}: Column): ColumnRule => {
  const find = parsePath(jsonPath);
  return {
    column: {
      name,
      type: type as ColumnRule['column']['type'],
      priority,
      description:
        description === ''
          ? `Custom resource definition column (in JSONPath format): ${jsonPath}`
          : description,
      ...(format === undefined ? {} : { format }),
    },
    cell: (object, nowMs) => cellOf(type, firstOf(find, object), nowMs),
  };
};

/** The first value only: columns have one. A path that makes no sense for the object finds nothing. */
const firstOf = (find: (document: unknown) => readonly unknown[], object: ApiObject): unknown => {
  try {
    return find(object)[0];
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error;
    return undefined;
  }
};

const cellOf = (type: string, value: unknown, nowMs: number): Cell => {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' || typeof value === 'bigint'
        ? Math.trunc(Number(value))
        : null;
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date': {
      if (typeof value !== 'string') return null;
      const age = ageOf(value, nowMs);
      return age === '<unknown>' ? '<invalid>' : age;
    }
    default:
      return typeof value === 'string' ? value : stringifyJson(value);
  }
};
