import {
  isJsonList,
  itemsOf,
  META_FIELDS,
  propertyOf,
  type JsonSchema,
  type ValidationRule,
} from '../../structural/json-schema';
import {
  forbidden,
  invalid,
  notSupported,
  required,
  type FieldError,
} from '../../validation/field-error';
import { gathered, type Found, type Pacer, type Steps } from '../steps';

/*
 * What OpenAPI v3 schemas of custom resources may say at all. Source: upstream's
 * ValidateCustomResourceDefinitionOpenAPISchema, in its order.
 */

interface Place {
  readonly path: string;
  readonly isRoot: boolean;
  /** Inside apiVersion, kind or metadata of an object. */
  readonly isMeta: boolean;
  /** Why there may be no defaults here. */
  readonly noDefaults?: string;
}

export const validateSchema = (
  schema: JsonSchema,
  path: string,
  pacer: Pacer,
): Steps<readonly FieldError[]> =>
  gathered(validateAt(schema, { path, isRoot: true, isMeta: false }), pacer);

function* validateAt(schema: JsonSchema, place: Place): Found {
  yield [...validateFeatures(schema, place), ...validateUnique(schema, place.path)];
  yield* validateAdditional(schema, place);
  yield* validateParts(schema, place);
  yield* validateItems(schema, place);
  yield [
    ...validateExtensions(schema, place.path),
    ...validateListMap(schema, place.path),
    ...validateListItems(schema, place.path),
    ...(schema['x-kubernetes-validations'] ?? []).flatMap((rule, i) =>
      validateRule(rule, `${place.path}.x-kubernetes-validations[${i}]`),
    ),
  ];
}

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

const validateFeatures = (
  schema: JsonSchema,
  { path, isMeta, noDefaults }: Place,
): readonly FieldError[] => {
  const { type = '' } = schema;
  const unsupported = UNSUPPORTED.filter((name) => isSet(schema[name])).map((name) =>
    forbidden(`${path}.${name}`, `${name} is not supported`),
  );
  return [
    ...(type === '' || TYPES.includes(type) ? [] : [notSupported(`${path}.type`, type, TYPES)]),
    ...(schema.default !== undefined && noDefaults !== undefined
      ? [forbidden(`${path}.default`, `must not be set ${noDefaults}`)]
      : []),
    ...unsupported,
    ...(type === 'null'
      ? [forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative')]
      : []),
    ...(isJsonList(schema.items)
      ? [forbidden(`${path}.items`, 'items must be a schema object and not an array')]
      : []),
    ...(isMeta && schema['x-kubernetes-embedded-resource'] === true
      ? [
          forbidden(
            `${path}.x-kubernetes-embedded-resource`,
            'must not be used inside of resource meta',
          ),
        ]
      : []),
  ];
};

const UNSUPPORTED = [
  'id',
  'additionalItems',
  'patternProperties',
  'definitions',
  'dependencies',
  '$ref',
] as const;

const isSet = (value: unknown): boolean =>
  value !== undefined &&
  value !== '' &&
  !(typeof value === 'object' && value !== null && Object.keys(value).length === 0);

const validateUnique = ({ uniqueItems }: JsonSchema, path: string): readonly FieldError[] =>
  uniqueItems === true
    ? [
        forbidden(
          `${path}.uniqueItems`,
          'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
        ),
      ]
    : [];

function* validateAdditional(
  { additionalProperties, properties = {} }: JsonSchema,
  place: Place,
): Found {
  if (additionalProperties === undefined) return;
  const path = `${place.path}.additionalProperties`;
  if (Object.keys(properties).length > 0 && additionalProperties !== true)
    yield [forbidden(path, 'additionalProperties and properties are mutual exclusive')];
  if (typeof additionalProperties !== 'object') return;
  const noDefaults = 'inside additionalProperties applying to object metadata';
  const within: Place = { ...place, path, isRoot: false, ...(place.isMeta ? { noDefaults } : {}) };
  yield* validateAt(additionalProperties, within);
}

function* validateParts(schema: JsonSchema, place: Place): Found {
  const within = (path: string): Place => ({ ...place, path, isRoot: false });
  const isObject = place.isRoot || schema['x-kubernetes-embedded-resource'] === true;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const at = within(`${place.path}.properties[${name}]`);
    const isMeta = isObject && META_FIELDS.has(name);
    const noDefaults = place.isRoot ? { noDefaults: `in top-level ${name}` } : {};
    yield* validateAt(property, isMeta ? { ...at, isMeta, ...noDefaults } : at);
  }
  if (schema.not !== undefined) yield* validateAt(schema.not, within(`${place.path}.not`));
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const)
    for (const [i, each] of (schema[name] ?? []).entries())
      yield* validateAt(each, within(`${place.path}.${name}[${i}]`));
  for (const [name, each] of Object.entries(schema.definitions ?? {}))
    yield* validateAt(each, within(`${place.path}.definitions[${name}]`));
}

