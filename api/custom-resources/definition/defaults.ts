import { compileChecks } from '../checks';
import { gathered, type Found, type Pacer, type Steps } from '../steps';
import { embeddedProblems } from '../embedded-problems';
import { additionalOf, itemsOf, type JsonSchema } from '../../structural/json-schema';
import { pruned } from '../../structural/prune';
import { jsonEqual } from '../../json-value';
import { invalid, type FieldError } from '../../validation/field-error';
import { isJsonObject } from '../../../lib/json';

/** Defaults are values of their schemas: those of junctors were refused before. Source: schema/defaulting/validation.go. */
export const validateDefaults = (
  schema: JsonSchema,
  path: string,
  pacer: Pacer,
): Steps<readonly FieldError[]> => gathered(defaultsIn(schema, path), pacer);

function* defaultsIn(schema: JsonSchema, path: string): Found {
  const [items, additional] = [itemsOf(schema), additionalOf(schema)];
  yield schema.default === undefined ? [] : validateDefault(schema, `${path}.default`);
  if (items !== undefined) yield* defaultsIn(items, `${path}.items`);
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    yield* defaultsIn(property, `${path}.properties[${name}]`);
  if (additional !== undefined) yield* defaultsIn(additional, `${path}.additionalProperties`);
}

const validateDefault = (schema: JsonSchema, field: string): readonly FieldError[] => {
  const value = schema.default;
  // As a member, so that lists and plain values have their unknown fields looked for too.
  const within = { type: 'object', properties: { value: schema } };
  const known = isJsonObject(value) || Array.isArray(value) ? pruned({ value }, within) : { value };
  if (!jsonEqual(known, { value })) return [invalid(field, value, 'must not have unknown fields')];
  const embedded = embeddedProblems(value, schema, field);
  return embedded.length > 0 ? embedded : compileChecks(schema).problems(value, undefined, field);
};
