import { randomBytes } from 'node:crypto';
import type { EncodedObject } from '../object-codec';
import { parseJson, stringifyJson } from '../../../lib/json';

/**
 * What is stored under an object's key:
 *
 *     byte 0      format, 1
 *     byte 1      index of the write within its batch: etcd does not tell it to readers
 *     bytes 2-5   where the resourceVersion goes in the JSON
 *     bytes 6-17  identity of the write: tells our own write from another's after a lost reply
 *     byte 18-    JSON
 */
export const sealObject = ({ json, versionOffset }: EncodedObject): Buffer => {
  const value = Buffer.allocUnsafe(HEADER_BYTES + json.length);
  value[0] = FORMAT;
  value[1] = 0;
  value.writeUInt32BE(versionOffset, 2);
  writeIdentity(value);
  value.set(json, HEADER_BYTES);
  return value;
};

export interface OpenedObject extends EncodedObject {
  readonly index: number;
}

/** Undefined when the value is not ours: written by hand, or by a later release. */
export const openObject = (value: Uint8Array): OpenedObject | undefined => {
  if (value[0] !== FORMAT || value.length <= HEADER_BYTES) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, HEADER_BYTES);
  const versionOffset = view.getUint32(2);
  if (versionOffset > value.length - HEADER_BYTES) return undefined;
  return { index: view.getUint8(1), versionOffset, json: value.subarray(HEADER_BYTES) };
};

export const setIndex = (value: Uint8Array, index: number): void => {
  value[1] = index;
};

/** True when both values come from one call of `sealObject`, at whatever index. */
export const isSameWrite = (a: Uint8Array, b: Uint8Array): boolean =>
  Buffer.compare(a.subarray(6, HEADER_BYTES), b.subarray(6, HEADER_BYTES)) === 0;

/** Which keys a batch means to delete, by index: a deletion leaves no value to hold its own. */
export type DeletionIndexes = ReadonlyMap<string, number>;

export const encodeHead = (deletions: DeletionIndexes): Buffer =>
  Buffer.from(stringifyJson(Object.fromEntries(deletions)));

/** Empty for a value that is not ours. */
export const decodeHead = (value: Uint8Array): DeletionIndexes => {
  try {
    const parsed: unknown = parseJson(Buffer.from(value).toString());
    return new Map(Object.entries(parsed as Record<string, number>));
  } catch {
    return new Map();
  }
};

const FORMAT = 1;
const HEADER_BYTES = 18;

const PROCESS_IDENTITY = randomBytes(6);
let writeCount = 0;

const writeIdentity = (value: Buffer): void => {
  value.set(PROCESS_IDENTITY, 6);
  writeCount = (writeCount + 1) % 2 ** 48;
  value.writeUIntBE(writeCount, 12, 6);
};
