import { compileRe2, Re2SyntaxError } from '../../../lib/re2';
import {
  additionalOf,
  isEmbedded,
  itemsOf,
  preservesUnknown,
  propertyOf,
  type JsonSchema,
} from '../../structural/json-schema';
import { jsonEqual } from '../../json-value';
import { forbidden, invalid, required, type FieldError } from '../../validation/field-error';
import { gathered, type Found, type Pacer, type Steps } from '../steps';

/*
 * A schema is structural when it says of every field what it is, outside of allOf, anyOf, oneOf and not:
 * only so can unknown fields be told, defaults be filled in, and lists be merged. Source: KEP-2332 and
 * upstream's schema/validation.go and complete.go.
 */

type Level = 'root' | 'item' | 'field';

/** @returns the errors in the order of their texts, as upstream */
export function* validateStructural(
  schema: JsonSchema,
  path: string,
  pacer: Pacer,
): Steps<readonly FieldError[]> {
  const errors = yield* gathered(problemsIn(schema, path), pacer);
  return [...errors].sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
}

function* problemsIn(schema: JsonSchema, path: string): Found {
  yield* invariants(schema, 'root', path);
  yield* missingIn(schema, schema, path, path);
}

const textOf = ({ field, message }: FieldError): string => `${field}: ${message}`;

function* invariants(schema: JsonSchema, level: Level, path: string): Found {
  const [items, additional] = [itemsOf(schema), additionalOf(schema)];
  yield [
    ...(schema.type === 'array' && items === undefined
      ? [required(`${path}.items`, 'must be specified')]
      : []),
    ...(level === 'root' && schema.additionalProperties !== undefined
      ? [forbidden(`${path}.additionalProperties`, 'must not be used at the root')]
      : []),
    ...extensionInvariants(schema, path),
    ...typeInvariants(schema, level, path),
    ...metaInvariants(schema, level, path),
  ];
  const skipsFirst = isIntOrString(schema.allOf?.[0]?.anyOf);
  yield* valueInvariants(schema, isIntOrString(schema.anyOf), skipsFirst, path);
  if (items !== undefined) yield* invariants(items, 'item', `${path}.items`);
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    yield* invariants(property, 'field', `${path}.properties[${name}]`);
  if (additional !== undefined)
    yield* invariants(additional, 'field', `${path}.additionalProperties`);
}

const extensionInvariants = (schema: JsonSchema, path: string): readonly FieldError[] => {
  if (schema['x-kubernetes-int-or-string'] !== true) return [];
  const why = 'must be false if x-kubernetes-int-or-string is true';
  return [
    ...(preservesUnknown(schema)
      ? [invalid(`${path}.x-kubernetes-preserve-unknown-fields`, true, why)]
      : []),
    ...(isEmbedded(schema) ? [invalid(`${path}.x-kubernetes-embedded-resource`, true, why)] : []),
  ];
};

const LEVEL_WORDS: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

const typeInvariants = (schema: JsonSchema, level: Level, path: string): readonly FieldError[] => {
  const { type = '' } = schema;
  const embedded = 'must be object if x-kubernetes-embedded-resource is true';
  const needsType = schema['x-kubernetes-int-or-string'] !== true && !preservesUnknown(schema);
  const errors: FieldError[] = [];
  if (isEmbedded(schema) && type !== 'object')
    errors.push(
      type === '' ? required(`${path}.type`, embedded) : invalid(`${path}.type`, type, embedded),
    );
  else if (type === '' && needsType) errors.push(required(`${path}.type`, LEVEL_WORDS[level]));
  if (isEmbedded(schema) && schema.additionalProperties !== undefined)
    errors.push(
      forbidden(
        `${path}.additionalProperties`,
        'must not be used if x-kubernetes-embedded-resource is set',
      ),
    );
  if (level === 'root' && type !== '' && type !== 'object')
    errors.push(invalid(`${path}.type`, type, 'must be object at the root'));
  return errors;
};

const metaInvariants = (schema: JsonSchema, level: Level, path: string): readonly FieldError[] => {
  const isObject = level === 'root' || isEmbedded(schema);
  const texts = ['kind', 'apiVersion'].flatMap((name) => {
    const property = propertyOf(schema, name);
    return !isObject || property === undefined || property.type === 'string'
      ? []
      : [invalid(`${path}.properties[${name}].type`, property.type ?? '', 'must be string')];
  });
  const metadata = propertyOf(schema, 'metadata');
  const at = `${path}.properties[metadata]`;
  const isBare =
    isEmbedded(schema) &&
    !preservesUnknown(schema) &&
    Object.keys(schema.properties ?? {}).length === 0;
  return [
    ...texts,
    ...(metadata !== undefined && isObject && metadata.type !== 'object'
      ? [invalid(`${at}.type`, metadata.type ?? '', 'must be object')]
      : []),
    ...(metadata !== undefined && level === 'root' && saysMore(metadata)
      ? [
          forbidden(
            at,
            'must not specify anything other than name and generateName, but metadata is ' +
              'implicitly specified',
          ),
        ]
      : []),
    ...(isBare
      ? [
          required(
            `${path}.properties`,
            'must not be empty if x-kubernetes-embedded-resource is true without ' +
              'x-kubernetes-preserve-unknown-fields',
          ),
        ]
      : []),
  ];
};

