import type { ApiObject, Metadata } from '../types';
import { invalid, invalidFor, required, type FieldError } from '../validation/field-error';
import { validateMetadata } from '../validation/metadata';
import { dns1035LabelProblems, pathSegmentProblems } from '../names';
import { hasEmbedded, joined } from '../structural/embedded';
import {
  additionalOf,
  isEmbedded,
  isJsonList,
  itemsOf,
  propertyOf,
  type Json,
  type JsonSchema,
} from '../structural/json-schema';
import { isJsonObject } from '../../lib/json';

/** What is wrong with embedded objects: they name what they are, and their metadata is sound. */
export const embeddedProblems = (
  value: unknown,
  schema: JsonSchema,
  path = '',
): readonly FieldError[] => {
  const problems: FieldError[] = [];
  collect(value, schema, path, problems);
  return problems;
};

const collect = (
  value: unknown,
  schema: JsonSchema,
  path: string,
  problems: FieldError[],
): void => {
  if (!hasEmbedded(schema) || problems.length >= PROBLEMS_MAX) return;
  if (isJsonList(value)) {
    const items = itemsOf(schema);
    if (items !== undefined)
      value.forEach((item, index) => collect(item, items, `${path}[${index}]`, problems));
    return;
  }
  if (!isJsonObject(value)) return;
  if (isEmbedded(schema)) problems.push(...ownProblems(value, path));
  for (const [name, member] of Object.entries(value)) {
    const property = propertyOf(schema, name);
    const of = property ?? additionalOf(schema);
    const at = property === undefined ? `${path}[${name}]` : joined(path, name);
    if (of !== undefined) collect(member, of, at, problems);
  }
};

const ownProblems = (value: Json, path: string): readonly FieldError[] => [
  ...['apiVersion', 'kind']
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => required(joined(path, name))),
  ...textProblems(value['apiVersion'], joined(path, 'apiVersion'), (text) =>
    text.split('/').length > 2 ? [`unexpected GroupVersion string: ${text}`] : [],
  ),
  ...textProblems(value['kind'], joined(path, 'kind'), (text) => {
    const problems = dns1035LabelProblems(text.toLowerCase());
    return problems.length === 0
      ? []
      : [`may have mixed case, but should otherwise match: ${problems.join(',')}`];
  }),
  ...metadataProblems(value['metadata'], path),
];

const textProblems = (
  value: unknown,
  field: string,
  problemsOf: (text: string) => readonly string[],
): readonly FieldError[] => {
  if (value === undefined) return [];
  if (typeof value !== 'string') return [invalid(field, value, 'must be a string')];
  return invalidFor(field, value, value === '' ? ['must not be empty'] : problemsOf(value));
};

const metadataProblems = (metadata: unknown, path: string): readonly FieldError[] => {
  if (!isJsonObject(metadata)) return [];
  const strange = MEMBERS.filter(([name, isOfType]) => {
    const value = metadata[name] ?? undefined;
    return value !== undefined && !isOfType(value);
  });
  // Objects were decoded before; defaults of schemas were not.
  if (strange.length > 0)
    return strange.map(([name]) =>
      invalid(
        joined(path, `metadata.${name}`),
        metadata[name],
        'must be of the type that metadata has',
      ),
    );
  const isNamespaced = (metadata['namespace'] ?? '') !== '';
  const named = {
    ...metadata,
    name: (metadata['name'] ?? '') === '' ? 'fakename' : metadata['name'],
  };
  const object = { metadata: named as unknown as Metadata } as ApiObject;
  return validateMetadata(object, { isNamespaced, name: pathSegmentProblems }).map((error) => ({
    ...error,
    field: joined(path, error.field),
  }));
};

const isText = (value: unknown): boolean => typeof value === 'string';
const isTexts = (value: unknown): boolean =>
  isJsonObject(value) && Object.values(value).every(isText);
const isObjects = (value: unknown): boolean =>
  isJsonList(value) && value.every((each) => isJsonObject(each) && isFlat(each));
/** Owners, and managers of fields. */
const isFlat = (item: Json): boolean =>
  Object.values(item).every((each) => !isJsonList(each) && each !== null);

const MEMBERS: readonly (readonly [string, (value: unknown) => boolean])[] = [
  ...['name', 'generateName', 'namespace', 'uid', 'resourceVersion'].map(
    (name) => [name, isText] as const,
  ),
  ...['labels', 'annotations'].map((name) => [name, isTexts] as const),
  ['finalizers', (value) => isJsonList(value) && value.every(isText)],
  ...['ownerReferences', 'managedFields'].map((name) => [name, isObjects] as const),
];

/** Nobody reads more. */
const PROBLEMS_MAX = 100;
