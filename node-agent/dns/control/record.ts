import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import type { Clock } from '../../../lib/clock';
import { parseJson, stringifyJson } from '../../../lib/json';
import { isRunning, stopProcess } from '../../../lib/process-identity';
import { writeFileAtomic } from '../../files';

/** The resolver that answers on this node. It writes so itself, once it does. */
const recordSchema = z.object({
  pid: z.number().int().positive(),
  startTime: z.string(),
  /** Of its program: another is taken over from. */
  version: z.string(),
});

export type ResolverRecord = Readonly<z.output<typeof recordSchema>>;

/** Undefined when there is none, or none that can be read. */
export const readRecord = (directory: string): ResolverRecord | undefined => {
  try {
    return recordSchema.parse(parseJson(readFileSync(recordPath(directory), 'utf8')));
  } catch {
    return undefined;
  }
};

export const writeRecord = (directory: string, record: ResolverRecord): void =>
  writeFileAtomic(recordPath(directory), stringifyJson(record));

/** Where a node's resolvers keep all this, in the run folder of its agent. */
export const RESOLVER_FOLDER = 'dns';

/** Where the resolver with a pid is spoken to. */
export const controlPath = (directory: string, pid: number): string =>
  join(directory, `${pid}.sock`);

/** Of every resolver that there is or was. */
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

/** Ends the resolver of a node that runs no pods any more. Idempotent. */
export const stopResolver = async (directory: string, clock: Clock): Promise<void> => {
  const record = readRecord(directory);
  if (record !== undefined && (await isRunning(record)))
    await stopProcess(record, clock, STOP_GRACE_MS);
};

const recordPath = (directory: string): string => join(directory, 'resolver.json');

const STOP_GRACE_MS = 2_000;
