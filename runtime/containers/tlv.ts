/** One value of a plan entry: numbers are 32 bits, bigints 64, strings end with NUL. */
export type TlvValue = number | bigint | string | Uint8Array;

/** Writes a flat list of `{ u16 tag, u16 0, u32 length, value }`, little endian. */
export class TlvWriter {
  private buffer = Buffer.allocUnsafe(FIRST_BYTES);
  private used = 0;

  add(tag: number, ...values: readonly TlvValue[]): this {
    const header = this.take(HEADER_BYTES);
    this.buffer.writeUInt32LE(tag, header);
    for (const value of values) this.write(value);
    this.buffer.writeUInt32LE(this.used - header - HEADER_BYTES, header + 4);
    return this;
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.used);
  }

  private write(value: TlvValue): void {
    switch (typeof value) {
      case 'string':
        // The launcher would cut the value short at the NUL and use something nobody asked for.
        if (value.includes('\0')) throw new RangeError('a value contains a NUL character');
        this.writeText(value);
        break;
      case 'number': {
        const at = this.take(4);
        this.buffer.writeUInt32LE(value >>> 0, at);
        break;
      }
      case 'bigint': {
        const at = this.take(8);
        this.buffer.writeBigUInt64LE(BigInt.asUintN(64, value), at);
        break;
      }
      default: {
        const at = this.take(value.length);
        this.buffer.set(value, at);
      }
    }
  }

  private writeText(text: string): void {
    const length = Buffer.byteLength(text);
    const at = this.take(length + 1);
    this.buffer.write(text, at);
    this.buffer[at + length] = 0;
  }

  /** Room for so many bytes; returns where. */
  private take(length: number): number {
    const at = this.used;
    this.used += length;
    if (this.used > this.buffer.length) {
      const larger = Buffer.allocUnsafe(2 * this.used);
      this.buffer.copy(larger, 0, 0, at);
      this.buffer = larger;
    }
    return at;
  }
}

const HEADER_BYTES = 8;
/** A usual plan with its filter fits. */
const FIRST_BYTES = 16 << 10;
