import {
  closeSync,
  constants,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { TarParser, type TarHandler } from '../../runtime/rootfs/tar-parser';
import type { TarEntry } from '../../runtime/rootfs/tar-header';
import { UsageError } from '../usage-error';

export interface UnpackOptions {
  /** What the first member is to be called here; the rest goes below it. */
  readonly target: string;
  /** The first part of every member's path. */
  readonly prefix: string;
  readonly keepsModes: boolean;
  readonly bytesMax: number;
  readonly onSkipped: (what: string) => void;
}

/**
 * Writes what a container sends, which may be anything: only files and folders, only at `target` or
 * below, through no link, and no more than so much. @throws UsageError, TarError
 */
export class Unpacker implements TarHandler, Disposable {
  private readonly parser = new TarParser(this);
  private file: number | undefined;
  private bytes = 0;
  private entries = 0;

  constructor(private readonly options: UnpackOptions) {}

  /** How many files and folders there were. */
  get count(): number {
    return this.entries;
  }

  push(chunk: Buffer): void {
    this.parser.push(chunk);
  }

  end(): void {
    this.parser.end();
  }

  entry(entry: TarEntry): void {
    this.entries += 1;
    if (this.entries > ENTRIES_MAX) throw new UsageError(`more than ${ENTRIES_MAX} files are sent`);
    this.bytes += entry.sizeBytes;
    if (this.bytes > this.options.bytesMax) {
      throw new UsageError(`more than ${this.options.bytesMax} bytes are sent: see --max-bytes`);
    }
    const parts = partsOf(entry.path, this.options.prefix);
    if (entry.type === 'directory') this.folder(parts);
    else if (entry.type === 'file') this.open(parts, entry.mode);
    else this.options.onSkipped(`${entry.type} ${entry.path}`);
  }

  data(chunk: Buffer): void {
    if (this.file === undefined) return;
    for (let at = 0; at < chunk.length;) at += writeSync(this.file, chunk, at);
  }

  entryEnd(): void {
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }

  private open(parts: readonly string[], mode: number): void {
    if (parts.length > 0) this.folder(parts.slice(0, -1));
    const path = join(this.options.target, ...parts);
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;
    this.file = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0o644);
    // Never set-uid, whatever is sent.
    if (this.options.keepsModes) fchmodSync(this.file, mode & 0o777);
  }

  private folder(parts: readonly string[]): void {
    let path = this.options.target;
    makeFolder(path, false);
    for (const part of parts) {
      path = join(path, part);
      makeFolder(path, true);
    }
  }
}

/** The parts of a path below what was asked for. @throws UsageError when it leads elsewhere */
const partsOf = (path: string, prefix: string): readonly string[] => {
  // Byte strings to text.
  const text = Buffer.from(path, 'latin1').toString();
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  const isBelow = prefix === '' || parts[0] === prefix;
  if (text.startsWith('/') || parts.includes('..') || text.includes('\0') || !isBelow) {
    throw new UsageError(
      `the container sends ${JSON.stringify(text)}, which is not below what was asked for`,
    );
  }
  return prefix === '' ? parts : parts.slice(1);
};

/** The target itself may be a link of the user's; below it none is followed. */
const makeFolder = (path: string, isBelow: boolean): void => {
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const stat = lstatSync(path);
    if (stat.isDirectory() || (!isBelow && stat.isSymbolicLink())) return;
    throw new UsageError(`${path} is there and is no folder`, { cause: error });
  }
};

const ENTRIES_MAX = 1_000_000;
