import {
  applyPax,
  BLOCK_BYTES,
  decodeHeader,
  decodePax,
  TarError,
  type RawHeader,
  type TarEntry,
} from './tar-header';

/** Receives the archive in order: `entry`, its `data` in pieces, `entryEnd`. Throwing stops the parser. */
export interface TarHandler {
  entry(entry: TarEntry): void;
  /** Valid only during the call. */
  data(chunk: Buffer): void;
  entryEnd(): void;
}

/**
 * A push parser for tar archives: ustar, pax, GNU long names, old v7. Synchronous, so that a layer
 * of many small files costs no await per file. Memory is bounded: file data passes through, and
 * metadata has a limit.
 *
 *  header ──► data ──► padding ──► header ... ──two zero blocks──► end (the rest is ignored)
 */
export class TarParser {
  private state: 'header' | 'meta' | 'data' | 'padding' | 'end' = 'header';
  private readonly header = Buffer.alloc(BLOCK_BYTES);
  private headerBytes = 0;
  private remainingBytes = 0;
  private paddingBytes = 0;
  private zeroBlocks = 0;
  private meta: { readonly typeFlag: string; readonly chunks: Buffer[] } | undefined;
  private longPath: string | undefined;
  private longLink: string | undefined;
  private pax = new Map<string, string>();
  private readonly globalPax = new Map<string, string>();

  constructor(private readonly handler: TarHandler) {}

  /** @throws TarError, or what the handler throws. */
  push(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length && this.state !== 'end') {
      offset += this.step(chunk, offset);
    }
  }

  /** Bytes up to the next header, which the caller may leave out by calling `skip`. */
  get skippableBytes(): number {
    return this.state === 'data' ? this.remainingBytes + this.paddingBytes : 0;
  }

  /** Continues as if `skippableBytes` had been pushed. */
  skip(): void {
    if (this.state !== 'data') return;
    this.remainingBytes = 0;
    this.paddingBytes = 0;
    this.endData();
  }

  /** Call after the last chunk. @throws TarError when the archive stops inside an entry. */
  end(): void {
    if (this.state === 'end') return;
    const isBetween = this.state === 'header' && this.headerBytes === 0;
    if (!isBetween || this.longPath !== undefined || this.pax.size > 0) {
      throw new TarError('unexpected end of archive');
    }
  }

  /** Consumes at least one byte and returns how many. */
  private step(chunk: Buffer, offset: number): number {
    const available = chunk.length - offset;
    switch (this.state) {
      case 'header':
        return this.stepHeader(chunk, offset);
      case 'meta':
      case 'data': {
        const count = Math.min(available, this.remainingBytes);
        const piece = chunk.subarray(offset, offset + count);
        if (this.meta === undefined) this.handler.data(piece);
        else this.meta.chunks.push(Buffer.from(piece));
        this.remainingBytes -= count;
        if (this.remainingBytes === 0) this.endData();
        return count;
      }
      case 'padding': {
        const count = Math.min(available, this.paddingBytes);
        this.paddingBytes -= count;
        if (this.paddingBytes === 0) this.state = 'header';
        return count;
      }
      case 'end':
        return available;
    }
  }

  private stepHeader(chunk: Buffer, offset: number): number {
    const count = Math.min(chunk.length - offset, BLOCK_BYTES - this.headerBytes);
    chunk.copy(this.header, this.headerBytes, offset, offset + count);
    this.headerBytes += count;
    if (this.headerBytes === BLOCK_BYTES) {
      this.headerBytes = 0;
      this.takeHeader();
    }
    return count;
  }

  private takeHeader(): void {
    if (this.header.equals(ZERO_BLOCK)) {
      if (++this.zeroBlocks === 2) this.state = 'end';
      return;
    }
    this.zeroBlocks = 0;
    const raw = decodeHeader(this.header);
    if (META_TYPES.has(raw.typeFlag)) this.startMeta(raw);
    else this.startEntry(raw);
  }

  private startMeta({ typeFlag, sizeBytes }: RawHeader): void {
    if (sizeBytes > META_MAX_BYTES) throw new TarError('extended header is too large');
    this.meta = { typeFlag, chunks: [] };
    this.startData(sizeBytes, 'meta');
  }

  private startEntry(raw: RawHeader): void {
    const pax = new Map([...this.globalPax, ...this.pax]);
    const named = {
      ...raw,
      path: this.longPath ?? raw.path,
      linkPath: this.longLink ?? raw.linkPath,
    };
    this.pax = new Map();
    this.longPath = undefined;
    this.longLink = undefined;
    const entry = applyPax(named, pax);
    this.handler.entry(entry);
    this.startData(entry.sizeBytes, 'data');
  }

  private startData(sizeBytes: number, state: 'meta' | 'data'): void {
    this.state = state;
    this.remainingBytes = sizeBytes;
    this.paddingBytes = (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
    if (sizeBytes === 0) this.endData();
  }

  private endData(): void {
    this.state = this.paddingBytes === 0 ? 'header' : 'padding';
    if (this.meta === undefined) {
      this.handler.entryEnd();
      return;
    }
    const { typeFlag, chunks } = this.meta;
    this.meta = undefined;
    this.takeMeta(typeFlag, Buffer.concat(chunks));
  }

  private takeMeta(typeFlag: string, data: Buffer): void {
    const name = data.toString('latin1').replace(/\0.*$/s, '');
    if (typeFlag === 'L') this.longPath = name;
    else if (typeFlag === 'K') this.longLink = name;
    else if (typeFlag === 'x') this.pax = decodePax(data);
    else for (const [key, value] of decodePax(data)) this.globalPax.set(key, value);
    if (this.globalPax.size > GLOBAL_PAX_MAX) throw new TarError('too many global pax records');
  }
}

const ZERO_BLOCK = Buffer.alloc(BLOCK_BYTES);
const META_TYPES = new Set(['x', 'g', 'L', 'K']);
const META_MAX_BYTES = 1024 * 1024;
const GLOBAL_PAX_MAX = 256;
