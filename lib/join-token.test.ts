import { bootstrapTokenOf, formatJoinToken, parseJoinToken } from './join-token';

const token = {
  agentsPort: 6444,
  caHash: 'ab'.repeat(32),
  id: 'abc123',
  secret: '0123456789abcdef',
};

it('reads back what it wrote', () => {
  expect(parseJoinToken(formatJoinToken(token))).toEqual(token);
  expect(parseJoinToken(`${formatJoinToken(token)}\n`)).toEqual(token);
  expect(bootstrapTokenOf(token)).toBe('abc123.0123456789abcdef');
});

it.each([
  ['', 'nothing'],
  [formatJoinToken(token).slice(0, -1), 'a cut secret'],
  [formatJoinToken({ ...token, agentsPort: 0 }), 'port 0'],
  [formatJoinToken({ ...token, agentsPort: 70_000 }), 'a port out of range'],
  [formatJoinToken({ ...token, caHash: 'zz'.repeat(32) }), 'a hash that is not hex'],
])('refuses %j: %s', (text) => {
  expect(() => parseJoinToken(text)).toThrow('invalid join token');
  try {
    parseJoinToken(text);
  } catch (error) {
    expect(String(error)).not.toContain('0123456789abcde');
  }
});
