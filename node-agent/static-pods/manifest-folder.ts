import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { nameOf, nameKey, type Pod } from '../../api/types';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import { readSmallFile } from '../shaped-files';
import { staticPodOf } from './static-pod';

interface ManifestFolderDeps {
  readonly path: string;
  readonly nodeName: string;
  /** The pods are others than before. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Static pods: what the files of a folder describe, one a file. */
export class ManifestFolder {
  /** By uid, in the order of the names of their files. */
  pods: ReadonlyMap<string, Pod> = new Map();
  /** Whether the folder was read once. */
  isRead = false;
  /** Undefined until the folder was read. */
  get known(): ReadonlyMap<string, Pod> | undefined {
    return this.isRead ? this.pods : undefined;
  }

  private readonly problems = new Map<string, string>();

  constructor(private readonly deps: ManifestFolderDeps) {}

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await this.deps.clock.sleep(CHECK_MS, signal);
    }
  }

  /** What cannot be read is told once, and keeps no other from running. */
  async look(): Promise<void> {
    const { path, onChange } = this.deps;
    const names = await this.names();
    // A folder that is away for a moment ends no pod.
    if (names === undefined) return;
    const pods = new Map<string, Pod>();
    const taken = new Set<string>();
    for (const name of names) {
      const file = join(path, name);
      const pod = await this.read(file, taken);
      if (pod === undefined) continue;
      taken.add(nameKey(nameOf(pod)));
      pods.set(pod.metadata.uid ?? '', pod);
    }
    for (const file of this.problems.keys())
      if (!names.some((name) => join(path, name) === file)) this.problems.delete(file);
    const isSame =
      this.isRead &&
      pods.size === this.pods.size &&
      [...pods.keys()].every((uid) => this.pods.has(uid));
    this.isRead = true;
    if (isSame) return;
    this.pods = pods;
    onChange();
  }

  private async names(): Promise<readonly string[] | undefined> {
    const { path } = this.deps;
    try {
      const names = (await readdir(path)).filter((name) => !name.startsWith('.')).sort();
      this.problems.delete(path);
      if (names.length > FILES_MAX) this.tell(path, `more than ${FILES_MAX} files`);
      return names.slice(0, FILES_MAX);
    } catch (error) {
      this.tell(path, describeError(error));
      return undefined;
    }
  }

  private async read(file: string, taken: ReadonlySet<string>): Promise<Pod | undefined> {
    try {
      const pod = staticPodOf(await readSmallFile(file, FILE_MAX_BYTES), file, this.deps.nodeName);
      const key = nameKey(nameOf(pod));
      if (taken.has(key)) throw new Error(`another file describes pod ${key}`);
      this.problems.delete(file);
      return pod;
    } catch (error) {
      this.tell(file, describeError(error));
      return undefined;
    }
  }

  private tell(file: string, problem: string): void {
    if (this.problems.get(file) === problem) return;
    this.problems.set(file, problem);
    this.deps.log.error({ file, err: problem }, 'no static pod comes of this file');
  }
}

const CHECK_MS = 2_000;
/** More than a node may have pods. */
const FILES_MAX = 500;
/** No object on the server is larger. */
const FILE_MAX_BYTES = 1024 * 1024;
