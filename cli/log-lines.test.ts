import { coloured, prefixed } from './log-lines';

async function* chunks(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text, 'latin1');
}

it.each([
  [['a\nb', 'c\n', '\nlast'], '> a\n> bc\n> \n> last\n'],
  [['\xc3', '\xa4\n'], '> ä\n'],
  [[], ''],
])('puts a prefix before each line of %j', async (texts, all) => {
  let said = '';
  for await (const text of prefixed(chunks(...texts), '> ')) said += text;
  expect(said).toBe(all);
});

it('does not wait for the end of a line without end', async () => {
  const pieces: string[] = [];
  for await (const text of prefixed(chunks('x'.repeat(300_000), 'y\n'), '')) pieces.push(text);
  expect(pieces.map((text) => text.length)).toEqual([300_001, 2]);
});

it('gives a pod the same colour each time', () => {
  expect(coloured('web-1', 'x')).toBe(coloured('web-1', 'x'));
});
