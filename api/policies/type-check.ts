import { CelCompileError, schemaType, type CelType, type SchemaShape } from '../cel';
import { definitionOf, hasDefinition, resolveSchema, type KindName } from '../schema/definitions';
import type { Schema } from '../schema/schema';
import type { ValidatingAdmissionPolicy } from '../types';
import { compilePolicy } from './compile';

export interface ExpressionWarning {
  readonly fieldRef: string;
  readonly warning: string;
}

/**
 * What is wrong with the expressions of a policy for objects of the kinds that it is for, as upstream
 * tells in `status.typeChecking`: they are evaluated all the same.
 */
export const typeCheckPolicy = (
  policy: Pick<ValidatingAdmissionPolicy, 'spec'>,
  kinds: readonly KindName[],
): readonly ExpressionWarning[] => {
  const found = new Map<string, string[]>();
  for (const kind of kinds.slice(0, KINDS_MAX)) {
    const type = typeOfKind(kind);
    if (type === undefined) continue;
    for (const { field, message } of problemsWith(policy, type))
      found.set(field, [...(found.get(field) ?? []), `${nameOf(kind)}: ${message}`]);
  }
  return [...found].map(([fieldRef, warnings]) => ({ fieldRef, warning: warnings.join('\n') }));
};

const problemsWith = (policy: Pick<ValidatingAdmissionPolicy, 'spec'>, type: CelType) => {
  const untyped = compilePolicy(policy);
  return compilePolicy(policy, type).validations.flatMap(({ program, message }, i) => {
    const at = `spec.validations[${i}]`;
    const before = untyped.validations[i];
    return [
      ...problem(program, before?.program, `${at}.expression`),
      ...problem(message, before?.message, `${at}.messageExpression`),
    ];
  });
};

/** What is wrong whatever the kind was refused when the policy was created. */
const problem = (typed: unknown, untyped: unknown, field: string) =>
  typed instanceof CelCompileError && !(untyped instanceof CelCompileError)
    ? [{ field, message: typed.message.replace(/^compilation failed: /, '') }]
    : [];

const nameOf = ({ group, version, kind }: KindName): string =>
  `${group === '' ? version : `${group}/${version}`}, Kind=${kind}`;

/** Undefined for a kind of which no schema is known here. */
const typeOfKind = (kind: KindName): CelType | undefined => {
  if (kind.definition !== undefined || !hasDefinition(kind)) return undefined;
  const { name } = definitionOf(kind);
  const known = types.get(name);
  if (known !== undefined) return known;
  const type = schemaType(shapeOf(definitionOf(kind).schema, 0), { name });
  if (type !== undefined) types.set(name, type);
  return type;
};

/** Definitions with what they refer to put in; what cannot be told is of any type. */
const shapeOf = (schema: Schema, depth: number): SchemaShape => {
  const target = resolveSchema(schema).schema;
  const { type, properties, items, additionalProperties, format } = target;
  if (depth > DEPTH_MAX || type === undefined || format === 'int-or-string') return ANYTHING;
  if (type === 'object' && properties === undefined && additionalProperties === undefined)
    return ANYTHING;
  return {
    ...{ type, ...(format === undefined ? {} : { format }) },
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, each]) => [name, shapeOf(each, depth + 1)]),
          ),
        }),
    ...(items === undefined ? {} : { items: shapeOf(items, depth + 1) }),
    ...(additionalProperties === undefined
      ? {}
      : { additionalProperties: shapeOf(additionalProperties, depth + 1) }),
  };
};

const types = new Map<string, CelType>();
const ANYTHING: SchemaShape = { 'x-kubernetes-int-or-string': true };
const DEPTH_MAX = 12;
/** As upstream: of so many kinds. */
const KINDS_MAX = 10;
