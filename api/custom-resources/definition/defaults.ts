import { compileChecks } from '../checks';
import { embeddedProblems } from '../embedded-problems';
import { additionalOf, itemsOf, type JsonSchema } from '../../structural/json-schema';
import { pruned } from '../../structural/prune';
import { jsonEqual } from '../../json-value';
import { invalid, type FieldError } from '../../validation/field-error';
import { isJsonObject } from '../../../lib/json';

/** Defaults are values of their schemas. Source: schema/defaulting/validation.go. */
export const validateDefaults = (schema: JsonSchema, path: string): readonly FieldError[] => {
  const items = itemsOf(schema);
  const additional = additionalOf(schema);
  return [
    ...(schema.default === undefined ? [] : validateDefault(schema, `${path}.default`)),
    ...(items === undefined ? [] : validateDefaults(items, `${path}.items`)),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
      validateDefaults(property, `${path}.properties[${name}]`),
    ),
    ...(additional === undefined
      ? []
      : validateDefaults(additional, `${path}.additionalProperties`)),
  ];
};

const validateDefault = (schema: JsonSchema, field: string): readonly FieldError[] => {
  const value = schema.default;
  // As a member, so that lists and plain values have their unknown fields looked for too.
  const within = { type: 'object', properties: { value: schema } };
  const known = isJsonObject(value) || Array.isArray(value) ? pruned({ value }, within) : { value };
  if (!jsonEqual(known, { value })) return [invalid(field, value, 'must not have unknown fields')];
  const embedded = embeddedProblems(value, schema, field);
  return embedded.length > 0 ? embedded : compileChecks(schema).problems(value, undefined, field);
};
