import {
  admissionEnvironment,
  CelBudget,
  celEnvironment,
  compileCel,
  DYN,
  MadeObject,
  toJson,
} from './index';

const PATCHES = admissionEnvironment({ makesPatches: true });
const made = (source: string): unknown =>
  toJson(compileCel(source, PATCHES).evaluate({ object: { a: 1 } }, new CelBudget()));

describe('messages', () => {
  it('are made field by field, and read again', () => {
    expect(made('Object{spec: Object.spec{replicas: 3, paused: true}}')).toEqual({
      spec: { replicas: 3, paused: true },
    });
    expect(made('Object{a: 1}.a + 1')).toBe(2);
    expect(made('has(Object{a: 1}.b)')).toBe(false);
    expect(made('Object{a: 1} == Object{a: 1}')).toBe(true);
    expect(made('[1, 2].map(i, Object.items{id: i})')).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it('leave out what is optional and not there', () => {
    expect(made('Object{?a: object.?a, ?b: object.?b}')).toEqual({ a: 1 });
    expect(() => made('Object{?a: 1}')).toThrow("expected type 'optional_type(dyn)'");
  });

  it('are of a type that the environment knows', () => {
    const plain = celEnvironment({ object: DYN });
    for (const source of ['Object{}', 'google.protobuf.Empty{}', 'object{a: 1}'])
      expect(() => compileCel(source, plain)).toThrow('undeclared reference to');
    expect(() => compileCel('Objects{}', PATCHES)).toThrow("undeclared reference to 'Objects'");
    expect(() => compileCel('Object{a: 1', PATCHES)).toThrow('Syntax error');
    expect(() => compileCel('Object{1: 1}', PATCHES)).toThrow('mismatched input');
  });

  it('are told from maps', () => {
    const value = compileCel('Object{a: 1}', PATCHES).evaluate({}, new CelBudget());
    expect(value).toBeInstanceOf(MadeObject);
    expect(() => compileCel('Object{a: 1} == {"a": 1}', PATCHES)).toThrow('no matching overload');
  });
});

describe('values as JSON', () => {
  it('are what the API takes for them', () => {
    expect(
      made(`[dyn(1), dyn(1u), dyn(1.5), dyn("x"), dyn(b"x"), dyn(null), dyn({"a": [true]}),
        dyn(timestamp("2026-01-01T00:00:00Z")), dyn(duration("90s")),
        dyn(optional.of(1)), dyn(optional.none()), dyn(9223372036854775807)]`),
    ).toEqual([
      ...[1, 1, 1.5, 'x', 'eA==', null, { a: [true] }, '2026-01-01T00:00:00Z', '90s', 1, null],
      9223372036854775807n,
    ]);
  });

  it.each(['{1: 2}', 'type(1)', '1.0 / 0.0'])('are none for %s', (source) => {
    expect(() => made(source)).toThrow('unsupported');
  });
});
