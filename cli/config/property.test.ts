import { propertyOf, propertyValue } from './property';

const FILE = {
  clusters: [
    { name: 'lab', cluster: {} },
    { name: 'lab.example', cluster: {} },
  ],
};

it.each([
  ['current-context', { of: 'file', field: 'current-context' }],
  ['clusters.lab.server', { of: 'entry', list: 'clusters', name: 'lab', field: 'server' }],
  ['clusters.lab.example', { of: 'entry', list: 'clusters', name: 'lab.example' }],
  [
    'clusters.lab.example.server',
    { of: 'entry', list: 'clusters', name: 'lab.example', field: 'server' },
  ],
  ['users.new.user.token', { of: 'entry', list: 'users', name: 'new.user', field: 'token' }],
  ['contexts.new', { of: 'entry', list: 'contexts', name: 'new' }],
])('reads %s', (text, property) => {
  expect(propertyOf(text, FILE)).toEqual(property);
});

it.each([
  ['', '"" is not a property'],
  ['preferences.colors', 'it begins with clusters., contexts. or users.'],
  ['clusters', 'the name is missing'],
  ['clusters.server', 'the name is missing'],
  ['clusters.lab.colour', 'cluster has no field "colour"; it has server,'],
  ['__proto__.x', 'is not a property'],
])('refuses %j', (text, message) => {
  expect(() => propertyOf(text, FILE)).toThrow(message);
});

it('stores values as their fields have them', () => {
  expect(propertyValue('clusters', 'insecure-skip-tls-verify', 'true', false)).toBe(true);
  expect(propertyValue('clusters', 'certificate-authority-data', 'QQ==', false)).toBe('QQ==');
  expect(propertyValue('clusters', 'certificate-authority-data', 'A', true)).toBe('QQ==');
  expect(() => propertyValue('clusters', 'insecure-skip-tls-verify', 'yes', false)).toThrow(
    'insecure-skip-tls-verify: "yes" is neither true nor false',
  );
  expect(() => propertyValue('users', 'client-key-data', 'not base64', false)).toThrow(
    '--set-raw-bytes',
  );
});
