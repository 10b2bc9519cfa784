import * as fc from 'fast-check';

import { ApiError } from '../../api/errors';
import { checkFields, matchesFields, parseFieldSelector } from '../../api/field-selectors';
import { KINDS } from '../../api/kinds';
import {
  applyPatch,
  JSON_PATCH,
  MERGE_PATCH,
  PATCH_TYPES,
  STRATEGIC_MERGE_PATCH,
} from '../../api/patch/patch';
import { threeWayPatch } from '../../api/patch/three-way';
import { amountsOf } from '../../api/pods';
import {
  bytesOf,
  canonicalQuantity,
  compareQuantities,
  cpuMillisOf,
  parseQuantity,
  QuantityError,
} from '../../api/quantity';
import { convert, decode, DecodeError } from '../../api/schema/decode';
import { extremeObject } from '../../api/schema/testing';
import { applyDefaults, validate, warningsFor } from '../../api/scheme';
import {
  formatRequirement,
  matchesLabelSelector,
  matchesRequirements,
  parseLabelSelector,
  SelectorError,
} from '../../api/selectors';
import type { ApiObject } from '../../api/types';
import { canonicalJson, parseJson } from '../../lib/json';

/*
 * What clients send as patch, quantity or selector is taken, or refused as their mistake: no other
 * error comes out, and nothing of it reaches the prototypes. From one seed; DHOW_FUZZ_RUNS=100000 makes
 * a campaign of it.
 */

const RUNS = Number(process.env['DHOW_FUZZ_RUNS'] ?? 300);
const OPTIONS = {
  numRuns: RUNS,
  ...(process.env['DHOW_FUZZ_RUNS'] === undefined ? { seed: 1 } : {}),
};
const PATCHES = { ...OPTIONS, numRuns: Math.ceil(RUNS / 20) };

