import { type NetworkPeer } from '../pod-network';
import { ipOf, rangeOf } from '../../lib/net/ip';
import { narrowMtu, planPeers } from './peers';

const own = { podCidrs: [rangeOf('10.244.0.0/24')!], addresses: [ipOf('192.0.2.10')!] };

const peer = (more: Partial<NetworkPeer> = {}): NetworkPeer => ({
  nodeName: 'n1',
  addresses: ['192.0.2.11'],
  podCidrs: ['10.244.1.0/24'],
  isUnreachable: false,
  ...more,
});

describe('planPeers', () => {
  it('takes sound peers as they are', () => {
    const { peers, leftOut } = planPeers([peer({ isUnreachable: true })], own);
    expect(leftOut).toEqual([]);
    expect(peers).toEqual([
      {
        nodeName: 'n1',
        addresses: [ipOf('192.0.2.11')!],
        podCidrs: [rangeOf('10.244.1.0/24')!],
        isUnreachable: true,
      },
    ]);
  });

  it.each<[Partial<NetworkPeer>, string]>([
    [{ addresses: ['node-1'] }, 'address "node-1" is none'],
    [{ podCidrs: [''] }, 'pod range "" is not a CIDR'],
    [{ podCidrs: ['10.244.1.7/24'] }, 'pod range "10.244.1.7/24" is not a CIDR'],
    [{ addresses: [] }, 'it has no address'],
    [{ podCidrs: [] }, 'it has no pod range'],
    [{ podCidrs: ['10.244.1.0/24', 'fd00::/8'] }, 'pod range fd00::/8 is too large'],
    [{ addresses: ['192.0.2.10'] }, "address 192.0.2.10 is this node's own"],
    [{ podCidrs: ['0.0.0.0/0'] }, 'pod range 0.0.0.0/0 is too large'],
    [{ podCidrs: ['192.0.2.0/24'] }, 'pod range 192.0.2.0/24 contains the address of a node'],
    [{ podCidrs: ['10.244.0.0/16'] }, 'pod range 10.244.0.0/16 overlaps this node'],
  ])('leaves out %j and says why', (more, problem) => {
    const { peers, leftOut } = planPeers([peer(more)], own);
    expect(peers).toEqual([]);
    expect(leftOut[0]?.why).toContain(problem);
  });

  it.each([
    [1320, { mtu: 1320 }],
    [0, {}],
    [100, {}],
    [1320.5, {}],
    [100_000, {}],
  ])('takes a packet size of %d for what it is', (mtu, expected) => {
    const { peers, leftOut } = planPeers([peer({ mtu })], own);
    expect(leftOut).toEqual([]);
    expect('mtu' in peers[0]! ? { mtu: peers[0].mtu } : {}).toEqual(expected);
  });

  it('gives a range claimed twice to the first by name, whatever the order', () => {
    const rivals = [peer({ nodeName: 'n2', addresses: ['192.0.2.12'] }), peer()];
    for (const order of [rivals, rivals.toReversed()]) {
      const { peers, leftOut } = planPeers(order, own);
      expect(peers.map(({ nodeName }) => nodeName)).toEqual(['n1']);
      expect(leftOut).toEqual([
        { nodeName: 'n2', why: 'pod range 10.244.1.0/24 overlaps that of node n1' },
      ]);
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
