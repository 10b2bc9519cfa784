import {
  mkdir,
  open,
  readdir,
  readFile,
  stat,
  truncate,
  unlink,
  type FileHandle,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../lib/clock';
import type { Log } from '../../../lib/log';

export interface SegmentsDeps {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Default 8 MiB. */
  readonly segmentBytesMax?: number;
  /** Default 8. The oldest file goes when there would be more. */
  readonly segmentCountMax?: number;
}

/**
 * Lines in append-only files, oldest deleted first. `append` never blocks and never fails: lines
 * reach the kernel in the background, so they survive a crash of the process; `fdatasync` runs at
 * most once a second, so a power cut may lose the last second. Records are a log of what happened,
 * not the truth about anything: losing the last is harmless.
 */
export class Segments implements AsyncDisposable {
  private file: FileHandle | undefined;
  private fileBytes = 0;
  private names: string[] = [];
  private pending: string[] = [];
  private writing: Promise<void> | undefined;
  private droppedCount = 0;
  private syncedAtMs = 0;
  private isDirty = false;
  private isFailing = false;

  constructor(private readonly deps: SegmentsDeps) {}

  /**
   * Opens the folder and returns the lines of the newest files, oldest first, at most `lineCountMax`.
   * A line that a crash tore is cut off.
   */
  async load(lineCountMax: number): Promise<readonly string[]> {
    const { dir } = this.deps;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    this.names = (await readdir(dir)).filter((name) => SEGMENT_NAME.test(name)).sort();
    await this.cutTornLine();
    let lines: string[] = [];
    for (const name of [...this.names].reverse()) {
      if (lines.length >= lineCountMax) break;
      lines = [...(await this.linesOf(name)), ...lines];
    }
    return lines.slice(-lineCountMax);
  }

  append(line: string): void {
    if (this.pending.length >= PENDING_MAX) {
      this.droppedCount++;
      return;
    }
    this.pending.push(line);
    this.writing ??= this.drain().finally(() => (this.writing = undefined));
  }

  /** Resolves when all lines so far are on disk. */
  async flush(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
    await this.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.flush();
      await this.file?.close();
    } catch (error) {
      this.deps.log.error({ err: error }, 'decision records not closed cleanly');
    }
    this.file = undefined;
  }

  private async drain(): Promise<void> {
    while (this.pending.length > 0) {
      const lines = this.pending;
      this.pending = [];
      try {
        await this.write(Buffer.from(lines.map((line) => `${line}\n`).join('')));
        this.reportRecovery();
      } catch (error) {
        this.droppedCount += lines.length;
        if (!this.isFailing) this.deps.log.error({ err: error }, 'decision records not written');
        this.isFailing = true;
        await this.file?.close().catch(() => undefined);
        this.file = undefined;
      }
    }
  }

  private async write(bytes: Buffer): Promise<void> {
    const { segmentBytesMax = SEGMENT_BYTES_MAX, clock } = this.deps;
    if (this.file === undefined || this.fileBytes + bytes.length > segmentBytesMax) {
      await this.rotate();
    }
    await this.file?.appendFile(bytes);
    this.fileBytes += bytes.length;
    this.isDirty = true;
    if (clock.monotonicMs() - this.syncedAtMs >= SYNC_INTERVAL_MS) await this.sync();
  }

  private async sync(): Promise<void> {
    if (!this.isDirty) return;
    this.isDirty = false;
    this.syncedAtMs = this.deps.clock.monotonicMs();
    await this.file?.datasync();
  }

  private async rotate(): Promise<void> {
    const { dir, segmentBytesMax = SEGMENT_BYTES_MAX } = this.deps;
    const newest = this.names.at(-1);
    const isFirstOpen = this.file === undefined && !this.isFailing;
    await this.sync();
    await this.file?.close();
    this.file = undefined;
    // Whoever cleared the folder under a running server gets it back.
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const size = newest === undefined ? 0 : await sizeOf(join(dir, newest));
    const name =
      isFirstOpen && newest !== undefined && size < segmentBytesMax ? newest : nextName(newest);
    this.file = await open(join(dir, name), 'a', 0o600);
    this.fileBytes = await sizeOf(join(dir, name));
    if (name !== newest) this.names.push(name);
    await this.deleteOldest();
  }

  private async deleteOldest(): Promise<void> {
    const { dir, segmentCountMax = SEGMENT_COUNT_MAX } = this.deps;
    while (this.names.length > segmentCountMax) {
      const [oldest = ''] = this.names.splice(0, 1);
      await unlink(join(dir, oldest)).catch(() => undefined);
    }
  }

  private async cutTornLine(): Promise<void> {
    const newest = this.names.at(-1);
    if (newest === undefined) return;
    const path = join(this.deps.dir, newest);
    const bytes = await readFile(path);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end === bytes.length) return;
    this.deps.log.warn({ file: newest, bytes: bytes.length - end }, 'torn decision record cut off');
    await truncate(path, end);
  }

  private async linesOf(name: string): Promise<readonly string[]> {
    const text = await readFile(join(this.deps.dir, name), 'utf8');
    return text.split('\n').filter((line) => line !== '');
  }

  private reportRecovery(): void {
    this.isFailing = false;
    if (this.droppedCount === 0) return;
    this.deps.log.warn({ count: this.droppedCount }, 'decision records dropped');
    this.droppedCount = 0;
  }
}

const nextName = (newest: string | undefined): string => {
  const number = newest === undefined ? 0 : Number(newest.slice(0, NUMBER_LENGTH));
  return `${String(number + 1).padStart(NUMBER_LENGTH, '0')}.jsonl`;
};

const sizeOf = async (path: string): Promise<number> =>
  (await stat(path).catch(() => ({ size: 0 }))).size;

const NUMBER_LENGTH = 10;
const SEGMENT_NAME = /^\d{10}\.jsonl$/;
const NEWLINE = 0x0a;
const SEGMENT_BYTES_MAX = 8 * 1024 * 1024;
const SEGMENT_COUNT_MAX = 8;
const SYNC_INTERVAL_MS = 1_000;
const PENDING_MAX = 10_000;
