import { constants, createDeflate, createInflate } from 'node:zlib';
import { DICTIONARY } from './dictionary';
import { SpdyError } from './frames';

export type Headers = Readonly<Record<string, string>>;

/** The header blocks of one connection: each is compressed with what came before it. */
export class HeaderCodec implements Disposable {
  private readonly inflater = createInflate({ dictionary: DICTIONARY });
  private readonly deflater = createDeflate({ dictionary: DICTIONARY });

  /** One at a time. @throws SpdyError */
  async decode(block: Uint8Array): Promise<Headers> {
    return parseHeaders(await this.inflate(block));
  }

  /** One at a time. */
  encode(headers: Headers): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      const take = (chunk: Buffer) => chunks.push(chunk);
      const { deflater } = this;
      deflater.once('error', reject);
      deflater.on('data', take);
      deflater.write(formatHeaders(headers));
      deflater.flush(constants.Z_SYNC_FLUSH, () => {
        deflater.off('data', take);
        deflater.off('error', reject);
        resolve(Buffer.concat(chunks));
      });
    });
  }

  [Symbol.dispose](): void {
    this.inflater.destroy();
    this.deflater.destroy();
  }

  private inflate(block: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const { inflater } = this;
      const chunks: Buffer[] = [];
      let bytes = 0;
      const finish = (error?: Error) => {
        inflater.off('data', take);
        inflater.off('error', fail);
        if (error === undefined) resolve(Buffer.concat(chunks));
        else reject(error);
      };
      const fail = (error: Error) =>
        finish(new SpdyError(`headers cannot be read: ${error.message}`, { cause: error }));
      // A few bytes may stand for very many.
      const take = (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= HEADER_BYTES_MAX) chunks.push(chunk);
        else finish(new SpdyError('headers are too long'));
      };
      inflater.on('data', take);
      inflater.once('error', fail);
      inflater.write(block, () => finish());
    });
  }
}

const parseHeaders = (block: Buffer): Headers => {
  const headers: [string, string][] = [];
  let at = 0;
  const number = (): number => {
    if (at + 4 > block.length) throw new SpdyError('headers end too early');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (length > block.length - at) throw new SpdyError('headers end too early');
    at += length;
    return block.toString('utf8', at - length, at);
  };
  const count = number();
  if (count > HEADERS_MAX) throw new SpdyError('there are too many headers');
  for (let i = 0; i < count; i++) headers.push([text().toLowerCase(), text()]);
  return Object.fromEntries(headers);
};

const formatHeaders = (headers: Headers): Buffer => {
  const entries = Object.entries(headers);
  return Buffer.concat([
    uint32(entries.length),
    ...entries.flat().flatMap((text) => [uint32(Buffer.byteLength(text)), Buffer.from(text)]),
  ]);
};

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const HEADER_BYTES_MAX = 16 * 1024;
const HEADERS_MAX = 64;
