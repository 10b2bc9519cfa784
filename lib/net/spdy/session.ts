import { Duplex } from 'node:stream';
import { Semaphore } from '../../async/semaphore';
import {
  dataFrame,
  FrameReader,
  openFrame,
  pingFrame,
  replyFrame,
  RESET_CANCEL,
  RESET_REFUSED,
  resetFrame,
  SpdyError,
  type Frame,
} from './frames';
import { HeaderCodec, type Headers } from './headers';

export interface SessionOptions {
  readonly role: 'client' | 'server';
  /** Gets each stream that the peer opens. */
  readonly onStream?: (stream: SpdyStream) => void;
  /** Of streams that the peer may have open at once; what is more is refused. */
  readonly streamsMax: number;
}

/**
 * Streams of SPDY/3.1 over one connection. Windows are not kept, as the other ends do not keep them:
 * who does not read one stream holds up all of them, and the connection with them.
 */
export class SpdySession implements Disposable {
  private readonly streams = new Map<number, SpdyStream>();
  private readonly reader = new FrameReader();
  private readonly codec = new HeaderCodec();
  private readonly turn = new Semaphore(1);
  private nextId: number;
  private lastPeerId = 0;

  constructor(
    private readonly connection: Duplex,
    private readonly options: SessionOptions,
  ) {
    this.nextId = options.role === 'client' ? 1 : 2;
  }

  /** Carries the streams until the connection ends; then all of them have ended. @throws SpdyError */
  async run(): Promise<void> {
    try {
      for await (const chunk of this.connection as AsyncIterable<Buffer>) {
        for (const frame of this.reader.read(chunk)) {
          if (frame.type === 'goAway') return;
          await this.take(frame);
        }
      }
    } finally {
      this[Symbol.dispose]();
    }
  }

  async open(headers: Headers): Promise<SpdyStream> {
    return this.turn.use(async () => {
      const block = await this.codec.encode(headers);
      const stream = new SpdyStream(this.nextId, headers, this.outlet);
      this.streams.set(stream.id, stream);
      this.nextId += 2;
      await this.send(openFrame(stream.id, block));
      return stream;
    });
  }

  [Symbol.dispose](): void {
    for (const stream of [...this.streams.values()]) stream.destroy();
    this.streams.clear();
    this.codec[Symbol.dispose]();
    this.connection.destroy();
  }

  private async take(frame: Frame): Promise<void> {
    switch (frame.type) {
      case 'open':
        return this.opened(frame);
      case 'reply':
      case 'headers':
        // They are part of what the next ones are compressed with.
        await this.codec.decode(frame.block);
        if (frame.isFinal) this.streams.get(frame.streamId)?.endInput();
        return;
      case 'data': {
        const stream = this.streams.get(frame.streamId);
        await stream?.takeInput(frame.data);
        if (frame.isFinal) stream?.endInput();
        return;
      }
      case 'reset':
        this.streams.get(frame.streamId)?.destroy();
        return;
      case 'ping':
        // Odd ones are the client's.
        if ((frame.id % 2 === 1) !== (this.options.role === 'client'))
          await this.send(pingFrame(frame.id));
        return;
      case 'goAway':
      case 'other':
    }
  }

  private async opened(
    frame: Extract<Frame, { type: 'open' | 'reply' | 'headers' }>,
  ): Promise<void> {
    const { streamId: id, isFinal, block } = frame;
    const headers = await this.codec.decode(block);
    const isTheirs = (id % 2 === 1) === (this.options.role === 'server');
    if (!isTheirs || id <= this.lastPeerId) throw new SpdyError(`a stream may not be number ${id}`);
    this.lastPeerId = id;
    const { onStream, streamsMax } = this.options;
    if (onStream === undefined || this.streams.size >= streamsMax) {
      await this.send(resetFrame(id, RESET_REFUSED));
      return;
    }
    const stream = new SpdyStream(id, headers, this.outlet);
    this.streams.set(id, stream);
    await this.turn.use(async () => this.send(replyFrame(id, await this.codec.encode({}))));
    if (isFinal) stream.endInput();
    onStream(stream);
  }

  private readonly outlet: Outlet = {
    data: (id, data, isFinal) => this.send(dataFrame(id, data, isFinal)),
    closed: (id, isWhole) => {
      if (!this.streams.delete(id) || isWhole) return;
      // The connection may have gone first.
      this.send(resetFrame(id, RESET_CANCEL)).catch(() => undefined);
    },
  };

  /** Resolves when the connection takes more. */
  private send(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.connection.write(bytes, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }
}

interface Outlet {
  readonly data: (id: number, data: Uint8Array, isFinal: boolean) => Promise<void>;
  readonly closed: (id: number, isWhole: boolean) => void;
}

/** One stream; each of its halves ends by itself. */
export class SpdyStream extends Duplex {
  private room: (() => void) | undefined;
  private isInputEnded = false;
  private isOutputEnded = false;

  constructor(
    readonly id: number,
    readonly headers: Headers,
    private readonly outlet: Outlet,
  ) {
    super({ readableHighWaterMark: BUFFER_BYTES, writableHighWaterMark: CHUNK_BYTES });
    // Whoever uses the stream sees its end; nobody need listen for more.
    this.on('error', () => undefined);
  }

  /** Resolves when there is room for more. */
  async takeInput(data: Buffer): Promise<void> {
    if (this.destroyed || this.isInputEnded || data.length === 0) return;
    if (this.push(data)) return;
    await new Promise<void>((resolve) => (this.room = resolve));
  }

  endInput(): void {
    if (this.isInputEnded) return;
    this.isInputEnded = true;
    this.push(null);
  }

  override _read(): void {
    this.room?.();
    this.room = undefined;
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.sendAll(chunk).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.isOutputEnded = true;
    this.outlet.data(this.id, Buffer.alloc(0), true).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.room?.();
    this.outlet.closed(this.id, this.isInputEnded && this.isOutputEnded);
    done(error);
  }

  private async sendAll(chunk: Buffer): Promise<void> {
    for (let start = 0; start < chunk.length; start += CHUNK_BYTES)
      await this.outlet.data(this.id, chunk.subarray(start, start + CHUNK_BYTES), false);
  }
}

const BUFFER_BYTES = 256 * 1024;
const CHUNK_BYTES = 32 * 1024;
