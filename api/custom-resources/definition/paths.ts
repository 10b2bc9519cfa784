import { memberSchema, type JsonSchema } from '../../structural/json-schema';
import {
  duplicate,
  invalid,
  required,
  tooMany,
  type FieldError,
} from '../../validation/field-error';

/** A path of field names: `.spec.replicas`. Brackets and filters are for printer columns alone. */
export const validatePath = (
  text: string | undefined,
  field: string,
  roots: readonly string[] = [],
): readonly FieldError[] => {
  if (text === undefined || text === '') return [required(field)];
  if (!text.startsWith('.'))
    return [invalid(field, text, 'must be a simple json path starting with .')];
  if (roots.length === 0 || roots.some((root) => text.startsWith(`${root}.`))) return [];
  return [
    invalid(
      field,
      text,
      `should be a json path under ${roots.length > 1 ? 'either ' : ''}${roots.join(' or ')}`,
    ),
  ];
};

/** Fields that may be selected by: plain values that the schema knows. */
export const validateSelectable = (
  fields: readonly { readonly jsonPath?: string }[],
  schema: JsonSchema,
  path: string,
): readonly FieldError[] => {
  const seen = new Set<string>();
  const errors = fields.flatMap(({ jsonPath = '' }, i): readonly FieldError[] => {
    const field = `${path}[${i}].jsonPath`;
    if (jsonPath === '') return [required(field)];
    const found = schemaAt(schema, jsonPath);
    if (typeof found === 'string')
      return [invalid(field, jsonPath, `is an invalid path: ${found}`)];
    const isRepeated = seen.has(jsonPath);
    seen.add(jsonPath);
    return [
      ...(/^\.metadata(\.|$)/.test(jsonPath)
        ? [invalid(field, jsonPath, 'must not point to fields in metadata')]
        : []),
      ...(SELECTABLE.includes(found.type ?? '')
        ? []
        : [
            invalid(
              field,
              jsonPath,
              'must point to a field of type string, boolean or integer. Enum string fields and ' +
                'strings with formats are allowed.',
            ),
          ]),
      ...(isRepeated ? [duplicate(field, jsonPath)] : []),
    ];
  });
  return seen.size > SELECTABLE_MAX
    ? [...errors, tooMany(path, seen.size, SELECTABLE_MAX)]
    : errors;
};

/** The schema of the field at a path, or why there is none. */
const schemaAt = (schema: JsonSchema, path: string): JsonSchema | string => {
  if (!/^(?:\.[A-Za-z_][\w-]*)+$/.test(path)) return 'must be a path of field names';
  let found: JsonSchema | undefined = schema;
  for (const name of path.slice(1).split('.')) {
    found = memberSchema(found, name);
    if (found === undefined) return `does not refer to a valid field: ${name}`;
  }
  return found;
};

const SELECTABLE = ['string', 'boolean', 'integer'];
const SELECTABLE_MAX = 8;
