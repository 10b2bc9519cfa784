import * as fc from 'fast-check';

import { ApiError } from '../../api/errors';
import { KINDS } from '../../api/kinds';
import { decode } from '../../api/schema/decode';
import { extremeObject } from '../../api/schema/testing';
import { applyDefaults, validate, warningsFor } from '../../api/scheme';
import type { ApiObject } from '../../api/types';
import { canonicalJson, parseJson } from '../../lib/json';

const NAMES = KINDS.map(({ resource }) => resource);
const RUNS = { numRuns: 15 };

it.each(NAMES)('$kind decodes to itself once decoded', (name) => {
  fc.assert(
    fc.property(extremeObject(name), (value) => {
      const { object } = decode(name, value);
      expect(canonicalJson(decode(name, object).object)).toBe(canonicalJson(object));
    }),
    RUNS,
  );
});

it.each(NAMES)('$kind is validated without a fault, whatever decodes', (name) => {
  const check = (object: ApiObject, old?: ApiObject, subresource?: string): void => {
    try {
      validate(name, object, old, subresource);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  };
  const prepared = (value: unknown): ApiObject => {
    const { object } = decode(name, value);
    applyDefaults(name, object);
    return object;
  };
  fc.assert(
    fc.property(extremeObject(name), extremeObject(name), (value, other) => {
      const object = prepared(value);
      const old = prepared(other);
      warningsFor(object);
      check(object);
      check(object, old);
      check(object, old, 'status');
      check(parseJson(canonicalJson(object)) as ApiObject, object);
    }),
    RUNS,
  );
});
