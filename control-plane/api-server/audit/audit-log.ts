import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import type { Clock } from '../../../lib/clock';
import type { Log } from '../../../lib/log';

export interface AuditLogOptions {
  readonly path: string;
  /** A file that has grown beyond this makes way for a new one. */
  readonly bytesMax: number;
  /** How many old files stay. */
  readonly backupsMax: number;
}

/**
 * Lines in a file that makes way for a new one when it is full: `audit.log.1` is the one before. Writing
 * never waits: lines are kept until the disk has taken them, and beyond a bound they are dropped, counted
 * and told of. A disk that is full or gone is tried again.
 */
export class AuditLog implements AsyncDisposable {
  private pending: string[] = [];
  private pendingBytes = 0;
  private file: FileHandle | undefined;
  private bytes = 0;
  private writing: Promise<void> | undefined;
  private toldAtMs = -Infinity;
  private lostCount = 0;

  constructor(
    private readonly options: AuditLogOptions,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** How many lines were never written. */
  get droppedCount(): number {
    return this.lostCount;
  }

  write(line: string): void {
    if (this.pendingBytes + line.length > PENDING_BYTES_MAX) {
      this.lost(1, new Error('the disk does not keep up'));
      return;
    }
    this.pending.push(line);
    this.pendingBytes += line.length;
    this.writing ??= this.drain();
  }

  /** Writes what it can. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.writing;
    await this.file?.close().catch(() => undefined);
    this.file = undefined;
  }

  private async drain(): Promise<void> {
    // What comes in one turn of the event loop goes in one write.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.pending.length > 0) {
      const lines = this.pending;
      [this.pending, this.pendingBytes] = [[], 0];
      try {
        await this.append(Buffer.from(`${lines.join('\n')}\n`));
      } catch (error) {
        this.lost(lines.length, error);
        await this.file?.close().catch(() => undefined);
        this.file = undefined;
      }
    }
    this.writing = undefined;
  }

  private async append(bytes: Buffer): Promise<void> {
    if (this.bytes > 0 && this.bytes + bytes.length > this.options.bytesMax) await this.rotate();
    if (this.file === undefined) {
      this.file = await open(this.options.path, 'a', 0o600);
      this.bytes = (await this.file.stat()).size;
      if (this.bytes > 0 && this.bytes + bytes.length > this.options.bytesMax) {
        await this.rotate();
        this.file = await open(this.options.path, 'a', 0o600);
      }
    }
    await this.file.appendFile(bytes);
    this.bytes += bytes.length;
  }

  private async rotate(): Promise<void> {
    const { path, backupsMax } = this.options;
    await this.file?.close();
    this.file = undefined;
    await rm(`${path}.${backupsMax}`, { force: true });
    for (let number = backupsMax - 1; number >= 0; number--)
      await renameIfThere(number === 0 ? path : `${path}.${number}`, `${path}.${number + 1}`);
    if (backupsMax === 0) await rm(path, { force: true });
    this.bytes = 0;
  }

  private lost(count: number, error: unknown): void {
    this.lostCount += count;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.toldAtMs < TELL_EVERY_MS) return;
    this.toldAtMs = nowMs;
    this.log.error(
      { path: this.options.path, err: error, dropped: this.lostCount },
      'audit events are lost',
    );
  }
}

const renameIfThere = async (from: string, to: string): Promise<void> => {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
};

const PENDING_BYTES_MAX = 16 * 1024 * 1024;
const TELL_EVERY_MS = 60_000;
