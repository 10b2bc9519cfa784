import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { removeTree } from '../../lib/remove-tree';
import type { ContainerExit, ContainerSpec, Sandbox, SandboxSpec } from '../container-runtime';

/** What is written down about a container before it is made. */
export interface ContainerRecord {
  readonly spec: ContainerSpec;
  readonly createdAtMs: number;
}

export interface SandboxRecord {
  readonly spec: SandboxSpec;
  readonly sandbox: Sandbox;
}

/** How a container ended, with when it had begun. */
export interface ExitRecord {
  readonly startedAtMs: number | undefined;
  readonly exit: ContainerExit;
}

/** The runtime's files. Names are short because a socket's path may have 107 bytes only. */
export class RunFiles {
  constructor(
    readonly runDir: string,
    readonly stateDir: string,
  ) {
    for (const dir of [runDir, stateDir]) mkdirSync(dir, { recursive: true, mode: 0o700 });
    for (const dir of ['containers', 'sandboxes', 'm', 'root', 'oci']) {
      mkdirSync(join(runDir, dir), { recursive: true, mode: 0o700 });
    }
    mkdirSync(join(stateDir, 'containers'), { recursive: true, mode: 0o700 });
  }

  /** After a reboot nothing of what the records tell exists any more, wherever the folder is. */
  async forgetEarlierBoot(): Promise<void> {
    const path = join(this.runDir, 'boot-id');
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    const known = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (known === bootId) return;
    // What says nothing of a boot, on a disk that was full, says nothing of another.
    if (known !== '') {
      for (const dir of ['containers', 'sandboxes', 'm', 'oci']) {
        for (const name of readdirSync(join(this.runDir, dir))) {
          await removeTree(join(this.runDir, dir, name));
        }
      }
    }
    replaceFile(path, bootId);
  }

  /** Layers whose container is gone: a crash or a reboot came between. */
  async removeStrayLayers(): Promise<void> {
    const known = new Set(this.containerIds());
    for (const id of readdirSync(join(this.stateDir, 'containers'))) {
      if (!known.has(id)) await removeTree(this.layerDir(id));
    }
  }

  containerDir(id: string): string {
    return join(this.runDir, 'containers', id);
  }

  /** The writable layer, as overlayfs wants it: `upper` and `work`. */
  layerDir(id: string): string {
    return join(this.stateDir, 'containers', id);
  }

  /** Where each container mounts its root, all of them here: each in a mount namespace of its own. */
  get mountPoint(): string {
    return join(this.runDir, 'root');
  }

  sandboxDir(id: string): string {
    return join(this.runDir, 'sandboxes', id);
  }

  socketPath(id: string): string {
    return join(this.runDir, 'm', createHash('sha256').update(id).digest('hex').slice(0, 16));
  }

  containerIds(): string[] {
    return readdirSync(join(this.runDir, 'containers'));
  }

  sandboxIds(): string[] {
    return readdirSync(join(this.runDir, 'sandboxes'));
  }

  readContainer(id: string): ContainerRecord | undefined {
    const record = readJson<ContainerRecord>(join(this.containerDir(id), 'record.json'));
    return record?.spec?.id === id ? (record as ContainerRecord) : undefined;
  }

  /** Its folders and its record. */
  makeContainer(record: ContainerRecord): void {
    const { id } = record.spec;
    const layer = this.layerDir(id);
    // Nothing is known of what an earlier crash may have left here.
    for (const dir of [this.containerDir(id), layer, join(layer, 'upper'), join(layer, 'work')]) {
      mkdirSync(dir, { recursive: true, mode: 0o755 });
    }
    writeJson(join(this.containerDir(id), 'record.json'), record);
  }

  readSandbox(id: string): SandboxRecord | undefined {
    const record = readJson<SandboxRecord>(join(this.sandboxDir(id), 'record.json'));
    const isRight = record?.spec?.id === id && record.sandbox?.id === id;
    return isRight ? (record as SandboxRecord) : undefined;
  }

  writeSandbox(record: SandboxRecord): void {
    writeJson(join(this.sandboxDir(record.spec.id), 'record.json'), record);
  }

  readExit(id: string): ExitRecord | undefined {
    const raw = readJson<RawExit>(join(this.containerDir(id), 'exit'));
    return typeof raw?.exitCode === 'number' ? exitRecord(raw as RawExit) : undefined;
  }

  /**
   * Writes how it ended, unless that is written already: a monitor that ended in this very moment knew
   * better. Returns what then holds.
   */
  settleExit(id: string, raw: RawExit): ExitRecord {
    const path = join(this.containerDir(id), 'exit');
    const own = `${path}.lost`;
    try {
      writeFileSync(own, JSON.stringify(raw), { mode: 0o600 });
      // Unlike a rename this never takes the place of what is there.
      linkSync(own, path);
    } catch {
      // It is there already, or cannot be written down: then it is known as long as this process lives.
      return this.readExit(id) ?? exitRecord(raw);
    } finally {
      rmSync(own, { force: true });
    }
    return exitRecord(raw);
  }

  async removeContainer(id: string): Promise<void> {
    await removeTree(this.layerDir(id));
    removeFile(this.socketPath(id));
    // Last: what is listed is what a crash halfway still has to be cleaned of.
    await removeTree(this.containerDir(id));
  }

  removeSandbox(id: string): Promise<void> {
    return removeTree(this.sandboxDir(id));
  }
}

/** The exit as the monitor says it; zeros and empty strings are what is absent. */
export interface RawExit {
  readonly exitCode: number;
  readonly signalNumber: number;
  readonly oomKilled: boolean;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly startError: string;
}

export const exitRecord = (raw: RawExit): ExitRecord => ({
  startedAtMs: raw.startedAtMs === 0 ? undefined : raw.startedAtMs,
  exit: {
    exitCode: raw.exitCode,
    ...(raw.signalNumber === 0 ? {} : { signalNumber: raw.signalNumber }),
    oomKilled: raw.oomKilled,
    finishedAtMs: raw.finishedAtMs,
    ...(raw.startError === '' ? {} : { startError: raw.startError }),
  },
});

/** Undefined when missing or torn; whoever has damaged the file may have left anything. */
const readJson = <T>(path: string): Partial<T> | null | undefined => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Partial<T> | null;
  } catch {
    return undefined;
  }
};

/** Mostly it is gone already, and asking costs less than an error. */
const removeFile = (path: string): void => {
  if (existsSync(path)) rmSync(path, { force: true });
};

const writeJson = (path: string, value: unknown): void => replaceFile(path, JSON.stringify(value));

/** Whoever reads it, also after a crash, finds the old or the new. */
const replaceFile = (path: string, text: string): void => {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
};
