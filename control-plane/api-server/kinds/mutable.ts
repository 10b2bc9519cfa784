import { stringifyJson, isJsonObject } from '../../../lib/json';
import { assignJson, cloneJson } from '../../../api/json-value';
import type { ApiObject, Metadata } from '../../../api/types';

/** JSON fields by name. */
export type Fields = Record<string, unknown>;

/** A private copy of an object that this room may change before it is stored. */
export type MutableObject = {
  apiVersion: string;
  kind: string;
  metadata: { -readonly [Key in keyof Metadata]: Metadata[Key] };
  spec?: Fields;
  status?: Fields;
} & Fields;

export const copyOf = (object: ApiObject): MutableObject =>
  cloneJson(object) as unknown as MutableObject;

/** Makes `object` what `next` is, for those who hold it. */
export const become = (object: MutableObject, next: MutableObject): void => {
  if (object === next) return;
  for (const field of Object.keys(object)) Reflect.deleteProperty(object, field);
  assignJson(object, next);
};

export const isFields = (value: unknown): value is Fields => isJsonObject(value);

/** The fields at a path, or nothing when a step is missing. */
export const fieldsAt = (value: unknown, ...path: readonly string[]): Fields => {
  const found = valueAt(value, ...path);
  return isFields(found) ? found : {};
};

export const valueAt = (value: unknown, ...path: readonly string[]): unknown => {
  let current = value;
  for (const step of path) {
    if (!isFields(current) || !Object.hasOwn(current, step)) return undefined;
    current = current[step];
  }
  return current;
};

/** The text at a path; `''` when absent. */
export const textAt = (value: unknown, ...path: readonly string[]): string => {
  const found = valueAt(value, ...path);
  if (typeof found === 'string') return found;
  return found === undefined || found === null ? '' : stringifyJson(found);
};

export const numberAt = (value: unknown, ...path: readonly string[]): number => {
  const found = valueAt(value, ...path);
  return typeof found === 'number' || typeof found === 'bigint' ? Number(found) : 0;
};

export const listAt = (value: unknown, ...path: readonly string[]): readonly unknown[] => {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? (found as readonly unknown[]) : [];
};
