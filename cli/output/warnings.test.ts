import { warningWriter } from './warnings';

it('writes each warning once, however often it comes', () => {
  const lines: string[] = [];
  const warn = warningWriter({
    write: (line) => {
      lines.push(line);
      return true;
    },
  });
  for (const text of ['a', 'b', 'a', 'c\u001b[2J', 'b']) warn(text);
  expect(lines).toHaveLength(3);
  expect(lines.slice(0, 2)).toEqual(['Warning: a\n', 'Warning: b\n']);
  expect(lines[2]).not.toContain('\u001b');
});
