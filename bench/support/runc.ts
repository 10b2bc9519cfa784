import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** The configuration of a container of runc's that runs `args`. */
export const ociConfig = (rootfs: string, args: readonly string[], group?: string): string => {
  const dir = mkdtempSync('/dev/shm/bench-spec-');
  execFileSync('/usr/sbin/runc', ['spec'], { cwd: dir });
  const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'));
  rmSync(dir, { recursive: true });
  config.process.args = args;
  config.process.terminal = false;
  // A host without CAP_SYS_RESOURCE cannot raise them.
  config.process.rlimits = [];
  config.root = { path: rootfs, readonly: false };
  if (group !== undefined) config.linux.cgroupsPath = `/${group}/runc`;
  return JSON.stringify(config);
};

/** A root file system with busybox. */
export const makeRootfs = (rootfs: string): void => {
  mkdirSync(join(rootfs, 'bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  execFileSync('chroot', [rootfs, '/bin/busybox', '--install', '-s', '/bin']);
};

/** Runs a bundle to its end, with runc's state in `root`. */
export const runRunc = (root: string, bundle: string, id: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const args = ['--root', root, 'run', '-b', bundle, id];
    const child = spawn('/usr/sbin/runc', args, { stdio: 'ignore' });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`runc run exited with ${String(code)}`));
    });
  });
