import { ApiError } from '../../../api/errors';
import type { StoreKey } from '../store';

/**
 * Keys in etcd: `/dhow/registry/<resource>/<namespace>/<name>`, or without the namespace. The
 * resource's head has an empty namespace and an empty name, so no object can take its key.
 */
export const encodeKey = ({ resource, namespace, name }: StoreKey): Buffer => {
  for (const segment of [resource, name]) assertSegment(segment);
  if (namespace === '') return Buffer.from(`${prefixOf(resource)}${name}`);
  assertSegment(namespace);
  return Buffer.from(`${prefixOf(resource)}${namespace}/${name}`);
};

/** Undefined for a key that names no object. */
export const decodeKey = (resource: string, key: Uint8Array): StoreKey | undefined => {
  const path = bufferOf(key).toString('utf8', prefixOf(resource).length).split('/');
  if (path.length > 2 || path.includes('')) return undefined;
  const [first = '', second] = path;
  return second === undefined
    ? { resource, namespace: '', name: first }
    : { resource, namespace: first, name: second };
};

/** The key that every batch touching `resource` writes, whatever came of it. */
export const headKey = (resource: string): Buffer => Buffer.from(`${prefixOf(resource)}/head`);

/** The range of all keys of one resource, its head included. */
export const rangeOf = (resource: string): { key: Buffer; rangeEnd: Buffer } => {
  return rangeUnder(Buffer.from(prefixOf(resource)));
};

export const LEADER_KEY = Buffer.from('/dhow/leader');

/** Which cluster this is the store of. */
export const STORE_ID_KEY = Buffer.from('/dhow/store-id');

/** How it is written: see store-schema.ts. */
export const STORE_SCHEMA_KEY = Buffer.from('/dhow/schema');

/** Of each server that lives, by its identity, and of each node that has a session, by its name. */
export const SERVERS_PREFIX = Buffer.from('/dhow/servers/');

/** The range of all keys that begin with `prefix`, which ends in a slash. */
export const rangeUnder = (prefix: Buffer): { key: Buffer; rangeEnd: Buffer } => ({
  key: prefix,
  rangeEnd: prefixEnd(prefix),
});

/** One of these for each time that this store was restored from a snapshot. */
export const RESTORED_PREFIX = Buffer.from('/dhow/restored/');

const prefixOf = (resource: string): string => `/dhow/registry/${resource}/`;

/** The first key after all that begin with `prefix`, which ends in a slash. */
const prefixEnd = (prefix: Buffer): Buffer => {
  const end = Buffer.from(prefix);
  end[end.length - 1] = '/'.charCodeAt(0) + 1;
  return end;
};

const assertSegment = (segment: string): void => {
  if (segment === '' || segment.includes('/') || segment === '.' || segment === '..')
    throw new ApiError('BadRequest', `${JSON.stringify(segment)} cannot be part of a key`);
};

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
