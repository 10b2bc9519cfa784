import { setImmediate } from 'node:timers/promises';

import { DiskWalk } from './disk-walk';

/** Trees whose use counts together. Plain data: it crosses to a worker thread. */
export interface MeterPart {
  readonly paths: readonly string[];
  /** Beyond this it does not matter how much more it is. */
  readonly limitBytes?: number;
}

export interface MeterJob {
  readonly parts: readonly MeterPart[];
  /** Of all parts together. */
  readonly limitBytes?: number;
}

export interface MeterReading {
  /** Of each part, in their order. The walk ends early where a limit is exceeded. */
  readonly bytes: readonly number[];
  readonly inodes: readonly number[];
  /** False when something could not be counted: then it is at least this much. */
  readonly isWhole: boolean;
}

/** Measures in short steps: jobs that go on at the same time get the thread in turns. */
export const measure = async (
  { parts, limitBytes = Infinity }: MeterJob,
  isCancelled: () => boolean,
): Promise<MeterReading> => {
  const bytes = parts.map(() => 0);
  const inodes = parts.map(() => 0);
  let isWhole = true;
  let before = 0;
  let count = 0;
  for (const [index, { paths, limitBytes: partLimit = Infinity }] of parts.entries()) {
    const walk = new DiskWalk();
    const isOver = () => walk.bytes > partLimit || before + walk.bytes > limitBytes;
    for (const _ of entriesOf(walk, paths)) {
      if (isOver()) break;
      if (++count % ENTRIES_AT_ONCE !== 0) continue;
      await setImmediate();
      if (isCancelled()) throw new Error('cancelled');
    }
    bytes[index] = walk.bytes;
    inodes[index] = walk.inodeCount;
    isWhole &&= walk.isWhole;
    if (isOver()) break;
    before += walk.bytes;
  }
  return { bytes, inodes, isWhole };
};

function* entriesOf(walk: DiskWalk, paths: readonly string[]): Generator<undefined> {
  for (const path of paths) yield* walk.walk(path);
}

/** A walk remembers next to nothing. */
export const METER_HEAP_MAX_MB = 64;
/** Some milliseconds' worth. */
const ENTRIES_AT_ONCE = 256;
