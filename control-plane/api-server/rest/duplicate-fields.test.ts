import fc from 'fast-check';
import { parseJson } from '../../../lib/json';
import { duplicateFields, duplicateFieldsIn } from './duplicate-fields';

it.each([
  ['{"a":1,"b":{"a":2}}', []],
  ['{"a":1,"a":2}', ['a']],
  [
    '{"spec":{"containers":[{"image":"x"},{"image":"y","image":"z"}]}}',
    ['spec.containers[1].image'],
  ],
  ['{"a":"b","c":{"d":[1,2,{"e":"e","\\u0065":1}]}}', ['c.d[2].e']],
  ['{"a":"{\\"a\\",\\"a\\"}"}', []],
  ['[]', []],
  ['"a"', []],
])('%s has %j', (text, expected) => {
  expect(duplicateFields(text)).toEqual(expected);
});

/** Objects with the members of lists of names and values, of which several may have one name. */
const texts = fc.letrec<{ value: string }>((tie) => {
  const names = fc.constantFrom('"a"', '"\\u0061"', '"b"', '"__proto__"', '"{"');
  const members = fc.array(fc.tuple(names, tie('value')), { maxLength: 4 });
  return {
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('1', '"a"', '"[,"', 'null', '[]'),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `[ ${items.join(' , ')} ]`),
      members.map((all) => `{${all.map(([name, value]) => `${name}: ${value}`).join(',')}}`),
    ),
  };
}).value;

it('finds the same where it looks only if a value is missing', () => {
  fc.assert(
    fc.property(texts, (text) => {
      expect(duplicateFieldsIn(Buffer.from(text), parseJson(text))).toEqual(duplicateFields(text));
    }),
  );
});
