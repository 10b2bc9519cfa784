/** Fields of protobuf messages as bytes, to be joined in any order. */

/** Text, bytes or a message. */
export const bytesField = (number: number, value: Uint8Array | string): Uint8Array => {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([headOfBytes(number, bytes.length), bytes]);
};

/** What comes before so many bytes of text or of a message. */
export const headOfBytes = (number: number, length: number): Uint8Array =>
  Buffer.concat([tag(number, BYTES), varint(length)]);

/** A non-negative safe integer, or a flag as 0 or 1. */
export const varintField = (number: number, value: number): Uint8Array =>
  Buffer.concat([tag(number, VARINT), varint(value)]);

export const doubleField = (number: number, value: number): Uint8Array => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(number, FIXED64), bytes]);
};

const tag = (number: number, wireType: number): Uint8Array => varint(number * 8 + wireType);

const varint = (value: number): Uint8Array => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
};

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
