import { normalPeerWays } from './peer-ways';

it('keeps of what a node says what can be shown', () => {
  expect(normalPeerWays('direct\n\u001b[2J')).toBe('direct??[2J');
  expect(normalPeerWays('x'.repeat(1_000_000)).length).toBe(16 * 1024);
});
