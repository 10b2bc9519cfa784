import { structuredPatch } from 'diff';
import { isOfKind } from '../../api/owners';
import { SECRETS } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { toYaml } from '../../api/yaml/write';
import { stringifyJson } from '../../lib/json';
import { LAST_APPLIED } from '../last-applied';

/** All of an object but the bookkeeping of the write itself, and what others observe meanwhile. */
export const contentOf = (object: ApiObject): string => stringifyJson(withoutBookkeeping(object));

/** How an object changes, as indented lines of a unified diff of its YAML; empty when it does not. */
export const objectDiff = (before: ApiObject, after: ApiObject): string => {
  const [old, next] = masked(before, after).map(authored);
  const { hunks } = structuredPatch('', '', old ?? '', next ?? '', '', '', { context: 2 });
  return hunks.flatMap(({ lines }) => lines.map((line) => `    ${line}\n`)).join('');
};

/** A unified diff of two texts, with their names; empty when they are the same. */
export const unifiedDiff = (
  before: { readonly name: string; readonly text: string },
  after: { readonly name: string; readonly text: string },
): string => {
  const { hunks } = structuredPatch('', '', before.text, after.text, '', '', { context: 3 });
  if (hunks.length === 0) return '';
  const lines = hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines: changed }) => [
    `@@ -${rangeText(oldStart, oldLines)} +${rangeText(newStart, newLines)} @@`,
    ...changed,
  ]);
  return [`--- ${before.name}`, `+++ ${after.name}`, ...lines].map((line) => `${line}\n`).join('');
};

const rangeText = (start: number, count: number): string =>
  count === 1 ? String(start) : `${count === 0 ? start - 1 : start},${count}`;

type Pair = readonly [ApiObject, ApiObject];

/** A secret's content is not for screens: only whether it changes. */
export const masked = (before: ApiObject, after: ApiObject): Pair =>
  isOfKind(after, SECRETS) || isOfKind(before, SECRETS)
    ? [maskedOne(before, after, 'before'), maskedOne(after, before, 'after')]
    : [before, after];

const maskedOne = (object: ApiObject, other: ApiObject, when: string): ApiObject => {
  const fields = Object.entries(object).map(([name, value]) => [
    name,
    DATA_FIELDS.has(name) ? maskedData(value, dataIn(other, name), when) : (value as unknown),
  ]);
  const { [LAST_APPLIED]: record, ...annotations } = object.metadata.annotations ?? {};
  const metadata =
    record === undefined
      ? object.metadata
      : { ...object.metadata, annotations: { ...annotations, [LAST_APPLIED]: MASK } };
  return { ...(Object.fromEntries(fields) as ApiObject), metadata };
};

const maskedData = (value: unknown, other: Data, when: string): unknown =>
  Object.fromEntries(
    Object.entries((value ?? {}) as Data).map(([key, content]) => [
      key,
      Object.hasOwn(other, key) && other[key] !== content ? `${MASK} (${when})` : MASK,
    ]),
  );

const dataIn = (object: ApiObject, name: string): Data =>
  (object as unknown as Readonly<Record<string, Data | undefined>>)[name] ?? {};

type Data = Readonly<Record<string, unknown>>;

const DATA_FIELDS: ReadonlySet<string> = new Set(['data', 'stringData']);
const MASK = '***';

/** What people write of an object, as YAML. */
const authored = (object: ApiObject): string => {
  const { metadata, ...rest } = withoutBookkeeping(object);
  const { [LAST_APPLIED]: _record, ...annotations } = metadata.annotations ?? {};
  const { generation: _counted, ...named } = { generation: 0, ...metadata, annotations };
  return toYaml({ ...rest, metadata: named });
};

const withoutBookkeeping = (object: ApiObject): ApiObject => {
  const { resourceVersion: _version, managedFields: _fields, ...metadata } = object.metadata;
  const { status: _observed, ...rest } = object as ApiObject & { readonly status?: unknown };
  return { ...rest, metadata };
};
