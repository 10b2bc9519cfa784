import fc from 'fast-check';

import {
  decodeError,
  decodeExit,
  encodeFrame,
  encodeNumbers,
  FrameReader,
  FrameType,
} from './frames';
import { TlvWriter } from './tlv';

describe('frames', () => {
  it('come out whole however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(40), fc.uint8Array({ maxLength: 50 })), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 10 }),
        (frames, cuts) => {
          const stream = Buffer.concat(frames.map(([type, body]) => encodeFrame(type, body)));
          const reader = new FrameReader();
          const seen: [number, Uint8Array][] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const length = cuts[i % cuts.length]!;
            for (const { type, payload } of reader.push(stream.subarray(at, at + length))) {
              seen.push([type, Uint8Array.from(payload)]);
            }
            at += length;
          }
          expect(seen).toEqual(frames);
        },
      ),
    );
  });

  it('are refused when larger than any that are sent', () => {
    const header = encodeNumbers(0, 0, 0);
    header.writeUInt32LE(0x7fffffff, 4);
    expect(() => new FrameReader().push(header)).toThrow('too large');
  });

  it('tell a failed step', () => {
    const payload = Buffer.from('\x02\0\0\0mount\0mount /x: no such file\0', 'latin1');
    expect(decodeError(payload)).toEqual({ step: 'mount', message: 'mount /x: no such file' });
    expect(decodeError(payload.subarray(0, 9))).toEqual({ step: 'mount', message: '' });
  });

  it('tell an exit', () => {
    const numbers = Buffer.alloc(32);
    [137, 9, 1, 0].forEach((value, index) => numbers.writeUInt32LE(value, 4 * index));
    numbers.writeBigUInt64LE(1_800_000_000_000n, 16);
    numbers.writeBigUInt64LE(1_800_000_000_123n, 24);
    expect(decodeExit(Buffer.concat([numbers, Buffer.from('why\0')]))).toEqual({
      exitCode: 137,
      signalNumber: 9,
      oomKilled: true,
      timedOut: false,
      startedAtMs: 1_800_000_000_000,
      finishedAtMs: 1_800_000_000_123,
      startError: 'why',
    });
  });

  it('carry numbers little endian', () => {
    expect([...encodeNumbers(FrameType.resize, 80, 24)]).toEqual([
      14, 0, 0, 0, 8, 0, 0, 0, 80, 0, 0, 0, 24, 0, 0, 0,
    ]);
  });
});

describe('TlvWriter', () => {
  it('writes tag, length and value', () => {
    expect([...new TlvWriter().add(0x102, 1, 'a', -1n).bytes()]).toEqual([
      2, 1, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 97, 0, 255, 255, 255, 255, 255, 255, 255, 255,
    ]);
  });
});
