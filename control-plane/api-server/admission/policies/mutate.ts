import {
  CelBudget,
  CelList,
  CelMap,
  CelObject,
  MadeObject,
  toJson,
  type CelValue,
} from '../../../../api/cel';
import { ApiError } from '../../../../api/errors';
import { ListItemsError } from '../../../../api/ownership/fields-of';
import { mergeApplied } from '../../../../api/ownership/merge-applied';
import { deduced, structureOf, type Structure } from '../../../../api/ownership/structure';
import { PatchTestError } from '../../../../api/patch/json-patch';
import { applyPatch, JSON_PATCH } from '../../../../api/patch/patch';
import type { Compiled, CompiledMutations } from '../../../../api/policies/compile';
import { convert, DecodeError } from '../../../../api/schema/decode';
import type { KindName } from '../../../../api/schema/definitions';
import type { Mutation } from '../../../../api/types';
import { isJsonObject } from '../../../../lib/json';
import { copyOf, type Fields, type MutableObject } from '../../kinds/mutable';
import { outcomeOf, variablesOf, type Values } from './evaluate';

/** Why a mutation came to nothing, in upstream's words. */
export class MutationError extends Error {
  override readonly name = 'MutationError';
}

/**
 * What one mutation of a policy makes of the object, before it is decoded and gets its defaults. Its
 * expressions have a budget of their own, as upstream. @throws MutationError
 */
export const mutated = (
  compiled: CompiledMutations,
  index: number,
  { patchType }: Mutation,
  { kind, object, given }: { kind: KindName; object: MutableObject; given: Values },
): unknown => {
  const program = compiled.mutations[index];
  if (program === undefined) return object;
  const value = valueOf(program, compiled, given);
  return patchType === 'JSONPatch' ? jsonPatched(kind, object, value) : merged(kind, object, value);
};

const valueOf = (program: Compiled, compiled: CompiledMutations, given: Values): CelValue => {
  const budget = new CelBudget();
  const values = { ...given, variables: variablesOf(compiled, given, budget) };
  const outcome = outcomeOf(program, values, budget);
  if (outcome instanceof Error) throw new MutationError(outcome.message, { cause: outcome });
  return outcome;
};

/** Source: upstream's pkg/admission/plugin/policy/mutating/patch/smd.go. */
const merged = (kind: KindName, object: MutableObject, value: CelValue): unknown => {
  checkTypeNames(value, ['Object']);
  const { apiVersion, kind: kindName } = object;
  const config = { ...(jsonOf(value) as Fields), apiVersion, kind: kindName };
  const known = strictly(kind, config);
  const structure = structureOf(kind);
  const atomics = atomicsIn(structure, known, '');
  if (atomics.length > 0)
    throw applying(
      `invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(', ')}`,
    );
  try {
    return mergeApplied(structure, copyOf(object), known);
  } catch (error) {
    if (error instanceof ListItemsError) throw applying(error.message, error);
    throw error;
  }
};

/** What the configuration says and nothing more. @throws MutationError for what the kind has not */
const strictly = (kind: KindName, config: Fields): Fields => {
  try {
    const options = { isPartial: true, fieldValidation: 'Strict' } as const;
    const { object } = convert(kind, config, options);
    return object as unknown as Fields;
  } catch (error) {
    if (!(error instanceof DecodeError) && !(error instanceof ApiError)) throw error;
    throw applying(`failed to convert patch object to typed object: ${error.message}`, error);
  }
};

/** Whoever names one member of what changes as a whole would lose the others unawares. */
const atomicsIn = (structure: Structure, value: unknown, path: string): readonly string[] => {
  const shape = deduced(structure, value);
  if (isJsonObject(value))
    return shape.kind === 'map'
      ? Object.entries(value).flatMap(([name, each]) =>
          atomicsIn(shape.member(name), each, `${path}.${name}`),
        )
      : [path];
  if (!Array.isArray(value)) return [];
  if (shape.kind === 'leaf') return [path];
  return shape.kind === 'keyed'
    ? value.flatMap((item: unknown, i) => atomicsIn(shape.item, item, `${path}[${i}]`))
    : [];
};

const applying = (why: string, cause?: unknown): MutationError =>
  new MutationError(`error applying patch: ${why}`, { cause });

/** A patch whose test fails changes nothing, and is no error. Source: upstream's json_patch.go. */
const jsonPatched = (kind: KindName, object: MutableObject, value: CelValue): unknown => {
  if (!(value instanceof CelList))
    throw new MutationError('type mismatch: JSONPatchType.expression should evaluate to array');
  const operations = value.toArray().map(operationOf);
  try {
    return applyPatch(kind, JSON_PATCH, copyOf(object), operations);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { cause } = error;
    if (cause instanceof PatchTestError) return object;
    const why = cause instanceof Error ? cause.message : error.message;
    throw new MutationError(`JSON Patch: ${why}`, { cause: error });
  }
};

const operationOf = (operation: CelValue): Readonly<Record<string, unknown>> => {
  if (!(operation instanceof CelObject))
    throw new MutationError(
      'type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch',
    );
  const value = operation.field('value');
  if (value instanceof MadeObject) checkTypeNames(value, pathOf(value));
  const from = operation.field('from') ?? '';
  return {
    op: operation.field('op') ?? '',
    path: operation.field('path') ?? '',
    ...(from === '' ? {} : { from }),
    ...(value === undefined ? {} : { value: jsonOf(value) }),
  };
};

const jsonOf = (value: CelValue): unknown => {
  try {
    return toJson(value);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new MutationError(`type mismatch: ${why}`, { cause: error });
  }
};

const pathOf = ({ type }: MadeObject): readonly string[] =>
  type.kind === 'object' ? type.name.split('.') : [];

/** `Object.spec.wrong{}` cannot stand for `spec.selector`. @throws MutationError */
const checkTypeNames = (value: CelValue, path: readonly string[]): void => {
  if (value instanceof CelList) for (const item of value.toArray()) checkTypeNames(item, path);
  else if (value instanceof MadeObject) {
    const [name, expected] = [pathOf(value).join('.'), path.join('.')];
    if (name !== expected)
      throw new MutationError(
        `type mismatch: unexpected type name ${JSON.stringify(name)}, expected ` +
          `${JSON.stringify(expected)}, which matches field name path from root Object type`,
      );
    for (const field of value.fieldNames())
      checkTypeNames(value.field(field) ?? null, [...path, field]);
  } else if (value instanceof CelMap)
    for (const key of value.keys()) checkTypeNames(value.get(key) ?? null, path);
};
