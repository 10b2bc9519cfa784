import {
  entryOf,
  minified,
  redacted,
  REMOVED,
  withEntry,
  withoutEntry,
  withRenamed,
} from './entries';

const FILE = {
  preferences: { colors: true },
  'current-context': 'a',
  contexts: [
    { name: 'a', context: { cluster: 'one', user: 'me' }, extra: 1 },
    { name: 'b', context: { cluster: 'two', user: 'you', extensions: [] } },
  ],
  clusters: [
    { name: 'one', cluster: { server: 'https://one', 'certificate-authority-data': 'QQ==' } },
    { name: 'two', cluster: { server: 'https://two' } },
  ],
  users: [
    { name: 'me', user: { 'client-key-data': 'QQ==', token: 'secret', exec: { command: 'x' } } },
    { name: 'you', user: { password: 'secret', username: 'you' } },
  ],
};

it('changes one item and keeps what it does not know', () => {
  const changed = withEntry(FILE, 'contexts', 'a', { namespace: 'team', user: undefined });
  expect(changed).toMatchObject({
    preferences: { colors: true },
    contexts: [
      { name: 'a', extra: 1, context: { cluster: 'one', user: 'me', namespace: 'team' } },
      FILE.contexts[1],
    ],
  });
  expect(FILE.contexts[0]?.context).not.toHaveProperty('namespace');
});

it('adds, removes and renames items', () => {
  const added = withEntry({}, 'users', 'new', { token: 't' });
  expect(added).toEqual({
    apiVersion: 'v1',
    kind: 'Config',
    users: [{ name: 'new', user: { token: 't' } }],
  });
  const removed = withEntry(added, 'users', 'new', { token: REMOVED, username: 'u' });
  expect(entryOf(removed, 'users', 'new')).toEqual({ username: 'u' });
  expect(withoutEntry(FILE, 'contexts', 'a')['contexts']).toEqual([FILE.contexts[1]]);
  expect(entryOf(withRenamed(FILE, 'contexts', 'b', 'c'), 'contexts', 'c')).toEqual(
    FILE.contexts[1]?.context,
  );
});

it('shows nothing that opens a door', () => {
  const text = JSON.stringify(redacted(FILE));
  expect(text).not.toMatch(/secret|QQ==/);
  expect(text).toContain('"command":"x"');
});

it('leaves what one context needs', () => {
  expect(minified(FILE, 'b')).toMatchObject({
    'current-context': 'b',
    contexts: [{ name: 'b' }],
    clusters: [{ name: 'two' }],
    users: [{ name: 'you' }],
  });
});
