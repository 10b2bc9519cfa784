import { components, readable } from './byte-path';
import { viewChild, type ViewEntry } from './layered-view';
import type { LayerFs, NodeMeta } from './layer-fs';
import { childPath, LayerError, LayerTree, type DirectoryNode, type TreeNode } from './layer-tree';
import type { TarEntry } from './tar-header';
import type { TarHandler } from './tar-parser';

/** Bounds on what one layer may do to this host. */
export interface LayerLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
  readonly pathBytesMax: number;
  readonly xattrBytesMax: number;
}

export const DEFAULT_LAYER_LIMITS: LayerLimits = {
  entriesMax: 2_000_000,
  bytesMax: 128 * 1024 ** 3,
  pathBytesMax: 4000,
  xattrBytesMax: 64 * 1024,
};

/**
 * Turns the entries of one OCI layer into an overlay folder: whiteout files become character
 * devices 0:0 and opaque marks, links are resolved inside the layer and those below it.
 */
export class LayerWriter implements TarHandler {
  /** The layer hides everything below it: overlayfs cannot mark a root, so the stack must be cut. */
  isRootOpaque = false;
  private readonly tree: LayerTree;
  private nodesCount = 0;
  private bytesCount = 0;
  private current: { readonly path: string; readonly meta: NodeMeta } | undefined;

  constructor(
    private readonly fs: LayerFs,
    lowerRoots: readonly string[],
    private readonly limits: LayerLimits,
    private readonly note: (message: string) => void,
  ) {
    this.tree = new LayerTree(fs, lowerRoots, () => this.countNode());
  }

  entry(entry: TarEntry): void {
    blaming(entry.path, () => this.place(entry));
  }

  data(chunk: Buffer): void {
    if (this.current === undefined) return;
    this.bytesCount += chunk.length;
    if (this.bytesCount > this.limits.bytesMax) {
      throw new LayerError(`layer unpacks to more than ${this.limits.bytesMax} bytes`);
    }
    this.fs.write(chunk);
  }

  entryEnd(): void {
    const { current } = this;
    if (current === undefined) return;
    this.current = undefined;
    blaming(current.path, () => this.fs.closeFile(current.path, current.meta));
  }

  /** Call once after the whole archive. */
  finish(): void {
    this.tree.finish();
  }

  private place(entry: TarEntry): void {
    this.countNode();
    this.checkSizes(entry);
    const names = components(entry.path);
    const name = names.pop();
    const isLeftover = name?.startsWith(AUFS) === true && name !== OPAQUE;
    // Other marks of the same family, and what is below them, mean nothing outside aufs.
    if (isLeftover || names.some((parent) => parent.startsWith(AUFS))) return;
    if (names.some((parent) => parent.startsWith(WHITEOUT))) {
      throw new LayerError('a whiteout has no children');
    }
    if (name === undefined) {
      this.placeRoot(entry);
    } else if (name.startsWith(WHITEOUT)) {
      this.placeWhiteout(this.tree.directoryAt(names), name);
    } else {
      this.placeNode(this.tree.directoryAt(names), name, entry);
    }
  }

  private placeRoot(entry: TarEntry): void {
    if (entry.type !== 'directory') throw new LayerError('the root must be a directory');
    this.fs.updateDirectory('', this.metaOf(entry));
    this.tree.root.mtime = entry.mtime;
  }

