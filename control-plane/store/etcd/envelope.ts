import { randomBytes } from 'node:crypto';
import type { EncodedObject } from '../object-codec';
import { parseJson, stringifyJson } from '../../../lib/json';
import type { ValueCipher } from '../encryption/value-cipher';

/**
 * What is stored under an object's key:
 *
 *     byte 0      format: 1 in the clear, 2 encrypted
 *     byte 1      index of the write within its batch: etcd does not tell it to readers
 *     bytes 2-5   where the resourceVersion goes in the JSON
 *     bytes 6-17  identity of the write: tells our own write from another's after a lost reply
 *     byte 18-    JSON, or what a `ValueCipher` made of it
 */
export class Envelopes {
  /** @param cipher Without it nothing is encrypted, and nothing that is can be read. */
  constructor(private readonly cipher?: ValueCipher) {}

  /** @param key The object's in etcd. */
  seal(resource: string, key: Uint8Array, { json, versionOffset }: EncodedObject): Buffer {
    const header = Buffer.alloc(HEADER_BYTES);
    header[0] = FORMAT;
    header.writeUInt32BE(versionOffset, 2);
    writeIdentity(header);
    if (this.cipher?.covers(resource) !== true) return Buffer.concat([header, json]);
    header[0] = ENCRYPTED_FORMAT;
    return Buffer.concat([header, this.cipher.seal(json, contextOf(key, header))]);
  }

  /** Undefined when the value is not ours: written by hand, by a later release, or with a lost key. */
  open(key: Uint8Array, value: Uint8Array): OpenedObject | undefined {
    const index = indexIn(value);
    if (index === undefined) return undefined;
    const rest = value.subarray(HEADER_BYTES);
    const isEncrypted = value[0] === ENCRYPTED_FORMAT;
    const json = isEncrypted ? this.cipher?.open(rest, contextOf(key, value)) : rest;
    const versionOffset = new DataView(value.buffer, value.byteOffset, HEADER_BYTES).getUint32(2);
    if (json === undefined || versionOffset > json.length) return undefined;
    return { index, versionOffset, json };
  }

  /** Is it as it would be written today? */
  isCurrent(resource: string, value: Uint8Array): boolean {
    const keyId = this.keyIdOf(value);
    return this.cipher?.covers(resource) === true
      ? keyId === this.cipher.currentKeyId
      : keyId === undefined;
  }

  /** With which key it is encrypted; undefined for what is not. */
  keyIdOf(value: Uint8Array): string | undefined {
    return value[0] === ENCRYPTED_FORMAT
      ? this.cipher?.keyIdOf(value.subarray(HEADER_BYTES))
      : undefined;
  }
}

export interface OpenedObject extends EncodedObject {
  readonly index: number;
}

/** The index of a write within its batch; undefined when the value is not ours. */
export const indexIn = (value: Uint8Array): number | undefined => {
  const isOurs = value[0] === FORMAT || value[0] === ENCRYPTED_FORMAT;
  return isOurs && value.length > HEADER_BYTES ? value[1] : undefined;
};

export const setIndex = (value: Uint8Array, index: number): void => {
  value[1] = index;
};

/** True when both values come from one call of `seal`, at whatever index. */
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
const ENCRYPTED_FORMAT = 2;
const HEADER_BYTES = 18;

/** Where a value belongs, and all of its header that does not change on the way. */
const contextOf = (key: Uint8Array, header: Uint8Array): Buffer =>
  Buffer.concat([key, header.subarray(2, HEADER_BYTES)]);

const PROCESS_IDENTITY = randomBytes(6);
let writeCount = 0;

const writeIdentity = (value: Buffer): void => {
  value.set(PROCESS_IDENTITY, 6);
  writeCount = (writeCount + 1) % 2 ** 48;
  value.writeUIntBE(writeCount, 12, 6);
};
