import fc from 'fast-check';
import {
  difference,
  equalSets,
  intersection,
  isEmptySet,
  NO_FIELDS,
  pathsOf,
  setOf,
  union,
  type FieldSet,
} from './field-set';
import { decodeFields, encodeFields, FieldsV1Error, textOfPath } from './fields-v1';

const step = fc.oneof(
  fc.constantFrom('f:a', 'f:b', 'f:a.b', 'k:{"name":"c"}', 'v:"x"', 'v:1', 'i:0'),
  fc.string({ maxLength: 3 }).map((name) => `f:${name}`),
);
const fieldSet: fc.Arbitrary<FieldSet> = fc
  .array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 8 })
  .map(setOf);

describe('a set of fields', () => {
  it('comes back from the wire as it went', () => {
    fc.assert(
      fc.property(fieldSet, (set) =>
        equalSets(decodeFields(JSON.parse(JSON.stringify(encodeFields(set)))), set),
      ),
    );
  });

  it('obeys the laws of sets', () => {
    fc.assert(
      fc.property(fieldSet, fieldSet, (a, b) => {
        expect(equalSets(union(a, b), union(b, a))).toBe(true);
        expect(equalSets(union(difference(a, b), intersection(a, b)), a)).toBe(true);
        expect(isEmptySet(intersection(difference(a, b), b))).toBe(true);
        expect(isEmptySet(difference(a, a))).toBe(true);
        expect(equalSets(union(a, NO_FIELDS), a)).toBe(true);
      }),
    );
  });

  it('holds exactly the paths that were put in', () => {
    const paths = [['f:spec', 'f:replicas'], ['f:spec'], ['f:metadata', 'f:labels', 'f:app']];
    expect([...pathsOf(setOf(paths))]).toEqual([
      ['f:metadata', 'f:labels', 'f:app'],
      ['f:spec'],
      ['f:spec', 'f:replicas'],
    ]);
    expect(encodeFields(setOf(paths))).toEqual({
      'f:metadata': { 'f:labels': { 'f:app': {} } },
      'f:spec': { '.': {}, 'f:replicas': {} },
    });
  });

  it('knows a step by any spelling of its keys', () => {
    const spelled = (step_: string) => decodeFields({ [step_]: {} });
    expect(equalSets(spelled('k:{"b":1, "a":"x"}'), spelled('k:{"a":"x","b":1}'))).toBe(true);
  });

  it.each([
    [['f:a']],
    [{ x: {} }],
    [{ 'k:{': {} }],
    [{ 'k:[]': {} }],
    [{ 'i:-1': {} }],
    [{ 'v:': {} }],
    [{ 'f:a': 1 }],
    [Array.from({ length: 200 }).reduce<object>((inner) => ({ 'f:a': inner }), {})],
  ])('refuses %j', (value) => {
    expect(() => decodeFields(value)).toThrow(FieldsV1Error);
  });

  it('names a field as people read it', () => {
    const path = ['f:spec', 'k:{"containerPort":80,"protocol":"TCP"}', 'v:"x"', 'i:3'];
    expect(textOfPath(path)).toBe('.spec[containerPort=80,protocol="TCP"][="x"][3]');
  });
});
