import { lastWordsText } from './last-words';

it('shows what a container said last, within bounds and without driving the terminal', () => {
  expect(lastWordsText('web-1', 'main', [])).toBe('');
  const text = lastWordsText('web-1', 'main', ['no database\u001b[2J', 'x'.repeat(600)]);
  const [empty, title, first, second = ''] = text.split('\n');
  expect([empty, title]).toEqual(['', 'last lines of container main of pod/web-1:']);
  expect(first).not.toContain('\u001b');
  expect(first).toContain('  no database');
  expect(second).toHaveLength(503);
});
