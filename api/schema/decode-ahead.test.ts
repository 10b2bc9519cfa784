import fc from 'fast-check';
import { ApiError } from '../errors';
import { CUSTOM_RESOURCE_DEFINITIONS, PODS } from '../resources';
import { ahead, PART_VALUES, type Place } from './decode-ahead';
import { decode, decodeInSteps, type DecodeOptions, type Decoded } from './decode';

type Tree = readonly Tree[];

const trees = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6 },
    fc.constant([]),
    fc.array(tie('tree'), { maxLength: 5 }),
    fc.nat(3000).map((length) => Array.from({ length }, (): Tree => [])),
    fc.tuple(tie('tree'), fc.nat(800)).map(([tree, length]) => Array<Tree>(length).fill(tree)),
  ),
})).tree;

const place = (value: Tree): Place<number> => ({
  ...{ shape: { kind: 'any', goType: '' }, value, path: 0 },
});

it('names parts so that no step is long, and little is left', () => {
  fc.assert(
    fc.property(trees, (tree) => {
      const named = new Set<Place<number>>();
      let placed = 0;
      // Each place anew, so that what stands in two is told apart, and at most as many as are quick.
      const inside = new Map<Place<number>, readonly Place<number>[]>();
      const placesIn = (each: Place<number>) => {
        const all = placed > 50_000 ? [] : (each.value as Tree).map(place);
        placed += all.length;
        inside.set(each, all);
        return all;
      };
      const unnamed = (each: Place<number>): number =>
        1 +
        (inside.get(each) ?? [])
          .filter((inner) => !named.has(inner))
          .reduce((sum, inner) => sum + unnamed(inner), 0);
      let inStep = 0;
      let mostInStep = 0;
      const whole = place(tree);
      const steps = ahead(whole, placesIn, (each) => {
        inStep += unnamed(each);
        named.add(each);
      });
      let step = steps.next();
      for (; step.done !== true; step = steps.next()) {
        mostInStep = Math.max(mostInStep, inStep);
        inStep = 0;
      }
      expect(mostInStep).toBeLessThan(2 * PART_VALUES);
      expect(step.value).toBeLessThan(PART_VALUES);
      expect(step.value).toBe(unnamed(whole));
    }),
    { numRuns: 30 },
  );
});

const definitionWith = (properties: object) => ({
  metadata: { name: 'wides.attack.example' },
  spec: {
    ...{ group: 'attack.example', scope: 'Namespaced' },
    names: { plural: 'wides', kind: 'Wide' },
    versions: [{ name: 'v1', schema: { openAPIV3Schema: { type: 'object', properties } } }],
  },
});

/** Fields by number, some of them wrong, unknown, null, or schemas of their own. */
const fieldsOf = (count: number, odd: Readonly<Record<number, unknown>>) =>
  Object.fromEntries(
    Array.from({ length: count }, (_none, i) => [`f${i}`, odd[i] ?? { type: 'string' }]),
  );

const oddities = fc.constantFrom<unknown>(
  { type: 'string', nosuch: 1 },
  { type: 7 },
  { enum: null, items: [{ type: 'string' }, { nosuch: 2 }] },
  { items: { type: 'object', properties: fieldsOf(2500, { 2499: { unknown: [] } }) } },
  { additionalProperties: false, not: { anyOf: [{ maxLength: 3 }, null] } },
  'text',
);

const whole = (steps: Generator<void, Decoded, void>): Decoded => {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
};

const outcomeOf = (work: () => Decoded): unknown => {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.toStatus();
  }
};

it('makes the same of a value in steps as at once', () => {
  const options = fc.record<DecodeOptions>({
    fieldValidation: fc.constantFrom('Ignore', 'Warn', 'Strict'),
    isPartial: fc.boolean(),
  });
  const odd = fc.dictionary(fc.nat(2999).map(String), oddities, { maxKeys: 3 });
  fc.assert(
    fc.property(odd, options, (some, how) => {
      const value = definitionWith(fieldsOf(3000, some));
      expect(
        outcomeOf(() => whole(decodeInSteps(CUSTOM_RESOURCE_DEFINITIONS, value, how))),
      ).toEqual(outcomeOf(() => decode(CUSTOM_RESOURCE_DEFINITIONS, value, how)));
    }),
    { numRuns: 40 },
  );
});

it('names each place of a value that stands in two', () => {
  const env = Array.from({ length: 1500 }, (_none, i) => ({ name: `N${i}`, nosuch: 1 }));
  const containers = ['a', 'b'].map((name) => ({ name, env: env.slice(0, 3) }));
  const value = { spec: { containers: [...containers, { name: 'c', env }, { name: 'd', env }] } };
  const how = { fieldValidation: 'Warn' } as const;
  expect(whole(decodeInSteps(PODS, value, how))).toEqual(decode(PODS, value, how));
});

it('takes a step for every thousand values of a wide definition', () => {
  const steps = decodeInSteps(CUSTOM_RESOURCE_DEFINITIONS, definitionWith(fieldsOf(20_000, {})));
  let count = 0;
  while (steps.next().done !== true) count++;
  // 20,000 fields of two values each.
  expect(count).toBe(Math.floor(40_000 / PART_VALUES));
});
