import type { ApiObject } from '../../../api/types';
import { stringifyJson } from '../../../lib/json';

/** An object and its JSON, ready for the wire. A `StoredObject` is one. */
export interface Item {
  readonly object: ApiObject;
  readonly raw: Uint8Array;
}

/** An item for an object that is not stored: a dry run, a virtual kind. */
export const itemOf = (object: ApiObject): Item => new EncodedItem(object);

class EncodedItem implements Item {
  private encoded: Uint8Array | undefined;

  constructor(readonly object: ApiObject) {}

  get raw(): Uint8Array {
    return (this.encoded ??= Buffer.from(stringifyJson(this.object)));
  }
}

/** The version of an item as a number; 0 when it has none. */
export const versionOf = ({ metadata }: ApiObject): number => Number(metadata.resourceVersion ?? 0);
