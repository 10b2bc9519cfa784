import { isIP } from 'node:net';
import { z } from 'zod';
import { parseJson, stringifyJson } from '../../../lib/json';
import type { KeyValue } from '../../../proto/gen/etcd/kv';
import { SERVERS_PREFIX } from './keys';

/** Where something listens. */
export interface ServerAddress {
  /** An address of IP, or a name. */
  readonly host: string;
  readonly port: number;
}

/** What a server says of itself to the others of its cluster. */
export interface ServerSelf {
  readonly api: ServerAddress;
  /** Of the agents' port, where other servers ask as well. */
  readonly agents: ServerAddress;
  /** Of its machine: for people. */
  readonly hostName: string;
  readonly version: string;
  /** When it started, of UTC. */
  readonly sinceMs: number;
}

/** One live server of a cluster. */
export interface ServerRecord extends ServerSelf {
  /** It keeps this over restarts. */
  readonly id: string;
  /** Of this start of it. */
  readonly instance: string;
}

/** A row of the registry, as it is stored. */
export type RegistryRow =
  | { readonly type: 'server'; readonly id: string; readonly record: ServerRecord }
  /** The server which has the session of the node. */
  | { readonly type: 'node'; readonly nodeName: string; readonly serverId: string };

export const serverKey = (id: string): Buffer =>
  Buffer.concat([SERVERS_PREFIX, Buffer.from(requireId(id))]);

export const nodeKey = (nodeName: string): Buffer =>
  Buffer.concat([SERVERS_PREFIX, Buffer.from(NODES + nodeName)]);

export const encodeServer = ({ id: _id, ...record }: ServerRecord): Buffer =>
  Buffer.from(stringifyJson(record));

export const encodeHolder = (serverId: string): Buffer =>
  Buffer.from(stringifyJson({ server: serverId }));

/** Which row has this key; undefined for a key of no row. */
export const nameOfRow = (
  key: Buffer,
):
  | { readonly type: 'server'; readonly id: string }
  | { readonly type: 'node'; readonly nodeName: string }
  | undefined => {
  const name = key.subarray(SERVERS_PREFIX.length).toString('utf8');
  if (SERVER_ID.test(name)) return { type: 'server', id: name };
  const nodeName = name.startsWith(NODES) ? name.slice(NODES.length) : '';
  return NODE_NAME.test(nodeName) ? { type: 'node', nodeName } : undefined;
};

/** Undefined where it is none, or not as this release writes them: another server wrote it. */
export const decodeRow = ({
  key,
  value,
}: Pick<KeyValue, 'key' | 'value'>): RegistryRow | undefined => {
  const named = nameOfRow(key);
  if (named === undefined || value.length > ROW_BYTES_MAX) return undefined;
  try {
    const parsed: unknown = parseJson(value.toString('utf8'));
    if (named.type === 'node') return { ...named, serverId: HOLDER.parse(parsed).server };
    return { ...named, record: { id: named.id, ...SERVER.parse(parsed) } };
  } catch {
    return undefined;
  }
};

const requireId = (id: string): string => {
  if (!SERVER_ID.test(id)) throw new Error(`"${id}" is no identity of a server`);
  return id;
};

const NODES = 'nodes/';
const SERVER_ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;
const NODE_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const HOST_NAME = /^[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?$/;
const ROW_BYTES_MAX = 4096;

const address = z.object({
  host: z
    .string()
    .max(253)
    .refine((host) => isIP(host) !== 0 || HOST_NAME.test(host)),
  port: z.number().int().min(1).max(65_535),
});
const line = z.string().regex(/^[\x20-\x7e]{0,253}$/);
const SERVER = z.object({
  instance: line,
  api: address,
  agents: address,
  hostName: line,
  version: line,
  sinceMs: z.number().int().min(0).max(8.64e15),
});
const HOLDER = z.object({ server: z.string().regex(SERVER_ID) });
