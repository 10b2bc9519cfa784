import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import type { Clock } from '../../lib/clock';
import { parseJson, stringifyJson } from '../../lib/json';
import { isRunning, stopProcess } from '../../lib/process-identity';
import { writeFileAtomic } from '../files';

/** The companion that serves on this node. It writes so itself, once it does. */
const recordSchema = z.object({
  pid: z.number().int().positive(),
  startTime: z.string(),
  /** Of its program: another is taken over from. */
  version: z.string(),
});

export type CompanionRecord = Readonly<z.output<typeof recordSchema>>;

/** Undefined when there is none, or none that can be read. */
export const readRecord = (directory: string): CompanionRecord | undefined => {
  try {
    return recordSchema.parse(parseJson(readFileSync(recordPath(directory), 'utf8')));
  } catch {
    return undefined;
  }
};

export const writeRecord = (directory: string, record: CompanionRecord): void =>
  writeFileAtomic(recordPath(directory), stringifyJson(record));

/** Where the companion with a pid is spoken to. */
export const controlPath = (directory: string, pid: number): string =>
  join(directory, `${pid}.sock`);

/** Of every one that there is or was. */
export const controlledPids = (directory: string): readonly number[] => {
  try {
    return readdirSync(directory).flatMap((name) => {
      const pid = /^(\d+)\.sock$/.exec(name)?.[1];
      return pid === undefined ? [] : [Number(pid)];
    });
  } catch {
    return [];
  }
};

/** Ends the companion of a node that runs no pods any more. Idempotent. */
export const stopCompanion = async (directory: string, clock: Clock): Promise<void> => {
  const record = readRecord(directory);
  if (record !== undefined && (await isRunning(record)))
    await stopProcess(record, clock, STOP_GRACE_MS);
};

/** Where a node's companions keep all this, each its own, in the run folder of their agent. */
export const COMPANION_FOLDER = { resolver: 'dns', ingress: 'ingress' } as const;

const recordPath = (directory: string): string => join(directory, 'serving.json');

const STOP_GRACE_MS = 2_000;
