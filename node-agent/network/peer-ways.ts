import type { PeerWay } from '../../runtime/pod-network';

/**
 * `direct; vxlan: node-7; none: node-9 (it has no key)`: the way of most of them first, without names. So a
 * node more or less is no news to all others.
 */
export const formatPeerWays = (peers: readonly PeerWay[]): string => {
  if (peers.length === 0) return 'no peers';
  const groups = WAYS.map((way) => ({ way, members: peers.filter((peer) => peer.way === way) }));
  const most = groups
    .filter(({ way }) => way !== 'none')
    .reduce((best, group) => (group.members.length > best.members.length ? group : best));
  return [
    ...(most.members.length === 0 ? [] : [most.way]),
    ...groups
      .filter((group) => group !== most && group.members.length > 0)
      .map(({ way, members }) => `${way}: ${named(members)}`),
  ].join('; ');
};

const named = (peers: readonly PeerWay[]): string => {
  const names = peers
    .map(({ nodeName, why }) => (why === undefined ? nodeName : `${nodeName} (${why})`))
    .sort();
  const rest = names.length > MAX_NAMED ? ' and others' : '';
  return `${names.slice(0, MAX_NAMED).join(', ')}${rest}`;
};

/** In the order in which they are told. */
const WAYS = ['direct', 'wireguard', 'direct and vxlan', 'vxlan', 'plugins', 'none'] as const;
const MAX_NAMED = 10;
