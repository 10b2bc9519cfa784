import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  type Stats,
} from 'node:fs';

import { hasErrorCode } from '../files';

/**
 * Adds up what trees take on disk, as du does: blocks, of folders too, a file of several names once.
 * Whoever makes the trees may be hostile and go on changing them meanwhile: names need not be text,
 * nothing is followed or crossed into another file system, and what vanishes counts for nothing. Every
 * folder is held by its descriptor, so that none can be put elsewhere between two looks; what lies too
 * deep for that comes later, from the root again, name by name.
 */
export class DiskWalk {
  /** False once something could not be counted. */
  isWhole = true;
  private entriesLeft: number;
  private blocks = 0;
  private inodes = 0;
  /** Names from the root to where the walk is. */
  private readonly names: string[] = [];
  /** The same of folders that are left for later. */
  private readonly deeper: (readonly string[])[] = [];
  private deeperBytes = 0;

  constructor(entriesMax: number = ENTRIES_MAX) {
    this.entriesLeft = entriesMax;
  }

  /** At least this much is taken. */
  get bytes(): number {
    return Math.round(this.blocks * BLOCK_BYTES);
  }

  /** At least so many files and folders. */
  get inodeCount(): number {
    return Math.round(this.inodes);
  }

  /** Yields after each entry: stop there, and all descriptors are closed. */
  *walk(root: string): Generator<undefined> {
    const stats = this.attempt(() => lstatSync(root));
    if (stats === undefined) return;
    this.count(stats);
    if (!stats.isDirectory()) return;
    this.deeper.push([]);
    for (let names = this.deeper.pop(); names !== undefined; names = this.deeper.pop()) {
      this.deeperBytes -= sizeOf(names);
      this.names.splice(0, Infinity, ...names);
      yield* this.hold(this.openBelow(root, names), stats.dev, 0);
    }
  }

  /** Undefined when it is not there any more. */
  private openBelow(root: string, names: readonly string[]): number | undefined {
    let fd = this.attempt(() => openSync(root, FOLDER_ONLY));
    for (const name of names) {
      if (fd === undefined) return undefined;
      const path = Buffer.from(`/proc/self/fd/${fd}/${name}`, 'latin1');
      const next = this.attempt(() => openSync(path, FOLDER_ONLY));
      closeSync(fd);
      fd = next;
    }
    return fd;
  }

  private *enter(path: Buffer, device: number, depth: number): Generator<undefined> {
    if (depth >= LEVELS_MAX) {
      this.leaveForLater();
      return;
    }
    yield* this.hold(
      this.attempt(() => openSync(path, FOLDER_ONLY)),
      device,
      depth,
    );
  }

  private leaveForLater(): void {
    const bytes = sizeOf(this.names);
    if (this.deeperBytes + bytes > DEEPER_MAX_BYTES) {
      this.isWhole = false;
      return;
    }
    this.deeperBytes += bytes;
    this.deeper.push([...this.names]);
  }

  private *hold(fd: number | undefined, device: number, depth: number): Generator<undefined> {
    if (fd === undefined) return;
    try {
      if (fstatSync(fd).dev === device) yield* this.read(`/proc/self/fd/${fd}`, device, depth);
    } finally {
      closeSync(fd);
    }
  }

  private *read(path: string, device: number, depth: number): Generator<undefined> {
    // Each byte of a name becomes one character, and back.
    const folder = this.attempt(() => opendirSync(path, { encoding: 'latin1', bufferSize: 256 }));
    if (folder === undefined) return;
    try {
      for (;;) {
        const entry = this.attempt(() => folder.readSync());
        if (entry === undefined || entry === null) return;
        if (--this.entriesLeft < 0) {
          this.isWhole = false;
          return;
        }
        const child = Buffer.from(`${path}/${entry.name}`, 'latin1');
        const stats = this.attempt(() => lstatSync(child));
        if (stats?.dev === device) this.count(stats);
        yield;
        if (stats?.dev !== device || !stats.isDirectory()) continue;
        this.names.push(entry.name);
        yield* this.enter(child, device, depth + 1);
        this.names.pop();
      }
    } finally {
      folder.closeSync();
    }
  }

  /** Of a file with several names each counts its share: together once, and nothing to remember. */
  private count(stats: Stats): void {
    const nameCount = stats.isDirectory() ? 1 : Math.max(1, stats.nlink);
    this.blocks += stats.blocks / nameCount;
    this.inodes += 1 / nameCount;
  }

  /** Undefined when there is nothing to be had. */
  private attempt<T>(look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      if (!hasErrorCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) this.isWhole = false;
      return undefined;
    }
  }
}

/** Of `st_blocks`, whatever the file system's own are. */
const BLOCK_BYTES = 512;
const FOLDER_ONLY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Each holds two descriptors. */
const LEVELS_MAX = 100;

/** Of names to come back to: a chain of many thousand folders, or very many that branch off so deep. */
const DEEPER_MAX_BYTES = 8 * 1024 * 1024;

const sizeOf = (names: readonly string[]): number =>
  names.reduce((sum, name) => sum + name.length + NAME_BYTES, 0);

/** What each takes beside its characters. */
const NAME_BYTES = 16;
/** Far more than a node's disk has room for. */
const ENTRIES_MAX = 50_000_000;
