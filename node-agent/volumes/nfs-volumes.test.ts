import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '../../lib/clock';
import { createNfsMounter, type NfsMounter } from './nfs-mounter';
import { NfsVolumes } from './nfs-volumes';

const SERVED = {
  name: 'data',
  specName: 'pv-1',
  mount: { source: '10.0.0.1:/x', options: 'ro' },
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dhow-nfs-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const never = new AbortController().signal;

/** A program in the place of those that mount. */
const program = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
};

describe('the volumes of a pod', () => {
  const mounts = new Map<string, string>();
  const mounter = { isMounted: (path: string) => mounts.has(path) };
  const volumesOf = (nfs: Partial<NfsMounter> = {}) =>
    new NfsVolumes({
      runDir: directory,
      mounter,
      nfs: {
        mount: (path, { source, options }) => {
          expect(existsSync(path)).toBe(true);
          mounts.set(path, `${source} ${options}`);
          return Promise.resolve();
        },
        unmount: (path) => {
          mounts.delete(path);
          return Promise.resolve();
        },
        ...nfs,
      },
    });
  beforeEach(() => mounts.clear());

  it('are mounted once, and unmounted by an agent that has not mounted them', async () => {
    const path = join(directory, 'pods/uid-1/nfs/data');
    const first = await volumesOf().prepare('uid-1', [SERVED], never);
    expect([...first]).toEqual([['data', path]]);
    expect([...mounts]).toEqual([[path, '10.0.0.1:/x ro']]);
    const mount = () => Promise.reject(new Error('twice'));
    expect(await volumesOf({ mount }).prepare('uid-1', [SERVED], never)).toEqual(first);
    await volumesOf().release('uid-2');
    expect(mounts.size).toBe(1);
    await volumesOf().release('uid-1');
    await volumesOf().release('uid-1');
    expect(mounts.size).toBe(0);
  });

  it('are named by what they are bound to where they cannot be mounted', async () => {
    const mount = () => Promise.reject(new Error('mount failed: why'));
    await expect(volumesOf({ mount }).prepare('uid-1', [SERVED], never)).rejects.toThrow(
      'MountVolume.SetUp failed for volume "pv-1" : mount failed: why',
    );
  });

  it('keep a pod while one is mounted still, and not for what the kernel does after that', async () => {
    await volumesOf().prepare('uid-1', [SERVED], never);
    const stuck = () => Promise.reject(new Error('did not end'));
    await expect(volumesOf({ unmount: stuck }).release('uid-1')).rejects.toThrow('did not end');
    const unmount = (path: string) => {
      mounts.delete(path);
      return stuck();
    };
    await volumesOf({ unmount }).release('uid-1');
    expect(mounts.size).toBe(0);
  });
});

describe('the processes that mount', () => {
  const path = '/nowhere';

  it('are told source, place and options, and say why nothing is mounted', async () => {
    const mountProgram = program('mount', `echo "$@" > ${directory}/told; echo no >&2; exit 32`);
    const mounter = createNfsMounter({ clock: systemClock, mountProgram });
    await expect(mounter.mount(path, SERVED.mount, never)).rejects.toThrow(
      'mount failed: exit status 32: no',
    );
    expect(readFileSync(join(directory, 'told'), 'utf8')).toBe('10.0.0.1:/x /nowhere -o ro\n');
  });

  it('are said to lack where the node has no such program', async () => {
    const mountProgram = join(directory, 'none');
    const mounter = createNfsMounter({ clock: systemClock, mountProgram });
    await expect(mounter.mount(path, SERVED.mount, never)).rejects.toThrow(
      'mount failed: this node has no /sbin/mount.nfs',
    );
  });

  it('end with what they have started, when their time is over and when nobody waits any more', async () => {
    const pidFile = join(directory, 'pid');
    const hangs = program('hangs', `sleep 1000 & echo $! > ${pidFile}; wait`);
    const programs = { mountProgram: hangs, unmountProgram: hangs };
    const mounter = createNfsMounter({ clock: systemClock, limitMs: 300, ...programs });
    const isGone = () => !existsSync(`/proc/${readFileSync(pidFile, 'utf8').trim()}/exe`);
    await expect(mounter.mount(path, SERVED.mount, never)).rejects.toThrow(
      'the mounting of 10.0.0.1:/x did not end within 0.3 s',
    );
    await until(isGone);
    await expect(mounter.unmount(path)).rejects.toThrow('did not end within 0.3 s');
    await until(isGone);
    const stop = new AbortController();
    const mounting = createNfsMounter({ clock: systemClock, ...programs }).mount(
      path,
      SERVED.mount,
      stop.signal,
    );
    stop.abort(new Error('the pod is deleted'));
    await expect(mounting).rejects.toThrow('the pod is deleted');
  });

  it('need not wait for a daemon that keeps their output open', async () => {
    const mountProgram = program('daemon', 'sleep 3 & exit 0');
    const mounter = createNfsMounter({ clock: systemClock, mountProgram, limitMs: 2_000 });
    await mounter.mount(path, SERVED.mount, never);
  });
});

const until = async (holds: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !holds(); i++) await systemClock.sleep(10);
  expect(holds()).toBe(true);
};
