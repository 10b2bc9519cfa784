import fc from 'fast-check';

import { formatPrefix, ipOf, rangeOf, type IpPrefix } from '../../../lib/net/ip';
import { decodeDevice, type PresentPeer, type WireguardPeer } from '../netlink/wireguard';
import { type PlannedPeer } from '../peers';
import { deviceChanges, planEncryption, wireguardOverheadBytes } from './plan';

const keyOf = (n: number): string => Buffer.alloc(32, n).toString('base64');
const OWN = { publicKey: keyOf(0), outer: 4 } as const;

const peer = (n: number, more: Partial<PlannedPeer> = {}): PlannedPeer => ({
  nodeName: `n${n}`,
  addresses: [ipOf(`192.0.2.${n}`)!],
  podCidrs: [rangeOf(`10.244.${n}.0/24`)!],
  isUnreachable: false,
  wireguard: { publicKey: keyOf(n), port: 51_820 },
  ...more,
});
const keyless = (n: number): PlannedPeer => {
  const { wireguard: _none, ...rest } = peer(n);
  return rest;
};

describe('planEncryption', () => {
  it('speaks to peers under their keys, which may have what their pods have', () => {
    const { sealed, open, refused } = planEncryption([peer(1), peer(2)], OWN);
    expect([open, refused]).toEqual([[], []]);
    expect(sealed.map(({ end }) => end)).toEqual(
      [1, 2].map((n) => ({
        ...{ publicKey: keyOf(n), port: 51_820, endpoint: ipOf(`192.0.2.${n}`) },
        allowedIps: [rangeOf(`10.244.${n}.0/24`)],
      })),
    );
  });

  it.each([
    [keyless(1), 'it has no key'],
    [peer(1, { wireguard: { publicKey: keyOf(0), port: 1 } }), 'its key is that of this node'],
    [peer(3, { wireguard: { publicKey: keyOf(2), port: 1 } }), 'its key is that of node n2'],
    [peer(1, { addresses: [ipOf('2001:db8::1')!] }), 'it has no address of IPv4'],
  ])('sends nothing to %j', (one, why) => {
    const { sealed, refused } = planEncryption([peer(2), one], OWN);
    expect(sealed.map(({ nodeName }) => nodeName)).toEqual(['n2']);
    expect(refused).toEqual([{ ...one, why }]);
  });

  it('sends nothing in the clear to who encrypts', () => {
    const { sealed, open, refused } = planEncryption([peer(1), keyless(2)], undefined);
    expect([sealed, open]).toEqual([[], [keyless(2)]]);
    expect(refused).toEqual([{ ...peer(1), why: 'it encrypts, this node does not' }]);
  });

  it('has each peer in one place, and none in the clear while this node encrypts', () => {
    const peers = fc.array(
      fc.record({
        n: fc.integer({ min: 1, max: 8 }),
        key: fc.option(fc.integer({ max: 4, min: 0 })),
      }),
    );
    fc.assert(
      fc.property(peers, fc.boolean(), (given, isOn) => {
        const all = given.map(({ n, key }) =>
          key === null ? keyless(n) : peer(n, { wireguard: { publicKey: keyOf(key), port: 7 } }),
        );
        const { open, sealed, refused } = planEncryption(all, isOn ? OWN : undefined);
        expect(open.length + sealed.length + refused.length).toBe(all.length);
        expect(open.every(({ wireguard }) => !isOn && wireguard === undefined)).toBe(true);
        const keys = sealed.map(({ end }) => end.publicKey);
        expect(new Set(keys).size).toBe(keys.length);
        expect(keys).not.toContain(OWN.publicKey);
        expect(isOn || sealed.length === 0).toBe(true);
      }),
    );
  });
});

describe('deviceChanges', () => {
  const end = (n: number, more: Partial<WireguardPeer> = {}): WireguardPeer => ({
    ...{ publicKey: keyOf(n), endpoint: ipOf(`192.0.2.${n}`)!, port: 51_820 },
    allowedIps: [rangeOf(`10.244.${n}.0/24`)!, rangeOf(`fd00:${n}::/64`)!],
    ...more,
  });
  const present = (one: WireguardPeer, more: Partial<PresentPeer> = {}): PresentPeer => ({
    ...{ ...one, hasPresharedKey: false },
    ...more,
  });
  const wanted = { privateKey: keyOf(9), port: 51_820, peers: [end(1), end(2)] };
  const device = { privateKey: keyOf(9), port: 51_820, firewallMark: 0 };

  it('leaves a device as it is that is as wanted, in whatever order', () => {
    const peers = [end(2), end(1)].map((one) =>
      present(one, { allowedIps: one.allowedIps.toReversed() }),
    );
    expect(deviceChanges(wanted, { ...device, peers })).toEqual({
      ...{ isOther: false, removed: [], set: [] },
    });
  });

  it.each<[string, Partial<PresentPeer>]>([
    ['endpoint', { endpoint: ipOf('192.0.2.66')! }],
    ['port', { port: 1 }],
    ['ranges', { allowedIps: [] }],
    ['preshared key', { hasPresharedKey: true }],
  ])('sets a peer right whose %s somebody has changed, and no other', (_what, change) => {
    const peers = [present(end(1), change), present(end(2)), present(end(3))];
    expect(deviceChanges(wanted, { ...device, peers })).toEqual({
      ...{ isOther: false, removed: [keyOf(3)], set: [end(1)] },
    });
  });

  it.each([{ privateKey: '' }, { port: 7 }, { firewallMark: 1 }])(
    'sees that %j is other',
    (own) => {
      const peers = wanted.peers.map((one) => present(one));
      expect(deviceChanges(wanted, { ...device, ...own, peers })).toEqual({
        ...{ isOther: true, removed: [], set: [] },
      });
    },
  );

  it('comes to what is wanted from whatever there is', () => {
    const some = fc.uniqueArray(fc.integer({ min: 1, max: 6 }));
    const text = (ranges: readonly IpPrefix[]) => ranges.map(formatPrefix).sort();
    fc.assert(
      fc.property(some, some, some, (before, after, foreign) => {
        const peers = before.map((n) =>
          present(end(n), foreign.includes(n) ? { allowedIps: end(7).allowedIps } : {}),
        );
        const goal = { ...wanted, peers: after.map((n) => end(n)) };
        const { removed, set } = deviceChanges(goal, { ...device, peers });
        const result = new Map(peers.map((one) => [one.publicKey, text(one.allowedIps)]));
        for (const key of removed) result.delete(key);
        for (const one of set) result.set(one.publicKey, text(one.allowedIps));
        expect(result).toEqual(new Map(after.map((n) => [keyOf(n), text(end(n).allowedIps)])));
        const healthy = before.filter((n) => after.includes(n) && !foreign.includes(n));
        for (const n of healthy) expect(set).not.toContainEqual(end(n));
      }),
    );
  });
});

it('ends on any answer of the kernel', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (parts) => {
      decodeDevice(
        parts.map((part) => ({ type: 1, flags: 0, sequence: 1, payload: Buffer.from(part) })),
      );
    }),
  );
});

it('takes of each packet what its headers take', () => {
  expect([4, 6].map((outer) => wireguardOverheadBytes(outer as 4 | 6))).toEqual([60, 80]);
});
