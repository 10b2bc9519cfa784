/** The peer does not keep to the protocol. */
export class SpdyError extends Error {
  override readonly name = 'SpdyError';
}

/** What a peer says. Settings and window sizes are nothing to us: see `other`. */
export type Frame =
  | {
      readonly type: 'open' | 'reply' | 'headers';
      readonly streamId: number;
      readonly isFinal: boolean;
      readonly block: Buffer;
    }
  /** A part of a data frame; `isFinal` with the last of a final one. */
  | {
      readonly type: 'data';
      readonly streamId: number;
      readonly isFinal: boolean;
      readonly data: Buffer;
    }
  | { readonly type: 'reset'; readonly streamId: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goAway' }
  | { readonly type: 'other' };

// Control frames of SPDY/3.1, section 2.6.
const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;
const HEADERS = 8;
const FLAG_FIN = 1;
const HEAD_BYTES = 8;
const CONTROL = 0x80;
const VERSION = 3;

/** Takes frames out of the bytes of a connection. What is not yet whole stays here, in bounds. */
export class FrameReader {
  private rest: Buffer = Buffer.alloc(0);
  private data: { streamId: number; isFinal: boolean; left: number } | undefined;

  /** @throws SpdyError */
  *read(chunk: Buffer): Generator<Frame> {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    for (let frame = this.next(); frame !== undefined; frame = this.next()) yield frame;
  }

  private next(): Frame | undefined {
    if (this.data !== undefined) return this.restOfData(this.data);
    if (this.rest.length < HEAD_BYTES) return undefined;
    const length = this.rest.readUIntBE(5, 3);
    const first = this.rest.readUInt8(0);
    if ((first & CONTROL) === 0) {
      const streamId = this.rest.readUInt32BE(0);
      const isFinal = (this.rest.readUInt8(4) & FLAG_FIN) !== 0;
      this.rest = this.rest.subarray(HEAD_BYTES);
      this.data = { streamId, isFinal, left: length };
      return this.restOfData(this.data);
    }
    if (length > CONTROL_BYTES_MAX) throw new SpdyError(`a control frame of ${length} bytes`);
    if (this.rest.length < HEAD_BYTES + length) return undefined;
    const head = this.rest.subarray(0, HEAD_BYTES);
    const body = this.rest.subarray(HEAD_BYTES, HEAD_BYTES + length);
    this.rest = this.rest.subarray(HEAD_BYTES + length);
    return controlFrame(head, body);
  }

  private restOfData(data: {
    streamId: number;
    isFinal: boolean;
    left: number;
  }): Frame | undefined {
    if (this.rest.length === 0 && data.left > 0) return undefined;
    const piece = this.rest.subarray(0, data.left);
    this.rest = this.rest.subarray(piece.length);
    data.left -= piece.length;
    if (data.left === 0) this.data = undefined;
    const { streamId } = data;
    return { type: 'data', streamId, isFinal: data.isFinal && data.left === 0, data: piece };
  }
}

const controlFrame = (head: Buffer, body: Buffer): Frame => {
  const version = head.readUInt16BE(0) & 0x7fff;
  if (version !== VERSION) throw new SpdyError(`version ${version} of SPDY is not spoken`);
  const type = head.readUInt16BE(2);
  const isFinal = (head.readUInt8(4) & FLAG_FIN) !== 0;
  const bytes = FIXED_BYTES.get(type);
  if (bytes === undefined) return { type: 'other' };
  if (body.length < bytes) throw new SpdyError(`a control frame of type ${type} ends too early`);
  const first = bytes === 0 ? 0 : body.readUInt32BE(0);
  const streamId = first & 0x7fff_ffff;
  const block = body.subarray(bytes);
  switch (type) {
    case SYN_STREAM:
      return { type: 'open', streamId, isFinal, block };
    case SYN_REPLY:
      return { type: 'reply', streamId, isFinal, block };
    case HEADERS:
      return { type: 'headers', streamId, isFinal, block };
    case RST_STREAM:
      return { type: 'reset', streamId };
    case PING:
      return { type: 'ping', id: first };
    default:
      return { type: 'goAway' };
  }
};

/** What of a control frame comes before its header block. */
const FIXED_BYTES: ReadonlyMap<number, number> = new Map([
  [SYN_STREAM, 10],
  [SYN_REPLY, 4],
  [RST_STREAM, 8],
  [PING, 4],
  [GOAWAY, 8],
  [HEADERS, 4],
]);

const frame = (head: number, flags: number, body: Uint8Array): Buffer => {
  const bytes = Buffer.alloc(HEAD_BYTES + body.length);
  bytes.writeUInt32BE(head);
  bytes.writeUInt8(flags, 4);
  bytes.writeUIntBE(body.length, 5, 3);
  bytes.set(body, HEAD_BYTES);
  return bytes;
};

const control = (type: number, flags: number, ...fields: (number | Uint8Array)[]): Buffer =>
  frame(
    ((CONTROL << 24) | (VERSION << 16) | type) >>> 0,
    flags,
    Buffer.concat(
      fields.map((field) => {
        if (typeof field !== 'number') return field;
        const bytes = Buffer.alloc(4);
        bytes.writeUInt32BE(field);
        return bytes;
      }),
    ),
  );

export const openFrame = (streamId: number, block: Uint8Array): Buffer =>
  control(SYN_STREAM, 0, streamId, 0, Buffer.alloc(2), block);
export const replyFrame = (streamId: number, block: Uint8Array): Buffer =>
  control(SYN_REPLY, 0, streamId, block);
export const resetFrame = (streamId: number, status: number): Buffer =>
  control(RST_STREAM, 0, streamId, status);
export const pingFrame = (id: number): Buffer => control(PING, 0, id);
export const dataFrame = (streamId: number, data: Uint8Array, isFinal: boolean): Buffer =>
  frame(streamId, isFinal ? FLAG_FIN : 0, data);

export const RESET_REFUSED = 3;
export const RESET_CANCEL = 5;

const CONTROL_BYTES_MAX = 64 * 1024;
