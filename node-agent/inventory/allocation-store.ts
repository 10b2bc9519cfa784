// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- no container writes there
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import type { ContainerResources } from '../../api/pod-resources';
import { parseJson, stringifyJson } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import { hasErrorCode, listFolder, writeFileAtomic } from '../files';

/** What a pod was granted when it was resized last. */
export interface PodAllocation {
  /** What each container that can be resized may have, by name. */
  readonly allocated: Readonly<Record<string, ContainerResources>>;
  /** What is in force in containers that were resized since they were made, by runtime id. */
  readonly actuated: Readonly<Record<string, ContainerResources>>;
  /** The pod's generation that asked for what is not in force yet; absent: all is. */
  readonly resizing?: number;
  /** Runs that were ended to be resized, by runtime id. */
  readonly ended?: readonly string[];
}

/** A file for each pod that was ever resized. Where there is none, containers have what they were made with. */
export class AllocationStore {
  constructor(
    private readonly directory: string,
    private readonly log: Log,
  ) {}

  /** Undefined: it was never resized, or what was noted is damaged. */
  read(uid: string): PodAllocation | undefined {
    try {
      return schema.parse(parseJson(readFileSync(this.pathOf(uid)))) as PodAllocation;
    } catch (error) {
      if (!hasErrorCode(error, 'ENOENT'))
        this.log.warn({ uid, err: describeError(error) }, 'a damaged allocation is not used');
      return undefined;
    }
  }

  /** Once it returns, the next agent knows it. @throws when it cannot be written */
  write(uid: string, allocation: PodAllocation): void {
    writeFileAtomic(this.pathOf(uid), stringifyJson(allocation));
  }

  /** Idempotent. */
  remove(uid: string): void {
    rmSync(this.pathOf(uid), { force: true });
  }

  async uids(): Promise<readonly string[]> {
    const names = await listFolder(this.directory);
    return names.flatMap((name) => (name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : []));
  }

  private pathOf(uid: string): string {
    return join(this.directory, `${uid}${SUFFIX}`);
  }
}

const SUFFIX = '.json';
const amounts = z.record(z.string(), z.string());
const resources = z.record(
  z.string(),
  z.object({ requests: amounts.optional(), limits: amounts.optional() }),
);
const schema = z.object({
  allocated: resources,
  actuated: resources,
  resizing: z.number().optional(),
  ended: z.array(z.string()).optional(),
});
