import { cloneJson, jsonEqual } from '../json-value';
import { stringifyJson, isJsonObject } from '../../lib/json';
import { ApiError } from '../errors';
import type { Json } from './json';

/**
 * RFC 6902. Returns a new document; the given one stays.
 * @throws ApiError Invalid when an operation does not apply, BadRequest when it is none
 */
export const applyJsonPatch = (document: unknown, operations: unknown): unknown => {
  if (!Array.isArray(operations)) {
    throw new ApiError(
      'BadRequest',
      `json: cannot unmarshal ${isJsonObject(operations) ? 'object' : typeof operations} into Go value of type jsonpatch.Patch`,
    );
  }
  if (operations.length > OPERATIONS_MAX) {
    throw new ApiError(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${operations.length}`,
    );
  }
  return new JsonPatcher(document).apply(operations);
};

const OPERATIONS_MAX = 10_000;
/** Copies may double a document again and again: their sum is bounded. */
const COPIED_BYTES_MAX = 3 * 1024 * 1024;

/** Upstream says no more than this about a patch that does not apply. */
/** The cause of the refusal when an operation `test` found something else. */
export class PatchTestError extends Error {
  override readonly name = 'PatchTestError';

  constructor() {
    super('a test failed');
  }
}

const rejected = (cause: string | Error): ApiError =>
  new ApiError('Invalid', 'the server rejected our request due to an error in our request', {
    details: {},
    cause: typeof cause === 'string' ? new Error(cause) : cause,
  });

type Container = unknown[] | Record<string, unknown>;

class JsonPatcher {
  private root: unknown;
  private copiedBytes = 0;

  constructor(document: unknown) {
    this.root = cloneJson(document);
  }

  apply(operations: readonly unknown[]): unknown {
    for (const operation of operations) {
      if (!isJsonObject(operation)) throw rejected('an operation is no object');
      this.applyOne(operation);
    }
    return this.root;
  }

  private applyOne(operation: Json): void {
    const path = segmentsOf(operation['path']);
    switch (operation['op']) {
      case 'add':
        this.add(path, cloneJson(valueOf(operation)));
        return;
      case 'remove':
        this.remove(path);
        return;
      case 'replace':
        this.get(path);
        this.replace(path, cloneJson(valueOf(operation)));
        return;
      case 'move':
        this.add(path, this.remove(segmentsOf(operation['from'])));
        return;
      case 'copy':
        this.add(path, this.copyOf(segmentsOf(operation['from'])));
        return;
      case 'test':
        this.test(path, operation['value'] ?? null);
        return;
      default:
        throw rejected('unknown operation');
    }
  }

  private test(path: readonly string[], value: unknown): void {
    const found = this.find(path) ?? null;
    if (!jsonEqual(found, value)) throw rejected(new PatchTestError());
  }

  private copyOf(path: readonly string[]): unknown {
    const value = this.get(path);
    this.copiedBytes += stringifyJson(value).length;
    if (this.copiedBytes > COPIED_BYTES_MAX) throw rejected('copies grow too large');
    return cloneJson(value);
  }

  private find(path: readonly string[]): unknown {
    return path.reduce<unknown>((current, segment) => {
      if (Array.isArray(current)) return INDEX.test(segment) ? current[Number(segment)] : undefined;
      return isJsonObject(current) && Object.hasOwn(current, segment)
        ? current[segment]
        : undefined;
    }, this.root);
  }

  private get(path: readonly string[]): unknown {
    const value = this.find(path);
    if (value === undefined) throw rejected(`missing value at /${path.join('/')}`);
    return value;
  }

  private parentOf(path: readonly string[]): Container {
    const parent = this.get(path.slice(0, -1));
    if (typeof parent !== 'object' || parent === null) throw rejected('no container');
    return parent as Container;
  }

  private add(path: readonly string[], value: unknown): void {
    const key = path.at(-1);
    if (key === undefined) {
      this.root = value;
      return;
    }
    const parent = this.parentOf(path);
    if (Array.isArray(parent)) parent.splice(indexIn(parent, key, parent.length), 0, value);
    else setMember(parent, key, value);
  }

  private replace(path: readonly string[], value: unknown): void {
    const key = path.at(-1);
    if (key === undefined) {
      this.root = value;
      return;
    }
    const parent = this.parentOf(path);
    if (Array.isArray(parent)) parent[indexIn(parent, key, parent.length - 1)] = value;
    else setMember(parent, key, value);
  }

  private remove(path: readonly string[]): unknown {
    const value = this.get(path);
    const key = path.at(-1);
    if (key === undefined) throw rejected('the whole document cannot be removed');
    const parent = this.parentOf(path);
    if (Array.isArray(parent)) parent.splice(indexIn(parent, key, parent.length - 1), 1);
    else Reflect.deleteProperty(parent, key);
    return value;
  }
}

const INDEX = /^(?:0|[1-9]\d*)$/;

const indexIn = (list: readonly unknown[], key: string, max: number): number => {
  if (key === '-') return list.length;
  if (!INDEX.test(key) || Number(key) > max) throw rejected('an index is out of bounds');
  return Number(key);
};

/** Makes an own property of any name: plain assignment of `__proto__` would not. */
const setMember = (object: Record<string, unknown>, key: string, value: unknown): void => {
  Object.defineProperty(object, key, {
    value,
    configurable: true,
    enumerable: true,
    writable: true,
  });
};

const valueOf = (operation: Json): unknown => {
  if (!Object.hasOwn(operation, 'value')) throw rejected('an operation lacks its value');
  return operation['value'];
};

const segmentsOf = (pointer: unknown): readonly string[] => {
  if (pointer === '') return [];
  if (typeof pointer !== 'string' || !pointer.startsWith('/')) throw rejected('no JSON pointer');
  return pointer
    .slice(1)
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
};
