import type { Int64 } from '../int64';

/**
 * A structural schema of OpenAPI v3 as a CustomResourceDefinition holds it: checked by
 * `custom-resources/definition` before anything else here sees it.
 */
export interface JsonSchema {
  readonly $ref?: string;
  readonly $schema?: string;
  readonly additionalItems?: JsonSchema | boolean;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly allOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly default?: unknown;
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
  readonly dependencies?: Readonly<Record<string, unknown>>;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly exclusiveMaximum?: boolean;
  readonly exclusiveMinimum?: boolean;
  readonly format?: string;
  readonly id?: string;
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly maxItems?: Int64;
  readonly maxLength?: Int64;
  readonly maxProperties?: Int64;
  readonly maximum?: number;
  readonly minItems?: Int64;
  readonly minLength?: Int64;
  readonly minProperties?: Int64;
  readonly minimum?: number;
  readonly multipleOf?: Int64;
  readonly not?: JsonSchema;
  readonly nullable?: boolean;
  readonly oneOf?: readonly JsonSchema[];
  readonly pattern?: string;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly title?: string;
  readonly type?: string;
  readonly uniqueItems?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-map-type'?: string;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
}

/** A rule in CEL. */
export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

export type Json = Readonly<Record<string, unknown>>;

export const isJsonList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

/** The schema of a member that the schema names. */
export const propertyOf = ({ properties }: JsonSchema, name: string): JsonSchema | undefined =>
  properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;

/** The schema of members that the schema does not name; undefined when there is none, or any will do. */
export const additionalOf = ({ additionalProperties }: JsonSchema): JsonSchema | undefined =>
  typeof additionalProperties === 'object' ? additionalProperties : undefined;

export const allowsAdditional = ({ additionalProperties = false }: JsonSchema): boolean =>
  additionalProperties !== false;

/** The schema of a member, named or not. */
export const memberSchema = (schema: JsonSchema, name: string): JsonSchema | undefined =>
  propertyOf(schema, name) ?? additionalOf(schema);

export const itemsOf = ({ items }: JsonSchema): JsonSchema | undefined =>
  items === undefined || isJsonList(items) ? undefined : items;

export const preservesUnknown = (schema: JsonSchema): boolean =>
  schema['x-kubernetes-preserve-unknown-fields'] === true;

export const isEmbedded = (schema: JsonSchema): boolean =>
  schema['x-kubernetes-embedded-resource'] === true;

/** What every object has, whatever its schema says. */
export const META_FIELDS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/**
 * Is something true of any schema that values below this one are held to, or of itself? Looked up once a
 * schema: most have nothing of the kind, and their values need not be walked.
 */
export const anywhere = (
  is: (schema: JsonSchema) => boolean,
): ((schema: JsonSchema) => boolean) => {
  const known = new WeakMap<JsonSchema, boolean>();
  const find = (schema: JsonSchema): boolean => {
    let has = known.get(schema);
    if (has === undefined) known.set(schema, (has = is(schema) || valuesOf(schema).some(find)));
    return has;
  };
  return find;
};

const valuesOf = (schema: JsonSchema): readonly JsonSchema[] => [
  ...Object.values(schema.properties ?? {}),
  ...[additionalOf(schema), itemsOf(schema)].filter((each) => each !== undefined),
];

/** Every schema inside a schema, and itself. */
export function* partsIn(schema: JsonSchema): Generator<JsonSchema> {
  yield schema;
  const { items, additionalProperties, not } = schema;
  for (const each of [isJsonList(items) ? undefined : items, additionalProperties, not])
    if (typeof each === 'object') yield* partsIn(each);
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const)
    for (const each of schema[name] ?? []) yield* partsIn(each);
  for (const each of Object.values(schema.properties ?? {})) yield* partsIn(each);
}
