import { parseJson, stringifyJson } from '../lib/json';
import type { ApiObject, Node } from './types';

/**
 * Which agent has the node's name, and which keys may act as the node: JSON on the Node itself, so
 * that it ends with the node. Written by the server alone.
 */
export const NODE_IDENTITY_ANNOTATION = 'dhow.dev/node-identity';

export interface NodeIdentityRecord {
  /** SHA-256, in hex, of what the agent keeps to be known by when it joins again. */
  readonly agent: string;
  /** SHA-256, in hex, of the public keys of its last certificates, the newest first. */
  readonly keys: readonly string[];
  /** SHA-256, in hex, of the key of the authority that signed the newest of these. */
  readonly authority?: string;
}

/** Undefined when no agent has claimed the node by this record. */
export const nodeIdentityOf = ({ metadata }: ApiObject): NodeIdentityRecord | undefined => {
  const text = metadata.annotations?.[NODE_IDENTITY_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const { agent, keys, authority } = parseJson(text) as Partial<NodeIdentityRecord>;
    if (typeof agent === 'string' && Array.isArray(keys))
      return {
        ...{ agent, keys: keys.map(String) },
        ...(typeof authority === 'string' ? { authority } : {}),
      };
  } catch {
    // Nobody is known by it, below.
  }
  return { agent: '', keys: [] };
};

/** The annotations of a node with one more key: a few older ones stay, for an answer may get lost. */
export const withNodeKey = (
  { metadata: { annotations } }: Pick<ApiObject, 'metadata'>,
  agent: string,
  { key, authority }: { readonly key: string; readonly authority?: string | undefined },
  known: readonly string[],
): Readonly<Record<string, string>> => {
  const keys = [...new Set([key, ...known])].slice(0, KEYS_MAX);
  const record: NodeIdentityRecord = {
    ...{ agent, keys },
    ...(authority === undefined ? {} : { authority }),
  };
  return { ...annotations, [NODE_IDENTITY_ANNOTATION]: stringifyJson(record) };
};

/** What a node whose certificate has ended signs to get the next one for a request (DER). */
export const rejoinProofOf = (certificateRequest: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from('dhow-rejoin\0'), certificateRequest]);

/**
 * May who holds this key act as the node? Not once the Node has been deleted, for that is how an
 * administrator takes a machine out; nor before an agent has claimed the name.
 */
export const isNodeKey = (node: ApiObject | undefined, key: string): boolean => {
  if (node === undefined) return false;
  const record = nodeIdentityOf(node);
  // Nodes of before there were records: their range says that an agent has the name.
  return record === undefined ? isClaimed(node as Node) : record.keys.includes(key);
};

/** Has an agent taken the name? An administrator may make a Node before its agent joins. */
export const isClaimed = (node: Node): boolean =>
  nodeIdentityOf(node) !== undefined ||
  (node.spec as Node['spec'] | undefined)?.podCIDR !== undefined;

const KEYS_MAX = 3;
