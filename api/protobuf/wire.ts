/** The bytes are not what the protobuf wire format allows. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** One field as it stands on the wire. A varint is kept as the unsigned 64 bits it is. */
export type WireField =
  | { readonly number: number; readonly kind: 'varint'; readonly value: bigint }
  | { readonly number: number; readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly number: number; readonly kind: 'fixed' };

/** The fields of a message in order. @throws WireError on truncated or malformed bytes */
export function* fieldsOf(bytes: Uint8Array): Generator<WireField> {
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) {
    const tag = reader.varint();
    const number = Number(tag >> 3n);
    if (number < 1 || number > FIELD_NUMBER_MAX) throw new WireError('a field number is invalid');
    switch (Number(tag & 7n)) {
      case 0:
        yield { number, kind: 'varint', value: reader.varint() };
        break;
      case 1:
        reader.take(8);
        yield { number, kind: 'fixed' };
        break;
      case 2:
        yield { number, kind: 'bytes', value: reader.take(Number(reader.varint())) };
        break;
      case 5:
        reader.take(4);
        yield { number, kind: 'fixed' };
        break;
      default:
        throw new WireError('a wire type is unknown');
    }
  }
}

const FIELD_NUMBER_MAX = 2 ** 29 - 1;
const VARINT_BYTES_MAX = 10;

class Reader {
  private position = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get isAtEnd(): boolean {
    return this.position >= this.bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.bytes[this.position++];
      if (byte === undefined) throw new WireError('unexpected EOF');
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new WireError('integer overflow');
  }

  take(length: number): Uint8Array {
    const end = this.position + length;
    if (end > this.bytes.length) throw new WireError('unexpected EOF');
    const part = this.bytes.subarray(this.position, end);
    this.position = end;
    return part;
  }
}
