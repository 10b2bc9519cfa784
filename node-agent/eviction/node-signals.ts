import { readFile, stat, statfs } from 'node:fs/promises';

import type { ContainerRuntime } from '../../runtime/container-runtime';
import type { Observation, Observations } from './pressure';

interface NodeSignalsDeps {
  readonly runtime: Pick<ContainerRuntime, 'hostStats' | 'sandboxStats'>;
  readonly memoryBytes: number;
  /** What all pods may have together. */
  readonly podsMemoryBytes: number;
  /** Where volumes, logs and writable layers lie. */
  readonly nodeDir: string;
  readonly imageDir: string;
}

/** What there is on this node, and what of it is left. */
export class NodeSignals {
  constructor(private readonly deps: NodeSignalsDeps) {}

  async observe(): Promise<Observations> {
    const { runtime, memoryBytes, podsMemoryBytes, nodeDir, imageDir } = this.deps;
    const [host, pods, nodefs, imagefs, pids] = await Promise.all([
      runtime.hostStats().catch(() => undefined),
      runtime.sandboxStats().catch(() => undefined),
      diskOf(nodeDir),
      diskOf(imageDir),
      processes(),
    ]);
    return known({
      'memory.available': memoryLeft(memoryBytes, host),
      'allocatableMemory.available': memoryLeft(podsMemoryBytes, pods),
      'nodefs.available': nodefs?.space,
      'nodefs.inodesFree': nodefs?.inodes,
      'imagefs.available': imagefs?.space,
      'imagefs.inodesFree': imagefs?.inodes,
      'pid.available': pids,
    });
  }

  /** Images lie on a file system of their own: what pods write is none of its. */
  async hasImageDisk(): Promise<boolean> {
    const { nodeDir, imageDir } = this.deps;
    try {
      const [node, image] = await Promise.all([stat(nodeDir), stat(imageDir)]);
      return node.dev !== image.dev;
    } catch {
      return false;
    }
  }
}

const known = (all: {
  readonly [S in keyof Observations]: Observation | undefined;
}): Observations =>
  Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));

const memoryLeft = (
  capacity: number,
  stats: { readonly memoryWorkingSetBytes: number } | undefined,
): Observation | undefined =>
  stats === undefined
    ? undefined
    : { capacity, available: Math.max(0, capacity - stats.memoryWorkingSetBytes) };

const diskOf = async (path: string) => {
  try {
    const { blocks, bavail, bsize, files, ffree } = await statfs(path);
    return {
      space: { available: bavail * bsize, capacity: blocks * bsize },
      // Some file systems make inodes as they go, and have no number of them.
      inodes: files === 0 ? undefined : { available: ffree, capacity: files },
    };
  } catch {
    return undefined;
  }
};

/** Threads count: each has a number. */
const processes = async (): Promise<Observation | undefined> => {
  try {
    const [load, ...limits] = await Promise.all(
      ['/proc/loadavg', '/proc/sys/kernel/pid_max', '/proc/sys/kernel/threads-max'].map((path) =>
        readFile(path, 'utf8'),
      ),
    );
    const capacity = Math.min(...limits.map(Number));
    const count = Number(/^\S+ \S+ \S+ \d+\/(\d+)/.exec(load ?? '')?.[1]);
    if (!Number.isFinite(count) || !Number.isFinite(capacity)) return undefined;
    return { capacity, available: Math.max(0, capacity - count) };
  } catch {
    return undefined;
  }
};