function* validateItems({ items }: JsonSchema, place: Place): Found {
  if (items === undefined) return;
  const path = `${place.path}.items`;
  const within = { ...place, path, isRoot: false };
  if (!isJsonList(items)) yield* validateAt(items, within);
  else
    for (const [i, each] of items.entries())
      yield* validateAt(each, { ...within, path: `${path}[${i}]` });
}

const validateExtensions = (schema: JsonSchema, path: string): readonly FieldError[] => {
  const mapType = schema['x-kubernetes-map-type'];
  return [
    ...(schema['x-kubernetes-preserve-unknown-fields'] === false
      ? [
          invalid(
            `${path}.x-kubernetes-preserve-unknown-fields`,
            false,
            'must be true or undefined',
          ),
        ]
      : []),
    ...(mapType === undefined
      ? []
      : [
          ...typeIs(schema, path, 'object', 'x-kubernetes-map-type'),
          ...among(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']),
        ]),
    ...validateListType(schema, path),
  ];
};

const typeIs = (
  { type = '' }: JsonSchema,
  path: string,
  wanted: string,
  extension: string,
): readonly FieldError[] => {
  const why = `must be ${wanted} if ${extension} is specified`;
  if (type === wanted) return [];
  return [type === '' ? required(`${path}.type`, why) : invalid(`${path}.type`, type, why)];
};

const among = (field: string, value: string, values: readonly string[]): readonly FieldError[] =>
  values.includes(value) ? [] : [notSupported(field, value, values)];

const validateListType = (schema: JsonSchema, path: string): readonly FieldError[] => {
  const type = schema['x-kubernetes-list-type'];
  if (type === undefined) return [];
  const wrong = typeIs(schema, path, 'array', 'x-kubernetes-list-type');
  return [
    ...wrong,
    ...(wrong.length === 0 && type === 'set' ? atomicItems(schema, path) : []),
    ...among(`${path}.x-kubernetes-list-type`, type, ['atomic', 'set', 'map']),
  ];
};

const atomicItems = (schema: JsonSchema, path: string): readonly FieldError[] => {
  const items = itemsOf(schema);
  const name = items?.type === 'array' ? 'x-kubernetes-list-type' : 'x-kubernetes-map-type';
  const value = items?.[name];
  const isGood =
    items?.type === 'array'
      ? value === undefined || value === 'atomic'
      : items?.type !== 'object' || value === 'atomic';
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  return isGood ? [] : [invalid(`${path}.items.${name}`, value, why)];
};

const validateListMap = (schema: JsonSchema, path: string): readonly FieldError[] => {
  const type = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const typeField = `${path}.x-kubernetes-list-type`;
  const keysField = `${path}.x-kubernetes-list-map-keys`;
  const mustBeMap = 'must be map if x-kubernetes-list-map-keys is non-empty';
  if (type !== 'map') {
    if (keys.length === 0) return [];
    return [
      type === undefined ? required(typeField, mustBeMap) : invalid(typeField, type, mustBeMap),
    ];
  }
  const items = itemsOf(schema);
  return [
    ...(keys.length === 0
      ? [required(keysField, 'must not be empty if x-kubernetes-list-type is map')]
      : []),
    ...(schema.items === undefined
      ? [required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map')]
      : []),
    ...(items !== undefined && items.type !== 'object'
      ? [
          invalid(
            `${path}.items.type`,
            items.type ?? '',
            "must be object if parent array's x-kubernetes-list-type is map",
          ),
        ]
      : []),
    ...(items?.type === 'object' ? validateKeys(items, keys, path) : []),
  ];
};

const validateKeys = (
  items: JsonSchema,
  keys: readonly string[],
  path: string,
): readonly FieldError[] =>
  keys.flatMap((key, i) => {
    const field = `${path}.x-kubernetes-list-map-keys`;
    const property = propertyOf(items, key);
    const isCompound = property?.type === 'array' || property?.type === 'object';
    return [
      ...(property === undefined
        ? [invalid(field, keys, 'entries must all be names of item properties')]
        : []),
      ...(isCompound
        ? [
            invalid(
              `${path}.items.properties[${key}].type`,
              items.type,
              "must be a scalar type if parent array's x-kubernetes-list-type is map",
            ),
          ]
        : []),
      ...(keys.indexOf(key) < i
        ? [invalid(field, keys, 'must not contain duplicate entries')]
        : []),
    ];
  });

const validateListItems = (schema: JsonSchema, path: string): readonly FieldError[] => {
  const type = schema['x-kubernetes-list-type'];
  const items = itemsOf(schema);
  if (items === undefined || (type !== 'set' && type !== 'map')) return [];
  const nullable = items.nullable
    ? [
        forbidden(
          `${path}.items.nullable`,
          `cannot be nullable when x-kubernetes-list-type is ${type}`,
        ),
      ]
    : [];
  if (type === 'set') return nullable;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  return [...nullable, ...keys.flatMap((key) => validateKey(items, key, path))];
};

const validateKey = (items: JsonSchema, key: string, path: string): readonly FieldError[] => {
  const property = propertyOf(items, key);
  if (property === undefined) return [];
  const field = `${path}.items.properties[${key}]`;
  const isThere = items.required?.includes(key) === true || property.default !== undefined;
  return [
    ...(isThere
      ? []
      : [
          required(
            `${field}.default`,
            'this property is in x-kubernetes-list-map-keys, so it must have a default or be a ' +
              'required property',
          ),
        ]),
    ...(property.nullable === true
      ? [
          forbidden(
            `${field}.nullable`,
            'this property is in x-kubernetes-list-map-keys, so it cannot be nullable',
          ),
        ]
      : []),
  ];
};

const hasNewlines = (text: string): boolean => /[\n\r]/.test(text);

/** What a rule in CEL is apart from its expression. */
const validateRule = (
  {
    rule = '',
    message = '',
    messageExpression = '',
    reason,
    fieldPath = '',
  }: Partial<ValidationRule>,
  path: string,
): readonly FieldError[] => {
  const isBlank = (text: string) => text !== '' && text.trim() === '';
  const errors: FieldError[] = [];
  if (rule.trim() === '') errors.push(required(`${path}.rule`, 'rule is not specified'));
  else if (isBlank(message))
    errors.push(invalid(`${path}.message`, message, 'must be non-empty if specified'));
  else if (hasNewlines(message.trim()))
    errors.push(invalid(`${path}.message`, message, 'must not contain line breaks'));
  else if (hasNewlines(rule.trim()) && message === '')
    errors.push(
      required(`${path}.message`, 'message must be specified if rule contains line breaks'),
    );
  if (isBlank(messageExpression))
    errors.push(
      required(`${path}.messageExpression`, 'messageExpression must be non-empty if specified'),
    );
  if (reason !== undefined && !REASONS.includes(reason))
    errors.push(notSupported(`${path}.reason`, reason, REASONS));
  if (isBlank(fieldPath))
    errors.push(invalid(`${path}.fieldPath`, fieldPath, 'must be non-empty if specified'));
  if (hasNewlines(fieldPath))
    errors.push(invalid(`${path}.fieldPath`, fieldPath, 'must not contain line breaks'));
  return errors;
};

const REASONS = [
  'FieldValueDuplicate',
  'FieldValueForbidden',
  'FieldValueInvalid',
  'FieldValueRequired',
];
