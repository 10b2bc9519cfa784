import { rfc3339Micro } from '../../lib/clock';
import { formatLogLine, parseLogLine } from '../../runtime/containers';
import { LineReader } from './line-reader';
import type { LogFile } from './log-files';

/**
 * How many whole lines were written after `last` and are in none of `next`, oldest first: what the
 * files that are gone held. Each file's first entry says how many lines came before it, so that only
 * `last` is read, which costs a part of what was written meanwhile. Undefined where the log is of a
 * monitor that did not count.
 */
export const linesLost = async (
  last: LogFile,
  next: readonly LogFile[],
): Promise<number | undefined> => {
  const beforeLast = await linesBefore(last);
  const beforeNext = await firstKnown(next);
  if (beforeLast === undefined || beforeNext === undefined) return undefined;
  const lost = beforeNext - beforeLast - (await wholeLinesIn(last));
  return lost < 0 ? undefined : lost;
};

/** An entry that stands for what is lost. */
export const lossMarker = (count: number | undefined, nowMs: number): Buffer =>
  Buffer.from(
    formatLogLine({
      timestamp: rfc3339Micro(nowMs),
      stream: 'stderr',
      isPartial: false,
      text: `[${subjectOf(count)} deleted by rotation before they could be read]`,
    }),
  );

const subjectOf = (count: number | undefined): string => {
  if (count === undefined) return 'some log lines were';
  // The line's last part is still there, or was read before.
  if (count === 0) return 'parts of a log line were';
  return count === 1 ? '1 log line was' : `${count} log lines were`;
};

/** A file may be empty, when a rotation was asked for twice. */
const firstKnown = async (files: readonly LogFile[]): Promise<number | undefined> => {
  for (const file of files) {
    const before = await linesBefore(file);
    if (before !== undefined) return before;
    if ((await file.handle.stat()).size > 0) return undefined;
  }
  return undefined;
};

const linesBefore = async ({ handle }: LogFile): Promise<number | undefined> => {
  const buffer = Buffer.alloc(HEAD_BYTES);
  const { bytesRead } = await handle.read(buffer, 0, HEAD_BYTES, 0);
  return parseLogLine(buffer.toString('latin1', 0, bytesRead))?.linesBefore;
};

const wholeLinesIn = async (file: LogFile): Promise<number> => {
  const reader = new LineReader(file, 0);
  let count = 0;
  for (let lines = await reader.next(); lines !== undefined; lines = await reader.next())
    count += wholeLinesOf(lines);
  return count;
};

/** Entries that end a line: `F` behind the second space. */
const wholeLinesOf = (lines: Buffer): number => {
  let count = 0;
  for (let start = 0; start < lines.length; start = lines.indexOf(NEWLINE, start) + 1) {
    const tag = lines.indexOf(SPACE, lines.indexOf(SPACE, start) + 1) + 1;
    if (lines[tag] === FULL) count++;
  }
  return count;
};

/** Longer than anything before an entry's text. */
const HEAD_BYTES = 128;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const FULL = 'F'.charCodeAt(0);
