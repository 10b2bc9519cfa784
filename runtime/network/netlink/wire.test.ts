import fc from 'fast-check';
import { attribute, cString, decodeAttributes, decodeMessages, encodeRequest, u32 } from './wire';

describe('netlink wire format', () => {
  it('reads back what it writes, padded to four bytes', () => {
    const body = Buffer.concat([attribute(3, cString('eth0')), attribute(4, u32(1500))]);
    const request = { type: 16, flags: 0x400, body, what: 'test' };
    const bytes = Buffer.concat([encodeRequest(request, 7, 4), encodeRequest(request, 8, 4)]);
    expect(bytes.length % 4).toBe(0);
    const messages = decodeMessages(bytes);
    expect(messages.map(({ type, flags, sequence }) => [type, flags, sequence])).toEqual([
      [16, 0x405, 7],
      [16, 0x405, 8],
    ]);
    const attributes = decodeAttributes(messages[0]!.payload);
    expect(attributes.get(3)).toEqual(Buffer.from('eth0\0'));
    expect(attributes.get(4)?.readUInt32LE()).toBe(1500);
  });

  it('ends on any bytes, without reading past them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const { payload } of decodeMessages(Buffer.from(bytes))) decodeAttributes(payload);
      }),
    );
  });
});