afterAll(() => {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

/** Runs `work`, and throws what is not said to be the client's mistake. */
const forgiving = (work: () => void, ...mistakes: readonly (new (...args: never[]) => Error)[]) => {
  try {
    work();
  } catch (error) {
    const isTheirs = error instanceof ApiError && error.code >= 400 && error.code < 500;
    if (!isTheirs && !mistakes.some((each) => error instanceof each)) throw error;
  }
};

describe('quantities', () => {
  const piece = fc.constantFrom(
    ...['0', '1', '9', '-', '+', '.', 'e', 'E', 'm', 'n', 'u', 'k', 'M', 'G', 'Ki', 'Mi', 'Ei'],
    ...['99999999999999999999', '1e', 'e-9', 'e999999999', ' ', '\u0000', 'é', '0x', 'NaN', 'Inf'],
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('')),
    fc.string({ maxLength: 30 }),
  );
  const given = fc.oneof(text, fc.double(), fc.integer());

  it('are read to the end, or refused', () => {
    fc.assert(
      fc.property(given, given, (one, other) =>
        forgiving(() => {
          const canonical = canonicalQuantity(one);
          expect(canonicalQuantity(canonical)).toBe(canonical);
          expect(compareQuantities(parseQuantity(one), parseQuantity(canonical))).toBe(0);
          for (const count of [cpuMillisOf(one), bytesOf(one)]) expect(count).not.toBeNaN();
          const list = { cpu: one, memory: other, 'x.y/z': one };
          expect(Object.values(amountsOf(list).others).some(Number.isNaN)).toBe(false);
        }, QuantityError),
      ),
      { ...OPTIONS, numRuns: RUNS * 10 },
    );
  });
});

describe('selectors', () => {
  const word = fc.constantFrom(
    ...[
      'a',
      'app',
      'x.y/z',
      'in',
      'notin',
      'exists',
      '(',
      ')',
      ',',
      '=',
      '==',
      '!=',
      '!',
      '>',
      '<',
    ],
    ...[' ', '1', '-5', '__proto__', 'constructor', '\\', '\\,', '\u0000', 'é', 'a'.repeat(64)],
  );
  const text = fc.oneof(
    fc.array(word, { maxLength: 12 }).map((words) => words.join('')),
    fc.string({ maxLength: 40 }),
  );
  const labels = fc.constantFrom<Readonly<Record<string, string>>>(
    {},
    { app: 'a', 'x.y/z': '1' },
    Object.fromEntries([['__proto__', 'a']]),
  );

  it('of labels are read, or refused', () => {
    fc.assert(
      fc.property(text, labels, (selector, own) =>
        forgiving(() => {
          const terms = parseLabelSelector(selector);
          const again = parseLabelSelector(terms.map(formatRequirement).join(','));
          expect(matchesRequirements(again, own)).toBe(matchesRequirements(terms, own));
        }, SelectorError),
      ),
      { ...OPTIONS, numRuns: RUNS * 10 },
    );
  });

  it('of fields are read, or refused', () => {
    fc.assert(
      fc.property(text, (selector) =>
        forgiving(() => {
          const terms = parseFieldSelector(selector);
          matchesFields(terms, () => 'a');
          checkFields(terms, ['app']);
        }, SelectorError),
      ),
      { ...OPTIONS, numRuns: RUNS * 10 },
    );
  });

  it('that are objects match, or do not', () => {
    const term = fc.record({
      key: word,
      operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', ''),
      values: fc.array(word, { maxLength: 3 }),
    });
    const selector = fc.record(
      {
        matchLabels: fc.dictionary(word, word),
        matchExpressions: fc.array(term, { maxLength: 3 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(selector, labels, (given, own) =>
        forgiving(() => void matchesLabelSelector(given, own), SelectorError),
      ),
      OPTIONS,
    );
  });
});

describe('patches', () => {
  const odd = fc.oneof(
    fc.constantFrom<unknown>(
      ...[null, '', 0, -1, 1.5, 2n ** 63n - 1n, true, [], {}, [null], [[]], '__proto__'],
      ...[{ $patch: 'delete' }, { $patch: 'replace' }, { $patch: 'x' }, [{ $patch: 'replace' }]],
      ...[{ $retainKeys: ['a'] }, { $retainKeys: 1 }, { name: 'c', $patch: 'delete' }],
      parseJson('{"__proto__":{"polluted":true}}'),
      parseJson('{"constructor":{"prototype":{"polluted":true}}}'),
    ),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const key = fc.constantFrom(
    ...['metadata', 'spec', 'containers', 'name', 'labels', 'ports', 'template', 'volumes', 'env'],
    ...['$patch', '$retainKeys', '$setElementOrder/containers', '$deleteFromPrimitiveList/args'],
    ...['$setElementOrder/', '__proto__', 'constructor', '0', '-', '~1', '~', '', 'finalizers'],
  );
  const tree = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      odd,
      fc.array(fc.tuple(key, tie('tree')), { maxLength: 4 }).map(Object.fromEntries),
      fc.array(tie('tree'), { maxLength: 3 }),
    ),
  })).tree;
  const pointer = fc
    .array(key, { maxLength: 5 })
    .map((keys) => keys.map((each) => `/${each}`).join(''));
  const operations = fc.array(
    fc.record(
      {
        op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', ''),
        path: fc.oneof(pointer, fc.constant('x')),
        from: pointer,
        value: odd,
      },
      { requiredKeys: ['op'] },
    ),
    { maxLength: 5 },
  );

  it.each(KINDS.map(({ resource }) => resource))('of a $kind are taken, or refused', (resource) => {
    const taken = (type: string, old: ApiObject, patch: unknown) =>
      forgiving(() => {
        const patched = applyPatch(resource, type, old, patch);
        const { object } = convert(resource, patched, { fieldValidation: 'Warn' });
        applyDefaults(resource, object);
        warningsFor(object);
        validate(resource, object, old);
      }, DecodeError);
    fc.assert(
      fc.property(
        ...([extremeObject(resource), extremeObject(resource), tree, operations] as const),
        (one, other, patch, list) => {
          const old = decode(resource, one).object;
          const before = canonicalJson(old);
          for (const type of PATCH_TYPES) taken(type, old, patch);
          taken(JSON_PATCH, old, list);
          taken(MERGE_PATCH, old, other);
          taken(STRATEGIC_MERGE_PATCH, old, other);
          forgiving(() => {
            const wanted = decode(resource, other).object;
            const both = threeWayPatch(resource, { ...old }, { ...wanted }, { ...old });
            taken(STRATEGIC_MERGE_PATCH, old, both);
          });
          expect(canonicalJson(old)).toBe(before);
        },
      ),
      PATCHES,
    );
  });
});
