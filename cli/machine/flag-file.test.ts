import { withFlags } from './flag-file';

const SAMPLE = `# Flags of dhow server.

# where the API listens
#listen: <host:port>

# mine
cluster-name: lab  # for the students
`;

it('sets a flag where it stands as a remark, and leaves all else as it was written', () => {
  const { text, changes } = withFlags('f', SAMPLE, { listen: '10.0.0.1:6443' });
  expect(text).toBe(SAMPLE.replace('#listen: <host:port>', 'listen: 10.0.0.1:6443'));
  expect(changes).toEqual([{ name: 'listen', before: undefined, after: '10.0.0.1:6443' }]);
});

it('changes what somebody wrote, tells what it was, and keeps the remark behind it', () => {
  const { text, changes } = withFlags('f', SAMPLE, { 'cluster-name': 'other' });
  expect(text).toContain('\ncluster-name: "other"  # for the students\n');
  expect(changes).toEqual([{ name: 'cluster-name', before: 'lab', after: 'other' }]);
});

it('changes nothing where all is said already', () => {
  expect(withFlags('f', SAMPLE, { 'cluster-name': 'lab' })).toEqual({ text: SAMPLE, changes: [] });
});

it('quotes what YAML would read as something else, and begins an empty file', () => {
  const { text } = withFlags('f', '', { listen: '[fd00::1]:6443', name: 'true', server: '1e3' });
  expect(text).toBe('listen: "[fd00::1]:6443"\nname: "true"\nserver: "1e3"\n');
  expect(withFlags('f', text, { name: 'true', server: '1e3' }).changes).toEqual([]);
});

it.each([
  ['listen: [a, b]\n', 'f:1: listen: expected a text'],
  ['a: 1\na: 2\n', 'f:2: a: also in line 1'],
  ['listen: |\n  x\n', 'f:1: listen: write it as "listen: 10.0.0.1:1"'],
])('refuses %j with its line', (text, problem) => {
  expect(() => withFlags('f', text, { listen: '10.0.0.1:1' })).toThrow(problem);
});
