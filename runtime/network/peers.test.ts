import { type NetworkPeer } from '../pod-network';
import { parseCidr, parseIpv4 } from './ipv4';
import { narrowMtu, planPeers } from './peers';

const own = { podCidr: parseCidr('10.244.0.0/24')!, address: parseIpv4('192.0.2.10') };

const peer = (more: Partial<NetworkPeer> = {}): NetworkPeer => ({
  nodeName: 'n1',
  address: '192.0.2.11',
  podCidr: '10.244.1.0/24',
  isUnreachable: false,
  ...more,
});

describe('planPeers', () => {
  it('takes sound peers as they are', () => {
    const { peers, problems } = planPeers([peer({ isUnreachable: true })], own);
    expect(problems).toEqual([]);
    expect(peers).toEqual([
      {
        nodeName: 'n1',
        address: parseIpv4('192.0.2.11'),
        podCidr: parseCidr('10.244.1.0/24'),
        isUnreachable: true,
      },
    ]);
  });

  it.each<[Partial<NetworkPeer>, string]>([
    [{ address: 'node-1' }, 'node n1: address "node-1" is not IPv4'],
    [{ podCidr: '' }, 'node n1: pod range "" is not an IPv4 CIDR'],
    [{ podCidr: '10.244.1.7/24' }, 'node n1: pod range "10.244.1.7/24" is not an IPv4 CIDR'],
    [{ address: '192.0.2.10' }, "node n1: address 192.0.2.10 is this node's own"],
    [{ podCidr: '0.0.0.0/0' }, 'node n1: pod range 0.0.0.0/0 is too large'],
    [{ podCidr: '192.0.2.0/24' }, 'node n1: pod range 192.0.2.0/24 contains the address of a node'],
    [{ podCidr: '10.244.0.0/16' }, 'node n1: pod range 10.244.0.0/16 overlaps this node'],
  ])('leaves out %j and says why', (more, problem) => {
    const { peers, problems } = planPeers([peer(more)], own);
    expect(peers).toEqual([]);
    expect(problems[0]).toContain(problem);
  });

  it.each([
    [1320, { mtu: 1320 }],
    [0, {}],
    [100, {}],
    [1320.5, {}],
    [100_000, {}],
  ])('takes a packet size of %d for what it is', (mtu, expected) => {
    const { peers, problems } = planPeers([peer({ mtu })], own);
    expect(problems).toEqual([]);
    expect('mtu' in peers[0]! ? { mtu: peers[0].mtu } : {}).toEqual(expected);
  });

  it('gives a range claimed twice to the first by name, whatever the order', () => {
    const rivals = [peer({ nodeName: 'n2', address: '192.0.2.12' }), peer()];
    for (const order of [rivals, rivals.toReversed()]) {
      const { peers, problems } = planPeers(order, own);
      expect(peers.map(({ nodeName }) => nodeName)).toEqual(['n1']);
      expect(problems).toEqual(['node n2: pod range 10.244.1.0/24 overlaps that of node n1']);
    }
  });
});

it('narrows the way to a peer that takes less than this node, and to no other', () => {
  expect(narrowMtu({ mtu: 1320 }, { mtu: 1500 })).toEqual({ mtu: 1320 });
  expect(narrowMtu({ mtu: 1320 }, { mtu: 1500 }, 50)).toEqual({ mtu: 1270 });
  expect(narrowMtu({ mtu: 1500 }, { mtu: 1500 })).toEqual({});
  expect(narrowMtu({ mtu: 9000 }, { mtu: 1500 })).toEqual({});
  expect(narrowMtu({}, { mtu: 1500 })).toEqual({});
});