/** Does the schema of metadata say more than what names may be? */
const saysMore = ({
  type: _type,
  default: _default,
  properties = {},
  ...rest
}: JsonSchema): boolean =>
  Object.keys(rest).length > 0 ||
  Object.keys(properties).some((name) => name !== 'name' && name !== 'generateName');

// ---- What junctors may say

const INT_OR_STRING: readonly JsonSchema[] = [{ type: 'integer' }, { type: 'string' }];

/** The one place where a junctor may name types. */
const isIntOrString = (schemas: readonly JsonSchema[] | undefined): boolean =>
  schemas !== undefined && jsonEqual(schemas, INT_OR_STRING);

function* valueInvariants(
  schema: JsonSchema,
  skipsAny: boolean,
  skipsFirst: boolean,
  path: string,
): Found {
  for (const [i, each] of (skipsAny ? [] : (schema.anyOf ?? [])).entries())
    yield* nestedInvariants(each, false, `${path}.anyOf[${i}]`);
  for (const [i, each] of (schema.allOf ?? []).entries())
    yield* nestedInvariants(each, skipsFirst && i === 0, `${path}.allOf[${i}]`);
  for (const [i, each] of (schema.oneOf ?? []).entries())
    yield* nestedInvariants(each, false, `${path}.oneOf[${i}]`);
  if (schema.not !== undefined) yield* nestedInvariants(schema.not, false, `${path}.not`);
  yield patternProblems(schema.pattern ?? '', path);
}

const patternProblems = (pattern: string, path: string): readonly FieldError[] => {
  try {
    compileRe2(pattern);
    return [];
  } catch (error) {
    if (!(error instanceof Re2SyntaxError)) throw error;
    const why = `must be a valid regular expression, but isn't: ${error.message}`;
    return [invalid(`${path}.pattern`, pattern, why)];
  }
};

function* nestedInvariants(schema: JsonSchema, skipsAny: boolean, path: string): Found {
  const items = itemsOf(schema);
  yield* valueInvariants(schema, skipsAny, false, path);
  if (items !== undefined) yield* nestedInvariants(items, false, `${path}.items`);
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    yield* nestedInvariants(property, false, `${path}.properties[${name}]`);
  yield [
    ...FORBIDDEN_IN_JUNCTORS.filter(([name]) => isSaid(schema[name])).map(([name, why]) =>
      forbidden(`${path}.${name}`, `must be ${why} to be structural`),
    ),
    ...(propertyOf(schema, 'metadata') === undefined
      ? []
      : [forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context')]),
  ];
}

const FORBIDDEN_IN_JUNCTORS: readonly (readonly [keyof JsonSchema, string])[] = [
  ['type', 'empty'],
  ['additionalProperties', 'undefined'],
  ['default', 'undefined'],
  ['title', 'empty'],
  ['description', 'empty'],
  ['nullable', 'false'],
  ['x-kubernetes-preserve-unknown-fields', 'false'],
  ['x-kubernetes-embedded-resource', 'false'],
  ['x-kubernetes-int-or-string', 'false'],
  ['x-kubernetes-list-map-keys', 'empty'],
  ['x-kubernetes-list-type', 'undefined'],
  ['x-kubernetes-map-type', 'undefined'],
  ['x-kubernetes-validations', 'empty'],
];

const isSaid = (value: unknown): boolean =>
  value !== undefined &&
  value !== '' &&
  value !== false &&
  !(Array.isArray(value) && value.length === 0);

// ---- What junctors speak of must be there

/** Fields that a junctor of `schema` speaks of and that `structural` does not have. */
function* missingIn(schema: JsonSchema, structural: JsonSchema, path: string, at: string): Found {
  if (schema.not !== undefined) yield* missingNested(schema.not, structural, path, `${at}.not`);
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const)
    for (const [i, each] of (schema[name] ?? []).entries())
      yield* missingNested(each, structural, path, `${at}.${name}[${i}]`);
}

function* missingNested(
  schema: JsonSchema,
  structural: JsonSchema | undefined,
  path: string,
  at: string,
): Found {
  if (structural === undefined) {
    yield [required(path, `because it is defined in ${at}`)];
    return;
  }
  yield [];
  const items = itemsOf(schema);
  yield* missingIn(schema, structural, path, at);
  if (items !== undefined)
    yield* missingNested(items, itemsOf(structural), `${path}.items`, `${at}.items`);
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    yield* missingNested(
      property,
      propertyOf(structural, name),
      `${path}.properties[${name}]`,
      `${at}.properties[${name}]`,
    );
}
