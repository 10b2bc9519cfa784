import type { ApiObject } from '../../../api/types';
import { stringifyJson } from '../../../lib/json';
import type { StoredObject } from '../../store/store';

/**
 * Shows what is stored as `change` has it, each state once. What `change` gives back itself is served
 * from the bytes that are stored.
 */
export const presentedBy = (
  change: (object: ApiObject) => ApiObject,
): ((stored: StoredObject) => StoredObject) => {
  const presented = new WeakMap<StoredObject, StoredObject>();
  return (stored) => {
    let known = presented.get(stored);
    if (known === undefined) {
      const object = change(stored.object);
      known = object === stored.object ? stored : new PresentedObject(stored, object);
      presented.set(stored, known);
    }
    return known;
  };
};

/** An object that is served as something else than it is stored as. */
class PresentedObject implements StoredObject {
  readonly key: StoredObject['key'];
  readonly resourceVersion: number;
  private encoded: Uint8Array | undefined;

  constructor(
    stored: StoredObject,
    readonly object: ApiObject,
  ) {
    this.key = stored.key;
    this.resourceVersion = stored.resourceVersion;
  }

  get raw(): Uint8Array {
    return (this.encoded ??= Buffer.from(stringifyJson(this.object)));
  }
}
