import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import { parseJson, stringifyJson } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import { listFolderSync, writeFileAtomic } from '../files';

/** What the plugin said when it handed out devices: how a container gets them. */
export type Grant = Readonly<z.output<typeof grantSchema>>;

/** The devices of one pod. */
export interface PodDevices {
  /** All that are kept for it, by the name of the resource. */
  readonly reserved: Readonly<Record<string, readonly string[]>>;
  /** Those that a container has been given, by its name and that of the resource. */
  readonly granted: Readonly<Record<string, Readonly<Record<string, GrantedIds>>>>;
}

export interface GrantedIds {
  readonly ids: readonly string[];
  readonly grant: Grant;
}

/** A file for each pod that has devices. */
export class DeviceStore {
  constructor(
    private readonly directory: string,
    private readonly log: Log,
  ) {}

  readAll(): ReadonlyMap<string, PodDevices> {
    const pods = new Map<string, PodDevices>();
    for (const name of listFolderSync(this.directory)) {
      if (!name.endsWith(SUFFIX)) continue;
      try {
        const text = readFileSync(join(this.directory, name));
        pods.set(name.slice(0, -SUFFIX.length), podSchema.parse(parseJson(text)));
      } catch (error) {
        this.log.warn({ file: name, err: describeError(error) }, 'a damaged file of devices');
      }
    }
    return pods;
  }

  /** Once it returns, the next agent knows it. @throws when it cannot be written */
  write(podUid: string, devices: PodDevices): void {
    writeFileAtomic(join(this.directory, podUid + SUFFIX), stringifyJson(devices));
  }

  /** Idempotent. */
  remove(podUid: string): void {
    rmSync(join(this.directory, podUid + SUFFIX), { force: true });
  }

  /** Resources that plugins have offered, so that they count for nothing rather than are unknown. */
  readNames(): readonly string[] {
    try {
      return z.array(z.string()).parse(parseJson(readFileSync(join(this.directory, NAMES))));
    } catch {
      return [];
    }
  }

  writeNames(names: readonly string[]): void {
    writeFileAtomic(join(this.directory, NAMES), stringifyJson(names));
  }
}

const SUFFIX = '.json';
const NAMES = 'resources';
const grantSchema = z.object({
  envs: z.record(z.string(), z.string()),
  mounts: z.array(
    z.object({ containerPath: z.string(), hostPath: z.string(), readOnly: z.boolean() }),
  ),
  devices: z.array(
    z.object({ containerPath: z.string(), hostPath: z.string(), permissions: z.string() }),
  ),
  cdiDevices: z.array(z.object({ name: z.string() })),
});
const podSchema = z.object({
  reserved: z.record(z.string(), z.array(z.string())),
  granted: z.record(
    z.string(),
    z.record(z.string(), z.object({ ids: z.array(z.string()), grant: grantSchema })),
  ),
});
