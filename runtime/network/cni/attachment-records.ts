import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

import {
  ensurePrivateFolder,
  readFileIfPresent,
  replaceFile,
  syncFolder,
} from '../../../lib/files';
import { parseJson, stringifyJson } from '../../../lib/json';
import { describeError, type Log } from '../../../lib/log';
import type { Attaching } from './chain';
import { networkText, parseNetwork } from './network-config';

/** Who is attached, or was about to be; without a result the ADD has not been seen to end. */
export interface AttachmentRecord extends Attaching {
  readonly result?: unknown;
}

/**
 * What DEL and CHECK must be told again, a file for each sandbox, in libcni's format and under its
 * names: its tools read them. Written before the first plugin is called, so that nothing is attached
 * that nobody knows of.
 */
export class AttachmentRecords {
  private constructor(private readonly folder: string) {}

  static async open(folder: string): Promise<AttachmentRecords> {
    await ensurePrivateFolder(folder);
    return new AttachmentRecords(folder);
  }

  /** One that cannot be read is told of and left there: somebody may make something of it. */
  async list(log: Log): Promise<readonly AttachmentRecord[]> {
    const records: AttachmentRecord[] = [];
    for (const name of await readdir(this.folder)) {
      if (name.startsWith('.')) continue;
      try {
        const text = await readFileIfPresent(join(this.folder, name));
        if (text !== undefined) records.push(recordOf(text));
      } catch (error) {
        log.error({ record: name, err: describeError(error) }, 'cannot read a CNI attachment');
      }
    }
    return records;
  }

  put(record: AttachmentRecord): Promise<void> {
    return replaceFile(this.fileOf(record), textOf(record));
  }

  /** Idempotent. */
  async remove(record: AttachmentRecord): Promise<void> {
    await rm(this.fileOf(record), { force: true });
    await syncFolder(this.folder);
  }

  private fileOf(record: AttachmentRecord): string {
    return join(this.folder, recordNameOf(record));
  }
}

/** Pure: libcni's name of the file, but for one that no folder would hold: then the end is a hash of it. */
export const recordNameOf = ({ network, sandboxId, interfaceName }: Attaching): string => {
  const name = `${network.name}-${sandboxId}-${interfaceName}`;
  if (Buffer.byteLength(name) <= NAME_BYTES_MAX) return name;
  const hash = createHash('sha256').update(name).digest('hex');
  return `${network.name.slice(0, NAME_BYTES_MAX - hash.length - 1)}-${hash}`;
};

/** NAME_MAX, and what is put around a name while its file is written. */
const NAME_BYTES_MAX = 255 - 14;

/** The file of libcni that holds a cached result. */
const KIND = 'cniCacheV1';

const textOf = (record: AttachmentRecord): string =>
  stringifyJson({
    kind: KIND,
    containerId: record.sandboxId,
    config: Buffer.from(networkText(record.network)).toString('base64'),
    ifName: record.interfaceName,
    networkName: record.network.name,
    netns: record.netnsPath,
    cniArgs: Object.entries(record.args),
    capabilityArgs: record.capabilityArgs,
    result: record.result,
  });

const recordOf = (text: string): AttachmentRecord => {
  const file = fileSchema.parse(parseJson(text));
  return {
    network: parseNetwork(Buffer.from(file.config, 'base64'), true),
    sandboxId: file.containerId,
    netnsPath: file.netns,
    interfaceName: file.ifName,
    args: Object.fromEntries(file.cniArgs),
    capabilityArgs: file.capabilityArgs,
    ...(file.result === undefined ? {} : { result: file.result }),
  };
};

const fileSchema = z.object({
  kind: z.literal(KIND),
  containerId: z.string().min(1),
  config: z.string(),
  ifName: z.string().min(1),
  netns: z.string().default(''),
  cniArgs: z.array(z.tuple([z.string(), z.string()])).default([]),
  capabilityArgs: z.record(z.string(), z.unknown()).default({}),
  result: z.record(z.string(), z.unknown()).optional(),
});
