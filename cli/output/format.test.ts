import { formatViews, outputFormat } from './format';

const VIEWS = {
  document: { b: [1], a: 'x' },
  names: ['pod/a', 'pod/b'],
  table: (isWide: boolean) => (isWide ? 'wide\n' : 'table\n'),
};

it.each([
  [undefined, 'table\n'],
  ['wide', 'wide\n'],
  ['name', 'pod/a\npod/b\n'],
  ['json', '{\n    "b": [\n        1\n    ],\n    "a": "x"\n}\n'],
  ['yaml', 'a: x\nb:\n- 1\n'],
])('prints -o %s', (output, text) => {
  expect(formatViews(VIEWS, outputFormat(output))).toBe(text);
});

it('names the formats there are', () => {
  expect(() => outputFormat('xml')).toThrow(/"xml", allowed formats are: json,name,wide,yaml/);
});
