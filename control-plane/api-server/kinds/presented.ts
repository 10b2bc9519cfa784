import { defaulted, DefaultsTooLargeError } from '../../../api/custom-resources/defaults';
import type { Json, JsonSchema } from '../../../api/structural/json-schema';
import { pruned, withoutNulls } from '../../../api/structural/prune';
import type { ApiObject } from '../../../api/types';
import { isJsonObject, stringifyJson } from '../../../lib/json';
import type { StoredObject } from '../../store/store';

/**
 * What is stored, as a version has it: named by it, without what its schema does not name, with its
 * defaults. What was written under the same schema comes back itself, bytes and all.
 */
export const presenter = (
  apiVersion: string,
  schema: JsonSchema,
): ((stored: StoredObject) => StoredObject) =>
  presentedBy((object) =>
    asVersion(object, apiVersion, (rest) => defaultedIfFits(rest, schema), schema),
  );

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

/** An object named by a version, without what its schema does not name. */
export const storer =
  (apiVersion: string, schema: JsonSchema) =>
  (object: ApiObject): ApiObject =>
    asVersion(object, apiVersion, (rest) => rest, schema);

/** With the defaults of its own version, as what is read from the store has them. */
export const withStoredDefaults = (object: ApiObject, schema: JsonSchema): ApiObject =>
  asVersion(object, object.apiVersion, (rest) => defaultedIfFits(rest, schema), schema);

/** What was stored before its schema came to have so many defaults stays readable, without them. */
const defaultedIfFits = (rest: Json, schema: JsonSchema): Json => {
  try {
    return defaulted(rest, schema);
  } catch (error) {
    if (error instanceof DefaultsTooLargeError) return rest;
    throw error;
  }
};

const asVersion = (
  object: ApiObject,
  apiVersion: string,
  complete: (rest: Json) => Json,
  schema: JsonSchema,
): ApiObject => {
  const { apiVersion: stored, kind, metadata, ...rest } = object as ApiObject & Json;
  const known = withoutNulls(pruned(rest, schema), schema);
  const whole = complete(isJsonObject(known) ? known : {});
  if (stored === apiVersion && whole === rest) return object;
  return { apiVersion, kind, metadata, ...whole };
};

/** An object that is served as something else than it is stored as. */
export class PresentedObject implements StoredObject {
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
