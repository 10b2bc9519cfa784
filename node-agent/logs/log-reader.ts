import type { Clock } from '../../lib/clock';
import { parseLogLine, type LogLine } from '../../runtime/containers';
import { closeAll, inodeOf, openLogFiles, type LogFile } from './log-files';
import { LineReader } from './line-reader';
import { tailStart } from './log-tail';
import { linesLost, lossMarker } from './lost-lines';

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  /** Lines before this are left out. */
  readonly sinceMs?: number;
  readonly limitBytes?: number;
}

export interface LogSource {
  readonly path: string;
  /** True once nothing more will be written. */
  readonly isEnded: () => boolean;
  readonly clock: Clock;
}

const POLL_MS = 100;

/**
 * The text of a container's log, over rotated files, each line once and in order. `follow` goes on
 * until the container has ended; when rotation deleted lines before they were read, a line says how
 * many.
 */
export async function* readLog(
  source: LogSource,
  options: LogOptions,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  let leftBytes = options.limitBytes ?? Infinity;
  const formatter = new LineFormatter(options);
  for await (const chunk of rawChunks(source, options, signal)) {
    const text = formatter.format(chunk);
    if (text.length === 0) continue;
    yield text.subarray(0, Math.min(text.length, leftBytes));
    leftBytes -= text.length;
    if (leftBytes <= 0) return;
  }
}

/** Whole lines as they are in the files. */
async function* rawChunks(
  source: LogSource,
  { follow, tailLines }: LogOptions,
  signal: AbortSignal,
): AsyncIterable<Buffer> {
  let files = [...(await openLogFiles(source.path))];
  try {
    const start = tailLines === undefined ? undefined : await tailStart(files, tailLines);
    const skipped = files.splice(0, start?.fileIndex ?? 0);
    await closeAll(skipped);
    let offset = start?.offset ?? 0;
    while (!signal.aborted) {
      const [file] = files;
      if (file === undefined) {
        if (!follow || source.isEnded()) return;
        await source.clock.sleep(POLL_MS, signal);
        files = [...(await openLogFiles(source.path))];
        continue;
      }
      // Asked before reading: what was written before the end is then read.
      const wasEnded = source.isEnded();
      const reader = new LineReader(file, offset);
      for (;;) {
        const lines = await reader.next();
        if (lines === undefined) break;
        yield lines;
        if (aborted(signal)) return;
      }
      offset = reader.offset;
      if (files.length > 1) {
        await closeAll(files.splice(0, 1));
        offset = 0;
      } else if (!follow) return;
      else if ((await inodeOf(source.path)) === file.inode) {
        if (wasEnded) return;
        await source.clock.sleep(POLL_MS, signal);
      } else {
        const { next, hasGap } = await filesAfter(source.path, file);
        yield* drain(file, offset);
        if (hasGap) yield lossMarker(await linesLost(file, next), source.clock.now());
        await closeAll(files);
        files = next;
        offset = 0;
      }
    }
  } finally {
    await closeAll(files);
  }
}

/** After a rotation: the files written since `last`, and whether some between are gone. */
const filesAfter = async (path: string, last: LogFile) => {
  const files = await openLogFiles(path);
  const position = files.findIndex(({ inode }) => inode === last.inode);
  await closeAll(files.slice(0, position + 1));
  // Not among them, it was rotated away, and others may have gone with it. With no file left at all
  // the container was removed: nothing followed what was read.
  return { next: files.slice(position + 1), hasGap: position < 0 && files.length > 0 };
};

/** What was written to a file between the last look and its renaming. */
async function* drain(file: LogFile, offset: number): AsyncIterable<Buffer> {
  const reader = new LineReader(file, offset);
  for (let lines = await reader.next(); lines !== undefined; lines = await reader.next())
    yield lines;
}

/** From lines in the CRI format to what a reader sees. */
class LineFormatter {
  /** The entry before, of the same stream, was the beginning of this line. */
  private readonly continues = { stdout: false, stderr: false };

  constructor(private readonly options: LogOptions) {}

  /** What a container writes need not be text, and a letter may lie in two entries: bytes stay bytes. */
  format(chunk: Buffer): Buffer {
    const lines = chunk.toString('latin1').split('\n');
    return Buffer.from(lines.map((raw) => this.formatLine(parseLogLine(raw))).join(''), 'latin1');
  }

  private formatLine(line: LogLine | undefined): string {
    if (line === undefined) return '';
    const { sinceMs, timestamps } = this.options;
    const isContinued = this.continues[line.stream];
    this.continues[line.stream] = line.isPartial;
    if (sinceMs !== undefined && Date.parse(line.timestamp) < sinceMs) return '';
    const stamp = timestamps && !isContinued ? `${line.timestamp} ` : '';
    return `${stamp}${line.text}${line.isPartial ? '' : '\n'}`;
  }
}

// Behind a call, so that the compiler does not take an earlier look for the present one.
const aborted = (signal: AbortSignal): boolean => signal.aborted;
