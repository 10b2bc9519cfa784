import { structuredPatch } from 'diff';
import type { ApiObject } from '../../api/types';
import { toYaml } from '../../api/yaml/write';
import { stringifyJson } from '../../lib/json';
import { LAST_APPLIED } from '../last-applied';

/** All of an object but the bookkeeping of the write itself, and what others observe meanwhile. */
export const contentOf = (object: ApiObject): string => stringifyJson(withoutBookkeeping(object));

/** How an object changes, as indented lines of a unified diff of its YAML; empty when it does not. */
export const objectDiff = (before: ApiObject, after: ApiObject): string => {
  const { hunks } = structuredPatch('', '', authored(before), authored(after), '', '', {
    context: 2,
  });
  return hunks.flatMap(({ lines }) => lines.map((line) => `    ${line}\n`)).join('');
};

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
