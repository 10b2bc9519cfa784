import * as fc from 'fast-check';
import { parseJson, stringifyJson } from './json';

describe('json', () => {
  it.each([
    '{"tolerationSeconds":9007199254740993}',
    '[-9007199254740993,9223372036854775807,18446744073709551615]',
    '{"a":"9007199254740993","b":9007199254740993,"c":"\\"9007199254740993\\\\"}',
    '{"9007199254740993":1}',
    '[0.12345678901234566,1]',
  ])('keeps %s digit for digit', (text) => {
    expect(stringifyJson(parseJson(text))).toBe(text);
  });

  it('reads unsafe integers as bigint and safe ones as number', () => {
    expect(parseJson('[9007199254740993,9007199254740991]')).toEqual([
      9007199254740993n,
      9007199254740991,
    ]);
  });

  it('leaves floats and absurdly long integers to JSON.parse', () => {
    const long = '1'.repeat(400);
    expect(parseJson(`[1e30,12345678901234567.5,${long}]`)).toEqual([
      1e30,
      Number('12345678901234567.5'),
      Infinity,
    ]);
  });

  it('reads bytes, also a view into a larger buffer', () => {
    const bytes = Buffer.from('xx{"é":1}xx');
    expect(parseJson(bytes.subarray(2, -2))).toEqual({ é: 1 });
  });

  it('keeps a member called __proto__ an ordinary member', () => {
    const parsed = parseJson('{"__proto__":9007199254740993}') as object;
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
    expect(stringifyJson(parsed)).toBe('{"__proto__":9007199254740993}');
  });

  it('throws a SyntaxError on what is not JSON', () => {
    expect(() => parseJson('{"a":90071992547409930,}')).toThrow(SyntaxError);
    expect(() => parseJson('00009007199254740993')).toThrow(SyntaxError);
  });

  it('agrees with JSON on every value JSON can hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(stringifyJson(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });
});
