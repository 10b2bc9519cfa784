import fc from 'fast-check';

import type { PeerWay } from '../../runtime/pod-network';
import { formatPeerWays } from './peer-ways';

const peers = (way: PeerWay['way'], ...names: readonly string[]): PeerWay[] =>
  names.map((nodeName) => ({ nodeName, way }));

it.each<[readonly PeerWay[], string]>([
  [[], 'no peers'],
  [peers('wireguard', 'a', 'b'), 'wireguard'],
  [[...peers('vxlan', 'a'), ...peers('direct', 'b')], 'direct; vxlan: a'],
  [[...peers('vxlan', 'c', 'a'), ...peers('direct', 'b')], 'vxlan; direct: b'],
  [
    [...peers('wireguard', 'a'), { nodeName: 'c', way: 'none', why: 'it has no key' }],
    'wireguard; none: c (it has no key)',
  ],
  [peers('none', 'a', 'b'), 'none: a, b'],
])('tells of %j: %s', (given, text) => {
  expect(formatPeerWays(given)).toBe(text);
});

it('is the same text whoever comes and goes among those that are reached as most are', () => {
  const name = fc.stringMatching(/^[a-z]{1,9}$/);
  fc.assert(
    fc.property(
      fc.array(name, { minLength: 1 }),
      fc.constantFrom<PeerWay['way']>('direct', 'wireguard', 'vxlan', 'plugins'),
      (names, way) => {
        const few = names.slice(1).map((nodeName): PeerWay => ({ nodeName, way: 'none' }));
        const text = formatPeerWays([...peers(way, ...names), ...few]);
        expect(formatPeerWays([...peers(way, ...names, 'one-more'), ...few])).toBe(text);
      },
    ),
  );
});

it('names no more than can be read', () => {
  const many = [...Array(5_000).keys()].map((i) => `n${String(i).padStart(4, '0')}`);
  expect(formatPeerWays(peers('none', ...many))).toMatch(/^none: n0000, .* n0009 and others$/);
});
