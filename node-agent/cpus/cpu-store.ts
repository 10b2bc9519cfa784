import { readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';

import { parseJson, stringifyJson } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import { hasErrorCode, writeFileAtomic } from '../files';
import { formatCpuList, parseCpuList } from './cpu-list';
import type { PodCpus } from './plan';

/** By the uid of the pod. */
export type CpuAssignments = ReadonlyMap<string, PodCpus>;

/** The file that keeps which processors are whose. */
export class CpuStore {
  constructor(
    readonly path: string,
    private readonly log: Log,
  ) {}

  /** Undefined: there is none. What is damaged says of nobody that he has any. */
  read(): CpuAssignments | undefined {
    try {
      const pods = schema.parse(parseJson(readFileSync(this.path)));
      return new Map(
        Object.entries(pods).map(([uid, containers]) => [
          uid,
          Object.fromEntries(
            Object.entries(containers).map(([name, text]) => [name, parseCpuList(text)]),
          ),
        ]),
      );
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return undefined;
      this.log.warn({ err: describeError(error) }, 'the file of processors is damaged');
      return new Map();
    }
  }

  /** Once it returns, the next agent knows it. @throws when it cannot be written */
  write(assignments: CpuAssignments): void {
    const pods = [...assignments].map(([uid, containers]) => [
      uid,
      Object.fromEntries(
        Object.entries(containers).map(([name, cpus]) => [name, formatCpuList(cpus)]),
      ),
    ]);
    writeFileAtomic(this.path, stringifyJson(Object.fromEntries(pods)));
  }

  /** Idempotent. */
  remove(): void {
    rmSync(this.path, { force: true });
  }
}

const schema = z.record(z.string(), z.record(z.string(), z.string()));
