import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ContainerSpec, DeviceSpec } from '../../runtime/container-runtime';
import { containerSpec, sandboxSpec } from '../../runtime/containers/runtime-suite';
import { hasLoopDevices, LoopDevice } from '../support/loop-device';
import { openRuntimeHost, runScript, type RuntimeHost } from './runtime-host';

(hasLoopDevices() ? describe : describe.skip)('block devices of containers', () => {
  let host: RuntimeHost;
  let disk: LoopDevice;

  beforeEach(async () => {
    disk = LoopDevice.attach({ bytes: 1 << 20 });
    host = await openRuntimeHost();
    await host.runtime.createSandbox(sandboxSpec('box'));
  });

  afterEach(async () => {
    await host.close();
    disk[Symbol.dispose]();
  });

  const run = (script: string, more?: Partial<ContainerSpec>) => runScript(host, script, more);
  const volume = (path: string, access = 'rwm'): DeviceSpec => ({
    ...{ hostPath: disk.path, path, access },
    isVolume: true,
  });
  const bytesOf = () => readFileSync(disk.path).subarray(0, 4).toString();

  it.each(['/dev/xvda', '/dev/disks/a', '/mnt/volume1', '/data/disk', '/disk'])(
    'are written to and read at %s',
    async (path) => {
      const script = `printf data | dd of=${path} conv=fsync,notrunc && dd if=${path} bs=4 count=1`;
      const { stdout } = await run(script, { devices: [volume(path)] });
      expect([stdout, bytesOf()]).toEqual(['data', 'data']);
    },
  );

  it.each(['/dev/xvda', '/mnt/volume1'])('are only read at %s where that is all', async (path) => {
    const script = `dd if=${path} bs=4 count=1 | wc -c; printf lost | dd of=${path}`;
    const { stdout, stderr } = await run(script, { devices: [volume(path, 'r')] });
    expect(stdout).toBe('4');
    expect(stderr).toContain('Operation not permitted');
    expect(bytesOf()).toBe('\0\0\0\0');
  });

  it('keeps its node from the host, and leaves no other in the container', async () => {
    const script = 'chmod 0777 /mnt/disk && stat -c %a /mnt/disk; ls -a /dev | grep placed';
    const { stdout } = await run(script, { devices: [volume('/mnt/disk')] });
    expect(stdout).toBe('777');
    const { stdout: again } = await run('stat -c %a /mnt/disk', {
      devices: [volume('/mnt/disk')],
    });
    expect(again).not.toBe('777');
  });

  it('lie in a volume that is mounted above them, and never outside of the container', async () => {
    const outer = mkdtempSync(join(tmpdir(), 'dhow-outer-'));
    const inner = join(host.dir, 'volume');
    mkdirSync(inner);
    symlinkSync(outer, join(inner, 'away'));
    try {
      const mounts = [{ type: 'bind', source: inner, target: '/data', isReadOnly: false } as const];
      const { stdout } = await run('dd if=/data/disk bs=4 count=1 | wc -c', {
        ...{ mounts, devices: [volume('/data/disk')] },
      });
      expect(stdout).toBe('4');
      // A link is followed within the container, where its content is another place.
      const { stdout: led } = await run('dd if=/data/away/disk bs=4 count=1 | wc -c', {
        ...{ mounts, devices: [volume('/data/away/disk')] },
      });
      expect(led).toBe('4');
      expect(readdirSync(outer)).toEqual([]);
    } finally {
      rmSync(outer, { recursive: true, force: true });
    }
  });

  it.each([
    ['/dev/null', `"/dev/null" is one of the container's own`],
    ['/dev/stdin', `"/dev/stdin" is one of the container's own`],
    ['/dev/shm/x', `"/dev/shm/x" is one of the container's own`],
    ['/proc/disk', 'mount target "/proc/disk" is inside /proc'],
    ['/data/../disk', '"/data/../disk" is no place for a device'],
    ['disk', '"disk" is no place for a device'],
  ])('are refused at %s', async (path, why) => {
    const spec = containerSpec(host, 'c', 'true', { devices: [volume(path)] });
    await expect(host.runtime.createContainer(spec)).rejects.toThrow(why);
  });

  it('are refused where a volume covers /dev, and where it is no block device', async () => {
    const mounts = [{ type: 'tmpfs', target: '/dev' } as const];
    const covered = containerSpec(host, 'c', 'true', { mounts, devices: [volume('/mnt/disk')] });
    await expect(host.runtime.createContainer(covered)).rejects.toThrow('make device /mnt/disk');
    const spec = containerSpec(host, 'c2', 'true', {
      devices: [{ ...volume('/dev/x'), hostPath: '/dev/loop-control' }],
    });
    await expect(host.runtime.createContainer(spec)).rejects.toThrow(
      '/dev/loop-control is no block device',
    );
  });
});
