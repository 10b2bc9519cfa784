import { JsonPathError, parsePath } from './json-path';

it('stops when more is found on the way than a document of that size has', () => {
  let document: unknown = 'x';
  for (let depth = 0; depth < 100; depth += 1) document = { a: document };
  expect(parsePath('.a.a')(document)).toHaveLength(1);
  expect(parsePath('..a')(document)).toHaveLength(100);
  expect(() => parsePath('..a..a..a..a')(document)).toThrow(JsonPathError);
});
