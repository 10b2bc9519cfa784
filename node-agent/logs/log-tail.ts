import { parseLogLine } from '../../runtime/containers';
import type { LogFile } from './log-files';

const BLOCK_BYTES = 64 * 1024;

export interface LogPosition {
  readonly fileIndex: number;
  readonly offset: number;
}

/** Where the last `lineCount` lines begin, read from the end backwards. */
export const tailStart = async (
  files: readonly LogFile[],
  lineCount: number,
): Promise<LogPosition> => {
  let left = lineCount;
  for (let fileIndex = files.length - 1; fileIndex >= 0; fileIndex--) {
    const file = files[fileIndex];
    if (file === undefined) break;
    const { size } = await file.handle.stat();
    // The position after the line that ends just before the wanted ones.
    for await (const { line, end } of linesBackwards(file, size)) {
      if (parseLogLine(line)?.isPartial !== false) continue;
      if (left === 0) return { fileIndex, offset: end };
      left--;
    }
  }
  return { fileIndex: 0, offset: 0 };
};

/** Whole lines from the last to the first, each with the offset of its end. */
async function* linesBackwards(
  { handle }: LogFile,
  size: number,
): AsyncIterable<{ readonly line: string; readonly end: number }> {
  let rest: Buffer = Buffer.alloc(0);
  let lineEnd: number | undefined;
  for (let blockEnd = size; blockEnd > 0;) {
    const start = Math.max(0, blockEnd - BLOCK_BYTES);
    const block = Buffer.alloc(blockEnd - start);
    await handle.read(block, 0, block.length, start);
    let pending = Buffer.concat([block, rest]);
    for (;;) {
      // Before the first newline from the end lies a line that is still being written.
      const newline = pending.lastIndexOf(10);
      if (newline < 0) break;
      if (lineEnd !== undefined)
        yield { line: pending.subarray(newline + 1).toString(), end: lineEnd };
      lineEnd = start + newline + 1;
      pending = pending.subarray(0, newline);
    }
    rest = pending;
    blockEnd = start;
  }
  if (lineEnd !== undefined) yield { line: rest.toString(), end: lineEnd };
}
