import { spawn, type ChildProcess } from 'node:child_process';

import { withDeadline } from '../../lib/async/deadline';
import { onAbort } from '../../lib/async/on-abort';
import type { Clock } from '../../lib/clock';
import { hasErrorCode } from '../files';
import { NO_HELPER, whyNotMounted, type Ended, type NfsMount } from './nfs-mount';

/**
 * Makes and takes away mounts of NFS, each by a process of its own: the kernel waits for a server that
 * does not answer, and must not do so within the agent.
 */
export interface NfsMounter {
  /** Its process is killed at the signal, and when its time is over. @throws Error saying why not */
  mount(path: string, mount: NfsMount, signal: AbortSignal): Promise<void>;
  /** From where it can be seen; what is still open of it ends by itself. @throws Error saying why not */
  unmount(path: string): Promise<void>;
}

export interface NfsMounterOptions {
  readonly clock: Clock;
  /** Of one mount or unmount. */
  readonly limitMs?: number;
  readonly mountProgram?: string;
  readonly unmountProgram?: string;
}

export const createNfsMounter = ({
  clock,
  limitMs = LIMIT_MS,
  mountProgram = '/sbin/mount.nfs',
  unmountProgram = 'umount',
}: NfsMounterOptions): NfsMounter => ({
  mount: async (path, { source, options }, signal) => {
    const deadline = { what: `the mounting of ${source}`, limitMs, clock, signal };
    const ended = await withDeadline(deadline, (stop) =>
      run(mountProgram, [source, path, '-o', options], stop),
    ).catch((error: unknown) => {
      throw hasErrorCode(error, 'ENOENT') ? new Error(NO_HELPER) : error;
    });
    if (ended.status !== 0) throw new Error(whyNotMounted(ended));
  },
  unmount: async (path) => {
    const deadline = { what: `the unmounting of ${path}`, limitMs, clock };
    // Without a look at what is mounted, by whichever way: that is what may never end.
    const args = ['--lazy', '--internal-only', '--no-canonicalize', '--', path];
    const { status, stderr } = await withDeadline(deadline, (stop) =>
      run(unmountProgram, args, stop),
    );
    if (status !== 0) throw new Error(`cannot unmount ${path}: ${stderr.trim()}`);
  },
});

const run = (file: string, args: readonly string[], signal: AbortSignal): Promise<Ended> =>
  new Promise((resolve, reject) => {
    // A group of its own: with it dies what it has started.
    const child = spawn(file, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    onAbort(signal, () => {
      killGroup(child);
      child.stderr.destroy();
      reject(signal.reason as Error);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-MAX_STDERR_LENGTH);
    });
    child.on('error', reject);
    // A daemon that it has started for locks may hold its output open.
    child.on('exit', (status) => {
      if (status !== 0) return;
      child.stderr.destroy();
      resolve({ status, stderr });
    });
    child.on('close', (code, killedBy) => resolve({ status: code ?? killedBy, stderr }));
  });

const killGroup = ({ pid }: ChildProcess): void => {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left of it.
  }
};

const LIMIT_MS = 30_000;
const MAX_STDERR_LENGTH = 1024;
