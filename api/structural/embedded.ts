import {
  anywhere,
  isEmbedded,
  isJsonList,
  itemsOf,
  memberSchema,
  type Json,
  type JsonSchema,
} from './json-schema';
import { mapItems, mapMembers } from './prune';
import { isJsonObject } from '../../lib/json';

/*
 * Objects inside objects (`x-kubernetes-embedded-resource`) have metadata as those outside, whatever the
 * schema says of it. Source: apiextensions-apiserver/pkg/apiserver/schema/objectmeta.
 */

/** The value with the metadata of every embedded object as `read` has it. */
export const withEmbedded = (
  value: Json,
  schema: JsonSchema,
  read: (metadata: unknown, path: string) => unknown,
): Json => (hasEmbedded(schema) ? (visit(value, schema, '', read) as Json) : value);

const visit = (
  value: unknown,
  schema: JsonSchema,
  path: string,
  read: (metadata: unknown, path: string) => unknown,
): unknown => {
  if (!hasEmbedded(schema)) return value;
  if (isJsonObject(value))
    return mapMembers(value, (name, member) => {
      if (isEmbedded(schema) && name === 'metadata') return read(member, path);
      const of = memberSchema(schema, name);
      return of === undefined ? member : visit(member, of, joined(path, name), read);
    });
  const items = itemsOf(schema);
  if (!isJsonList(value) || items === undefined) return value;
  return mapItems(value, (item, index) => visit(item, items, `${path}[${index}]`, read));
};

export const joined = (path: string, name: string): string =>
  path === '' ? name : `${path}.${name}`;

/** Is there an embedded object anywhere in what has this schema? */
export const hasEmbedded = anywhere(isEmbedded);
