import type { Json } from '../patch/json';
import {
  FieldSetBuilder,
  below,
  isEmptySet,
  stepsOf,
  type FieldPath,
  type FieldSet,
} from './field-set';
import { parseJson, stringifyJson, isJsonObject } from '../../lib/json';

/** The set is not FieldsV1. */
export class FieldsV1Error extends Error {
  override readonly name = 'FieldsV1Error';
}

/** The wire form: `{"f:metadata":{"f:labels":{".":{},"f:app":{}}}}`. */
export const encodeFields = (set: FieldSet): Json => encodeInto({}, set);

/** No step has a name that an object has of itself. */
const encodeInto = (fields: Record<string, Json>, set: FieldSet): Json => {
  for (const step of stepsOf(set)) {
    const child = below(set, step);
    const isOwned = set.members.has(step) && !isEmptySet(child);
    fields[step] = encodeInto(isOwned ? { [SELF]: {} } : {}, child);
  }
  return fields;
};

/** @throws FieldsV1Error */
export const decodeFields = (value: unknown): FieldSet => {
  const set = new FieldSetBuilder();
  collect(value, [], set);
  return set;
};

const collect = (value: unknown, path: FieldPath, into: FieldSetBuilder): void => {
  if (!isJsonObject(value)) throw new FieldsV1Error('a set of fields is an object');
  if (path.length > DEPTH_MAX) throw new FieldsV1Error('a set of fields is nested too deeply');
  const steps = Object.entries(value);
  if (steps.length === 0) into.insert(path);
  for (const [step, child] of steps) {
    if (step === SELF) into.insert(path);
    else collect(child, [...path, normalStep(step)], into);
  }
};

/** One spelling for each step, so that equal steps are equal text. @throws FieldsV1Error */
const normalStep = (step: string): string => {
  const kind = step.slice(0, 2);
  const rest = step.slice(2);
  switch (kind) {
    case 'f:':
      return step;
    case 'k:': {
      const keys = parse(rest);
      if (!isJsonObject(keys)) throw new FieldsV1Error(`keys are an object: ${rest}`);
      return keyStep(Object.entries(keys));
    }
    case 'v:':
      return valueStep(parse(rest));
    case 'i:':
      if (/^\d{1,9}$/.test(rest)) return step;
      throw new FieldsV1Error(`no index: ${rest}`);
    default:
      throw new FieldsV1Error(`unknown step: ${step}`);
  }
};

export const fieldStep = (name: string): string => `f:${name}`;

/** The item of a list that its keys tell from the others. */
export const keyStep = (keys: readonly (readonly [string, unknown])[]): string =>
  `k:${stringifyJson(Object.fromEntries([...keys].sort(([a], [b]) => (a < b ? -1 : 1))))}`;

export const valueStep = (value: unknown): string => `v:${stringifyJson(value)}`;

export const indexStep = (index: number): string => `i:${index}`;

/** `.spec.containers[name="c"].image`, as conflicts name a field. */
export const textOfPath = (path: FieldPath): string => path.map(textOfStep).join('');

const textOfStep = (step: string): string => {
  const rest = step.slice(2);
  switch (step.slice(0, 2)) {
    case 'k:':
      return `[${Object.entries(parseJson(rest) as Json)
        .map(([key, value]) => `${key}=${stringifyJson(value)}`)
        .join(',')}]`;
    case 'v:':
      return `[=${rest}]`;
    case 'i:':
      return `[${rest}]`;
    default:
      return `.${rest}`;
  }
};

const parse = (text: string): unknown => {
  try {
    return parseJson(text);
  } catch (error) {
    throw new FieldsV1Error(`not JSON: ${text}`, { cause: error });
  }
};

/** The step that stands for the field itself. */
const SELF = '.';
/** Deeper than any kind of the API. */
const DEPTH_MAX = 100;
