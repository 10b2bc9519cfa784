/** One value of a plan entry: numbers are 32 bits, bigints 64, strings end with NUL. */
export type TlvValue = number | bigint | string | Uint8Array;

/** Writes a flat list of `{ u16 tag, u16 0, u32 length, value }`, little endian. */
export class TlvWriter {
  private readonly pieces: Buffer[] = [];

  add(tag: number, ...values: readonly TlvValue[]): this {
    const value = Buffer.concat(values.map(encode));
    const header = Buffer.alloc(8);
    header.writeUInt16LE(tag, 0);
    header.writeUInt32LE(value.length, 4);
    this.pieces.push(header, value);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

const encode = (value: TlvValue): Uint8Array => {
  if (typeof value === 'string') {
    // The launcher would cut the value short at the NUL and use something nobody asked for.
    if (value.includes('\0')) throw new RangeError('a value contains a NUL character');
    return Buffer.from(`${value}\0`);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    return bytes;
  }
  if (typeof value === 'bigint') {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
    return bytes;
  }
  return value;
};
