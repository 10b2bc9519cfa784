import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { fsPath } from './byte-path';
import { libc, SystemError, type FileTime } from './libc';
import { portableXattrs } from './xattrs';

/** Owner, mode and the rest of one node, applied in that order. */
export interface NodeMeta {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: FileTime | undefined;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/**
 * The changes that unpacking a layer makes, on paths relative to the layer's folder (byte strings).
 * Every parent is a real folder that an earlier call made, so no path passes through a symlink.
 */
export interface LayerFs {
  mkdir(path: string, meta: NodeMeta): void;
  /** New metadata for a folder that is there; times excepted. */
  updateDirectory(path: string, meta: NodeMeta): void;
  setTimes(path: string, time: FileTime): void;
  openFile(path: string): void;
  /** To the file opened last. */
  write(chunk: Buffer): void;
  closeFile(path: string, meta: NodeMeta): void;
  symlink(path: string, target: string, meta: NodeMeta): void;
  /** `existing` is relative to the layer. */
  link(path: string, existing: string): void;
  /** A file of a lower layer under a further name here. */
  linkFromLower(path: string, hostPath: string): void;
  makeNode(
    path: string,
    type: 'char' | 'block' | 'fifo',
    major: number,
    minor: number,
    meta: NodeMeta,
  ): void;
  whiteout(path: string): void;
  setOpaque(path: string): void;
  unlink(path: string): void;
  removeTree(path: string): void;
}

/** `LayerFs` on the disk below `root`, a fresh folder that nobody else writes to. */
export class DiskLayerFs implements LayerFs {
  private fd: number | undefined;

  constructor(
    private readonly root: string,
    private readonly note: (message: string) => void,
  ) {}

  mkdir(path: string, meta: NodeMeta): void {
    mkdirSync(this.at(path), 0o700);
    this.updateDirectory(path, meta);
  }

  updateDirectory(path: string, meta: NodeMeta): void {
    lchownSync(this.at(path), meta.uid, meta.gid);
    chmodSync(this.at(path), meta.mode);
    this.setXattrs(path, meta);
  }

  setTimes(path: string, time: FileTime): void {
    libc().setTimes(this.host(path), time);
  }

  openFile(path: string): void {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    this.fd = openSync(this.at(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  }

  write(chunk: Buffer): void {
    for (let offset = 0; offset < chunk.length;) {
      offset += writeSync(this.openFd(), chunk, offset);
    }
  }

  closeFile(path: string, meta: NodeMeta): void {
    const fd = this.openFd();
    // Owner first: the kernel clears set-uid bits and file capabilities when it changes.
    if (meta.uid !== 0 || meta.gid !== 0) fchownSync(fd, meta.uid, meta.gid);
    fchmodSync(fd, meta.mode);
    this.close();
    this.finish(path, meta);
  }

  symlink(path: string, target: string, meta: NodeMeta): void {
    symlinkSync(fsPath(target), this.at(path));
    lchownSync(this.at(path), meta.uid, meta.gid);
    this.finish(path, meta);
  }

  link(path: string, existing: string): void {
    linkSync(this.at(existing), this.at(path));
  }

  linkFromLower(path: string, hostPath: string): void {
    try {
      linkSync(fsPath(hostPath), this.at(path));
    } catch (error) {
      if (!['EMLINK', 'EXDEV'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      copyFileSync(fsPath(hostPath), this.at(path), constants.COPYFILE_EXCL);
      const { uid, gid, mode } = lstatSync(fsPath(hostPath));
      lchownSync(this.at(path), uid, gid);
      chmodSync(this.at(path), mode & 0o7777);
      for (const [name, value] of portableXattrs(hostPath))
        libc().setXattr(this.host(path), name, value);
    }
  }

  makeNode(
    path: string,
    type: 'char' | 'block' | 'fifo',
    major: number,
    minor: number,
    meta: NodeMeta,
  ): void {
    libc().mknod(this.host(path), NODE_TYPES[type] | 0o600, major, minor);
    lchownSync(this.at(path), meta.uid, meta.gid);
    chmodSync(this.at(path), meta.mode);
    this.finish(path, meta);
  }

  whiteout(path: string): void {
    libc().mknod(this.host(path), NODE_TYPES.char, 0, 0);
  }

  setOpaque(path: string): void {
    libc().setXattr(this.host(path), 'trusted.overlay.opaque', Buffer.from('y'));
  }

  unlink(path: string): void {
    unlinkSync(this.at(path));
  }

  removeTree(path: string): void {
    // Node removes what a link points at never, only the link.
    rmSync(this.at(path), { recursive: true });
  }

  /** Closes a file left open by a failure. */
  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  private finish(path: string, meta: NodeMeta): void {
    this.setXattrs(path, meta);
    if (meta.mtime !== undefined) this.setTimes(path, meta.mtime);
  }

  private setXattrs(path: string, { xattrs }: NodeMeta): void {
    for (const [name, value] of xattrs) {
      try {
        libc().setXattr(this.host(path), name, value);
      } catch (error) {
        // User attributes are a courtesy where the file system or the node's type has none.
        const isOptional = name.startsWith('user.') && error instanceof SystemError;
        if (!isOptional || !['EOPNOTSUPP', 'ENOTSUP', 'EPERM'].includes(error.code)) throw error;
        this.note(`attribute ${name} left out: ${error.code}`);
      }
    }
  }

  private host(path: string): string {
    return path === '' ? this.root : `${this.root}/${path}`;
  }

  private at(path: string): string | Buffer {
    return fsPath(this.host(path));
  }

  private openFd(): number {
    if (this.fd === undefined) throw new Error('no file is open');
    return this.fd;
  }
}

const NODE_TYPES = { char: 0o020000, block: 0o060000, fifo: 0o010000 } as const;
