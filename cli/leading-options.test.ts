import * as fc from 'fast-check';
import { withOptionsBehind } from './leading-options';

it.each([
  ['get pods', 'get pods'],
  ['-n web get pods', 'get pods -n web'],
  ['-nweb get pods -o name', 'get pods -o name -nweb'],
  ['--context=a --as bob get pods', 'get pods --context=a --as bob'],
  ['-n=web rollout status deploy/a', 'rollout status deploy/a -n=web'],
  ['-n web exec a -- ls -n 1', 'exec a -n web -- ls -n 1'],
  ['--help', '--help'],
  ['--nosuch a get pods', '--nosuch a get pods'],
  ['-n', '-n'],
  ['-n web', '-n web'],
])('takes options before the command: %s', (given, expected) => {
  expect(withOptionsBehind(given.split(' ')).join(' ')).toBe(expected);
});

it('leaves what is being typed at the end', () => {
  expect(withOptionsBehind(['-n', 'web', 'get'], ['po'])).toEqual(['get', '-n', 'web', 'po']);
});

it('loses no word, makes none, and finds nothing more to do', () => {
  const word = fc.constantFrom('-n', '-nx', '--as=a', '--as', '--', 'get', 'pods', '-o', '--x=y');
  fc.assert(
    fc.property(fc.array(word), (words) => {
      const moved = withOptionsBehind(words);
      expect([...moved].sort()).toEqual([...words].sort());
      expect(withOptionsBehind(moved)).toEqual(moved);
    }),
  );
});
