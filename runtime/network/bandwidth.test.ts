import fc from 'fast-check';
import { bucketOf } from './bandwidth';

it('lets through what fits between ticks, and whole packets, at any rate that is allowed', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000, max: 1e15 }),
      fc.integer({ min: 68, max: 65_000 }),
      (bits, mtu) => {
        const { bytesPerSecond, burstBytes, queueBytes } = bucketOf(bits, mtu);
        expect(bytesPerSecond).toBe(Math.floor(bits / 8));
        expect(burstBytes).toBeGreaterThan(mtu);
        expect(queueBytes).toBeGreaterThanOrEqual(burstBytes);
        expect(queueBytes).toBeLessThan(2 ** 31);
        if (burstBytes < 2 ** 31 - 1)
          expect(burstBytes).toBeGreaterThanOrEqual(bytesPerSecond / 250);
      },
    ),
  );
});

it('keeps what waits for a fortieth of a second', () => {
  expect(bucketOf(80_000_000, 1500)).toEqual({
    bytesPerSecond: 10_000_000,
    burstBytes: 40_000,
    queueBytes: 290_000,
  });
});
