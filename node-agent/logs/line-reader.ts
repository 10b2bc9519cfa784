import type { LogFile } from './log-files';

const CHUNK_BYTES = 64 * 1024;

/** Whole lines of one file from an offset on; a line that is still being written waits. */
export class LineReader {
  constructor(
    private readonly file: LogFile,
    public offset: number,
  ) {}

  async next(): Promise<Buffer | undefined> {
    for (let size = CHUNK_BYTES; ; size *= 2) {
      const buffer = Buffer.alloc(size);
      const { bytesRead } = await this.file.handle.read(buffer, 0, size, this.offset);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
      if (end > 0) {
        this.offset += end;
        return buffer.subarray(0, end);
      }
      if (bytesRead < size) return undefined;
    }
  }
}
