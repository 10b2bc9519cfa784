import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { Pod } from '../../api/types';
import { systemClock } from '../../lib/clock';
import { mountPointsIn } from '../../lib/mount-points';
import { createMounter } from '../../node-agent/volumes/mounter';
import { createNfsMounter } from '../../node-agent/volumes/nfs-mounter';
import { VolumeManager } from '../../node-agent/volumes/volume-manager';

/** Of the kernel: what it serves is /srv/nfs, as the root of version 4. */
const SERVED = '/srv/nfs';
/** An address behind which nobody is: what is sent there vanishes. */
const NOBODY = '192.0.2.9';

/** Of one mount: the machine is slow, and its first is slower. */
const LIMIT_MS = 20_000;

const run = (file: string, ...args: string[]): string =>
  execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const serve = (): void => {
  run('ip', 'link', 'set', 'lo', 'up');
  for (const name of ['nfsd', 'nfs', 'dummy']) run('modprobe', name);
  mkdirSync(SERVED, { recursive: true });
  for (const [type, path] of [
    ['tmpfs', '/var/lib/nfs'],
    ['nfsd', '/proc/fs/nfsd'],
    ['tmpfs', SERVED],
  ] as const)
    run('mount', '-t', type, type, path);
  for (const name of ['rpc_pipefs', 'v4recovery', 'sm']) mkdirSync(`/var/lib/nfs/${name}`);
  for (const name of ['etab', 'rmtab']) writeFileSync(`/var/lib/nfs/${name}`, '');
  run('exportfs', '-o', 'rw,no_root_squash,fsid=0,insecure', `*:${SERVED}`);
  run('rpc.nfsd', '-N', '3', '2');
  run('rpc.mountd', '-N', '3');
  run('ip', 'link', 'add', 'nobody', 'type', 'dummy');
  run('ip', 'address', 'add', '192.0.2.1/24', 'dev', 'nobody');
  run('ip', 'link', 'set', 'nobody', 'up');
};

const silence = (isSilent: boolean): void => {
  if (!isSilent) run('nft', 'delete', 'table', 'inet', 'silence');
  else
    run(
      'nft',
      'add table inet silence; add chain inet silence in { type filter hook input priority 0; }; ' +
        'add rule inet silence in tcp dport 2049 drop',
    );
};

describe('volumes of NFS', () => {
  let directory: string;
  let volumes: VolumeManager;

  beforeEach(() => {
    if (!existsSync(SERVED)) serve();
    directory = mkdtempSync('/run/dhow-nfs-');
    volumes = new VolumeManager({
      stateDir: join(directory, 'state'),
      runDir: join(directory, 'run'),
      mounter: createMounter(),
      nfs: createNfsMounter({ clock: systemClock, limitMs: LIMIT_MS }),
      claims: { claim: () => undefined, volume: () => undefined },
      tokens: () => undefined,
      node: () => undefined,
    });
  });
  afterEach(async () => {
    await volumes.remove('uid-1');
    rmSync(directory, { recursive: true });
  });

  const mounted = async (source: object): Promise<string> => {
    const nfs = { server: '127.0.0.1', path: '/', ...source };
    const pod = {
      metadata: { name: 'p', namespace: 'ns', uid: 'uid-1' },
      spec: { containers: [], volumes: [{ name: 'v', nfs }] },
    } as unknown as Pod;
    const signal = new AbortController().signal;
    const paths = await volumes.mountNfs(pod, volumes.nfsVolumes(pod), signal);
    return paths.get('v') ?? '';
  };

  it('show what a server has, to write to unless they are read-only', async () => {
    writeFileSync(`${SERVED}/greeting`, 'hello');
    const path = await mounted({});
    expect(readFileSync(join(path, 'greeting'), 'utf8')).toBe('hello');
    writeFileSync(join(path, 'answer'), 'yes');
    expect(readFileSync(`${SERVED}/answer`, 'utf8')).toBe('yes');
    expect(await mounted({})).toBe(path);
    expect(mountPointsIn(directory)).toHaveLength(1);
    await volumes.remove('uid-1');
    expect(mountPointsIn(directory)).toEqual([]);
    const readOnly = await mounted({ readOnly: true });
    expect(() => writeFileSync(join(readOnly, 'answer'), 'no')).toThrow('EROFS');
    expect(readFileSync(`${SERVED}/answer`, 'utf8')).toBe('yes');
  });

  it('are refused in words where a server has no such folder, and where there is none', async () => {
    await expect(mounted({ path: '/none' })).rejects.toThrow(
      /MountVolume.SetUp failed for volume "v" : mount failed: exit status 32: .*No such file/,
    );
    await expect(mounted({ server: '127.0.0.2:9' })).rejects.toThrow('mount failed: exit status');
    expect(mountPointsIn(directory)).toEqual([]);
  });

  it('are given up in time where a server says nothing', async () => {
    await expect(mounted({ server: NOBODY })).rejects.toThrow(
      `the mounting of ${NOBODY}:/ did not end within ${LIMIT_MS / 1000} s`,
    );
    expect(mountPointsIn(directory)).toEqual([]);
  });

  it('go away while their server says nothing, and hold nobody up', async () => {
    const path = await mounted({});
    const writer = spawn('sh', ['-c', `while :; do echo much >> ${path}/log; done`]);
    await systemClock.sleep(500);
    silence(true);
    try {
      await systemClock.sleep(500);
      const delay = monitorEventLoopDelay({ resolution: 10 });
      delay.enable();
      expect(await mounted({})).toBe(path);
      writer.kill('SIGKILL');
      await volumes.remove('uid-1');
      delay.disable();
      expect(mountPointsIn(directory)).toEqual([]);
      expect(delay.max / 1e6).toBeLessThan(2_000);
    } finally {
      silence(false);
    }
  });
});
