import { duplicateFields } from './duplicate-fields';

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
