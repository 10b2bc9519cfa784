import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A block device over a file, until it is disposed of. */
export class LoopDevice implements Disposable {
  private constructor(
    /** Of its node on the host. */
    readonly path: string,
    private readonly file: string,
    private readonly isOwnFile: boolean,
  ) {}

  /** Made of a file that holds `bytes` zeros, or of one that is there. @throws where the host has none */
  static attach(from: { readonly bytes: number } | { readonly file: string }): LoopDevice {
    const isOwnFile = 'bytes' in from;
    const file = isOwnFile ? join(tmpdir(), `dhow-loop-${process.pid}-${++made}`) : from.file;
    if (isOwnFile) makeSparse(file, from.bytes);
    try {
      const said = execFileSync('losetup', ['--find', '--show', file], { stdio: 'pipe' });
      return new LoopDevice(said.toString().trim(), file, isOwnFile);
    } catch (error) {
      if (isOwnFile) rmSync(file, { force: true });
      throw error;
    }
  }

  [Symbol.dispose](): void {
    execFileSync('losetup', ['--detach', this.path]);
    if (this.isOwnFile) rmSync(this.file, { force: true });
  }
}

/** Can this host make them? */
export const hasLoopDevices = (): boolean => {
  try {
    using _device = LoopDevice.attach({ bytes: 4096 });
    return true;
  } catch {
    return false;
  }
};

export const makeSparse = (file: string, bytes: number): void => {
  const fd = openSync(file, 'w');
  try {
    ftruncateSync(fd, bytes);
  } finally {
    closeSync(fd);
  }
};

let made = 0;
