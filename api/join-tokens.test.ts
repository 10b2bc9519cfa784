import {
  hashOfSecret,
  isSecretOf,
  joinTokenSecret,
  newJoinToken,
  refusalOf,
  storedJoinTokenOf,
  withUse,
  type StoredJoinToken,
} from './join-tokens';

const { id, secret } = newJoinToken();
const TOKEN: StoredJoinToken = {
  ...{ id, hash: hashOfSecret(secret), expiresAtMs: 10_000_000, usesMax: 2 },
  ...{ usedBy: [], description: 'rack 7' },
};
const by = (agent: string, nowMs = 1000) => ({ agent, node: `node-${agent}`, nowMs });

it('is kept as a Secret without its secret half, and read back', () => {
  const stored = joinTokenSecret({ ...TOKEN, usedBy: [{ agent: 'a', node: 'n', atMs: 1 }] });
  expect(JSON.stringify(stored)).not.toContain(Buffer.from(secret).toString('base64').slice(0, 12));
  expect(storedJoinTokenOf(stored)).toEqual({
    ...TOKEN,
    usedBy: [{ agent: 'a', node: 'n', atMs: 1 }],
  });
  expect(isSecretOf(TOKEN, secret)).toBe(true);
  expect(isSecretOf(TOKEN, newJoinToken().secret)).toBe(false);
});

it('is refused when it has expired, to the millisecond', () => {
  expect(refusalOf(TOKEN, by('a', 9_999_999))).toBeUndefined();
  expect(refusalOf(TOKEN, by('a', 10_000_000))).toContain('has expired');
});

it('is refused when it is used up, with the names of who used it', () => {
  const used = withUse(withUse(TOKEN, by('a')), by('b'));
  expect(refusalOf(used, by('c'))).toContain('is used up, by node-a, node-b');
});

it('counts a machine once that asks again, for a while', () => {
  const once = withUse(TOKEN, by('a'));
  expect(withUse(once, by('a', 500_000))).toBe(once);
  const used = withUse(once, by('b'));
  expect(refusalOf(used, by('a', 500_000))).toBeUndefined();
  expect(refusalOf(used, by('a', 700_000))).toContain('is used up');
});

it('counts an agent again that asks by another name', () => {
  const used = withUse(withUse(TOKEN, by('a')), by('b'));
  expect(refusalOf(used, { ...by('a'), node: 'another' })).toContain('is used up');
});

it('keeps no list where nobody counts', () => {
  const free = { ...TOKEN, usesMax: undefined };
  expect(withUse(free, by('a'))).toBe(free);
});

it.each([
  ['type', { type: 'Opaque' }],
  ['name', { metadata: { name: 'join-token-zzzzzz', namespace: 'kube-system' } }],
  ['hash', { data: { ...joinTokenSecret(TOKEN).data, 'token-hash': 'eA==' } }],
  ['time', { data: { ...joinTokenSecret(TOKEN).data, expiration: 'eA==' } }],
  ['count', { data: { ...joinTokenSecret(TOKEN).data, 'uses-max': 'MA==' } }],
  ['uses', { data: { ...joinTokenSecret(TOKEN).data, 'used-by': 'WzFd' } }],
  ['content', { data: {} }],
])('is no token with a wrong %s', (_, change) => {
  expect(storedJoinTokenOf({ ...joinTokenSecret(TOKEN), ...change })).toBeUndefined();
});
