import fc from 'fast-check';
import { ManualClock } from '../../lib/clock';
import { AddressPool, ADDRESS_HOLD_MS } from './address-pool';
import { formatIp, ipAt, rangeOf, type IpAddress } from '../../lib/net/ip';

const poolOf = (cidr: string) => {
  const clock = new ManualClock();
  return { clock, pool: new AddressPool(rangeOf(cidr)!, clock) };
};

describe('AddressPool', () => {
  it('gives an owner the same address again', () => {
    const { pool } = poolOf('10.1.2.0/24');
    const first = pool.allocate('a');
    expect(formatIp(first)).toBe('10.1.2.2');
    expect(pool.allocate('a')).toEqual(first);
    expect(pool.usedCount).toBe(1);
  });

  it('gives addresses of a range that nobody can use up, and the last one of IPv6', () => {
    const { pool } = poolOf('fd00:1::/64');
    expect([formatIp(pool.allocate('a')), formatIp(pool.allocate('b'))]).toEqual([
      'fd00:1::2',
      'fd00:1::3',
    ]);
    expect(poolOf('fd00:1::/126').pool.capacity).toBe(1);
  });

  it('says which range is used up', () => {
    const { pool } = poolOf('10.1.2.0/29');
    for (let i = 0; i < pool.capacity; i++) pool.allocate(`s${i}`);
    expect(() => pool.allocate('late')).toThrow(
      'no free address in pod range 10.1.2.0/29: all 5 are in use',
    );
  });

  it.each(['10.0.0.0/31', '10.0.0.0/32'])('has nothing to give from %s', (cidr) => {
    expect(() => poolOf(cidr).pool.allocate('a')).toThrow('all 0 are in use');
  });

  it('holds a released address while others are free, and gives it before refusing', async () => {
    const { pool, clock } = poolOf('10.1.2.0/29');
    const first = pool.allocate('a');
    pool.release('a');
    const others = ['b', 'c', 'd', 'e'].map((owner) => pool.allocate(owner));
    expect(others).not.toContainEqual(first);
    expect(pool.allocate('f')).toEqual(first);

    pool.release('b');
    await clock.advance(ADDRESS_HOLD_MS);
    expect(pool.allocate('g')).toEqual(others[0]);
  });

  it('keeps what was claimed and refuses a second owner', () => {
    const { pool } = poolOf('10.1.2.0/24');
    const address = ipAt(rangeOf('10.1.2.0/24')!, 2);
    pool.claim('old', address);
    expect(pool.allocate('new')).not.toEqual(address);
    expect(() => {
      pool.claim('thief', address);
    }).toThrow('address 10.1.2.2 of sandbox thief already belongs to sandbox old');
  });

  it('never gives one address to two owners', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(9), fc.boolean()), { maxLength: 60 }), (steps) => {
        const { pool } = poolOf('10.1.2.0/29');
        const held = new Map<string, IpAddress>();
        for (const [n, isRelease] of steps) {
          const owner = `s${n}`;
          if (isRelease) {
            pool.release(owner);
            held.delete(owner);
          } else if (held.has(owner) || held.size < pool.capacity) {
            held.set(owner, pool.allocate(owner));
          }
        }
        expect(new Set([...held.values()].map(formatIp)).size).toBe(held.size);
        expect(pool.usedCount).toBe(held.size);
      }),
    );
  });
});
