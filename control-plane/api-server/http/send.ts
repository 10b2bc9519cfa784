import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ApiResponse } from './exchange';
import { timedController } from '../../../lib/async/timed-controller';
import { systemClock } from '../../../lib/clock';
import { readSteadily } from './steady-reading';
import type { UnreadBytes } from './unread-bytes';

interface SendOptions {
  readonly omitsBody: boolean;
  readonly signal: AbortSignal;
  readonly unread: UnreadBytes;
}

/** Writes an answer; a stream until it ends or the peer goes away or stops reading. */
export const send = async (
  response: ServerResponse,
  { status, headers = {}, body = '', isBatched = false }: ApiResponse,
  { omitsBody, signal, unread }: SendOptions,
): Promise<void> => {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers))
    response.setHeader(name, typeof value === 'string' ? value : [...value]);
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    response.setHeader('content-length', bytes.byteLength);
    response.end(omitsBody ? undefined : bytes);
    readSteadily(response.socket);
    unread.note(response);
    return;
  }
  response.flushHeaders();
  const writer = new CoalescingWriter(response, unread);
  for await (const chunk of body) {
    if (response.destroyed) break;
    writer.push(chunk);
    if (isBatched) writer.flush();
    else writer.flushSoon();
    if (writer.isFull && !(await writer.drained(signal))) break;
  }
  writer.flush();
  if (!response.destroyed) response.end();
};

/**
 * Joins what arrives within one turn of the event loop into one write: the system call, not the
 * bytes, is what a busy watch costs.
 */
class CoalescingWriter {
  private pending: Uint8Array[] = [];
  private pendingBytes = 0;
  private isScheduled = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly unread: UnreadBytes,
  ) {}

  get isFull(): boolean {
    return this.pendingBytes + this.response.writableLength > MAX_BUFFERED_BYTES;
  }

  push(chunk: Uint8Array): void {
    this.pending.push(chunk);
    this.pendingBytes += chunk.byteLength;
  }

  flushSoon(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => this.flush());
  }

  flush(): void {
    this.isScheduled = false;
    if (this.pending.length === 0 || this.response.destroyed) return;
    const [first = EMPTY] = this.pending;
    this.response.write(this.pending.length === 1 ? first : Buffer.concat(this.pending));
    this.pending = [];
    this.pendingBytes = 0;
    readSteadily(this.response.socket);
    this.unread.note(this.response);
  }

  /** False when the peer has not read for too long: it is cut off, and starts over. */
  async drained(signal: AbortSignal): Promise<boolean> {
    this.flush();
    if (!this.response.writableNeedDrain) return true;
    using limit = timedController(systemClock, SLOW_READER_MS, signal);
    try {
      await once(this.response, 'drain', { signal: limit.signal });
      return true;
    } catch {
      this.response.destroy();
      return false;
    }
  }
}

const EMPTY = new Uint8Array(0);
/** Thousands of readers may be slow at once. */
const MAX_BUFFERED_BYTES = 256 * 1024;
const SLOW_READER_MS = 30_000;
