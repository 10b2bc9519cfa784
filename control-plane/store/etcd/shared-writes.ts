import { decodeObject, type EncodedObject } from '../object-codec';
import type { StoredObject, StoreKey } from '../store';
import { isSameWrite } from './envelope';

/**
 * What this process writes comes back to it twice, as an answer and as an event of its own watch, in
 * either order. Both are given one object, so that it is put together and parsed once.
 */
export class SharedWrites {
  private readonly entries = new Map<string, Entry>();
  private bytes = 0;

  /** To be called before the write: its event may come before its answer. */
  begin(key: StoreKey, value: Buffer, encoded: EncodedObject): SharedWrite {
    const name = nameOf(key);
    this.drop(name);
    const entry: Entry = { key, value, encoded, stored: undefined };
    this.entries.set(name, entry);
    this.bytes += value.length;
    this.trim();
    return { stored: (version) => storedOf(entry, version) };
  }

  /** What a watcher has received, if it is the last that was written here under that key. */
  take(key: StoreKey, value: Uint8Array, version: number): StoredObject | undefined {
    const name = nameOf(key);
    const entry = this.entries.get(name);
    // Only the index of the write within its batch is set on the way.
    if (entry === undefined || !isSameWrite(entry.value, value)) return undefined;
    this.drop(name);
    return isSameContent(entry.value, value) ? storedOf(entry, version) : undefined;
  }

  private drop(name: string): void {
    const entry = this.entries.get(name);
    if (entry === undefined) return;
    this.entries.delete(name);
    this.bytes -= entry.value.length;
  }

  /** Without a watch, or when a write fails, nobody takes what is here. */
  private trim(): void {
    for (const name of this.entries.keys()) {
      if (this.entries.size <= COUNT_MAX && this.bytes <= BYTES_MAX) return;
      this.drop(name);
    }
  }
}

export interface SharedWrite {
  /** The object as it was written at a version. */
  stored(version: number): StoredObject;
}

interface Entry {
  readonly key: StoreKey;
  /** As it was sent. */
  readonly value: Buffer;
  readonly encoded: EncodedObject;
  stored: StoredObject | undefined;
}

const storedOf = (entry: Entry, version: number): StoredObject => {
  if (entry.stored?.resourceVersion !== version)
    entry.stored = decodeObject(entry.key, entry.encoded, version);
  return entry.stored;
};

/** All but the index of the batch, which stands in the second byte. */
const isSameContent = (sent: Buffer, received: Uint8Array): boolean =>
  sent.length === received.length && Buffer.compare(sent.subarray(2), received.subarray(2)) === 0;

/** A name holds no slash; a resource and a namespace neither. */
const nameOf = ({ resource, namespace, name }: StoreKey): string =>
  `${resource}/${namespace}/${name}`;

const COUNT_MAX = 1024;
const BYTES_MAX = 8 * 1024 * 1024;