  private placeWhiteout(parent: DirectoryNode, name: string): void {
    if (name === OPAQUE) {
      if (parent === this.tree.root) this.isRootOpaque = true;
      this.tree.cut(parent);
      return;
    }
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw new LayerError('whiteout of no name');
    }
    this.tree.hide(parent, hidden);
  }

  private placeNode(parent: DirectoryNode, name: string, entry: TarEntry): void {
    const meta = this.metaOf(entry);
    switch (entry.type) {
      case 'directory':
        this.tree.putDirectory(parent, name, meta);
        return;
      case 'file': {
        const path = this.tree.put(parent, name, { kind: 'file' });
        this.fs.openFile(path);
        this.current = { path, meta };
        return;
      }
      case 'symlink': {
        if (entry.linkPath === '') throw new LayerError('symbolic link to nothing');
        const node: TreeNode = { kind: 'symlink', target: entry.linkPath };
        this.fs.symlink(this.tree.put(parent, name, node), entry.linkPath, meta);
        return;
      }
      case 'hardlink':
        this.placeHardlink(parent, name, entry.linkPath);
        return;
      case 'char':
      case 'block':
      case 'fifo': {
        const path = this.tree.put(parent, name, { kind: 'special' });
        this.fs.makeNode(path, entry.type, entry.major, entry.minor, meta);
        return;
      }
    }
  }

  private placeHardlink(parent: DirectoryNode, name: string, linkPath: string): void {
    const names = components(linkPath);
    const targetName = names.pop() ?? '';
    // Making the target's missing parents changes nothing: they copy what the layers below have.
    const target = this.tree.directoryAt(names);
    const existing = childPath(target, targetName);
    // A link onto itself changes nothing; replacing it would remove the only name.
    const own = target.children.get(targetName);
    if (own !== undefined && existing === childPath(parent, name)) return;
    if (own === undefined) {
      const below = viewChild(target.lowerDirs, targetName);
      if (targetName === '' || below === undefined || below.kind === 'directory') {
        throw missingTarget(linkPath);
      }
      this.fs.linkFromLower(this.tree.put(parent, name, nodeOf(below)), below.hostPath);
      return;
    }
    if (own.kind === 'directory' || own.kind === 'whiteout') throw missingTarget(linkPath);
    // Replacing a folder here might remove the target with it.
    if (existing.startsWith(`${childPath(parent, name)}/`)) throw missingTarget(linkPath);
    this.fs.link(this.tree.put(parent, name, own), existing);
  }

  private metaOf(entry: TarEntry): NodeMeta {
    const xattrs = new Map<string, Buffer>();
    for (const [name, value] of entry.xattrs) {
      if (isKeptXattr(name)) xattrs.set(name, value);
      else this.note(`attribute ${name} of ${readable(entry.path)} left out`);
    }
    const { mode, uid, gid, mtime } = entry;
    return { mode, uid, gid, mtime, xattrs };
  }

  private checkSizes({ path, linkPath, xattrs }: TarEntry): void {
    const { pathBytesMax, xattrBytesMax } = this.limits;
    if (path.length > pathBytesMax || linkPath.length > pathBytesMax) {
      throw new LayerError(`path is longer than ${pathBytesMax} bytes`);
    }
    let total = 0;
    for (const [name, value] of xattrs) total += name.length + value.length;
    if (total > xattrBytesMax) throw new LayerError('extended attributes are too large');
  }

  private countNode(): void {
    if (++this.nodesCount > this.limits.entriesMax) {
      throw new LayerError(`layer has more than ${this.limits.entriesMax} entries`);
    }
  }
}

/**
 * File capabilities and user attributes travel with an image. Labels of a foreign security policy,
 * access lists and above all overlayfs's own marks do not.
 */
const isKeptXattr = (name: string): boolean =>
  name === 'security.capability' ||
  (name.startsWith('user.') && !name.startsWith('user.overlay.') && name.length < 256);

const blaming = (path: string, work: () => void): void => {
  try {
    work();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new LayerError(`entry ${readable(path)}: ${why}`, { cause: error });
  }
};

const missingTarget = (linkPath: string): LayerError =>
  new LayerError(`hard link to ${readable(linkPath)}, which is not a file of this image`);

const nodeOf = (below: Exclude<ViewEntry, { kind: 'directory' }>): TreeNode =>
  below.kind === 'symlink'
    ? { kind: 'symlink', target: below.target }
    : { kind: below.kind === 'file' ? 'file' : 'special' };

const WHITEOUT = '.wh.';
const AUFS = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';
