import { readable } from './byte-path';
import { LINKS_MAX, viewChild, type ViewEntry } from './layered-view';
import type { FileTime } from './libc';
import type { LayerFs, NodeMeta } from './layer-fs';
import { portableXattrs } from './xattrs';

/** A folder made by the layer being unpacked. */
export interface DirectoryNode {
  readonly kind: 'directory';
  /** Relative to the layer's folder; '' is the root. */
  readonly path: string;
  readonly children: Map<string, TreeNode>;
  /** The same folder in the layers below, topmost first. */
  lowerDirs: readonly string[];
  mtime: FileTime | undefined;
}

export type TreeNode =
  | DirectoryNode
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'file' | 'special' | 'whiteout' };

/** The layer asks for something that is wrong or not allowed; the message names the entry. */
export class LayerError extends Error {
  override readonly name = 'LayerError';
}

/**
 * Everything this layer has made so far, in memory. Parents are found here and in the layers below,
 * never by letting the kernel walk a path, so no link in an archive can lead outside.
 */
export class LayerTree {
  readonly root: DirectoryNode;

  constructor(
    private readonly fs: LayerFs,
    lowerRoots: readonly string[],
    private readonly countNode: () => void,
  ) {
    this.root = {
      kind: 'directory',
      path: '',
      children: new Map(),
      lowerDirs: lowerRoots,
      mtime: undefined,
    };
  }

  /**
   * The folder that `names` lead to, following symlinks inside the root. What is missing is made,
   * with the metadata of the layers below where they have it.
   */
  directoryAt(names: readonly string[]): DirectoryNode {
    const stack: DirectoryNode[] = [this.root];
    const queue = [...names];
    let links = 0;
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const step = this.enter(stack[stack.length - 1] ?? this.root, name);
      if (step.kind === 'directory') {
        stack.push(step);
        continue;
      }
      if (++links > LINKS_MAX) throw new LayerError('too many levels of symbolic links');
      if (step.target.startsWith('/')) stack.length = 1;
      queue.unshift(...step.target.split('/'));
      if (queue.length > COMPONENTS_MAX) throw new LayerError('symbolic links lead too deep');
    }
    return stack[stack.length - 1] ?? this.root;
  }

  /** Makes or updates the folder itself. */
  putDirectory(parent: DirectoryNode, name: string, meta: NodeMeta): DirectoryNode {
    const existing = parent.children.get(name);
    if (existing?.kind === 'directory') {
      this.fs.updateDirectory(existing.path, meta);
      existing.mtime = meta.mtime;
      return existing;
    }
    // A whiteout or a file stood here: what the layers below have must stay hidden.
    const isOpaque = existing !== undefined;
    this.clear(parent, name);
    const below = isOpaque ? undefined : viewChild(parent.lowerDirs, name);
    const node = this.makeDirectory(parent, name, meta, below);
    if (isOpaque) this.cut(node);
    return node;
  }

  /** Removes what this layer has at the name, if anything, and registers the new node. */
  put(parent: DirectoryNode, name: string, node: TreeNode): string {
    this.clear(parent, name);
    this.countNode();
    parent.children.set(name, node);
    return childPath(parent, name);
  }

  /** Hides `name` of the layers below; what this layer itself has there stays. */
  hide(parent: DirectoryNode, name: string): void {
    const existing = parent.children.get(name);
    if (existing?.kind === 'directory') this.cut(existing);
    // A folder with nothing below it is listed by the kernel as it is, whiteouts included.
    if (existing === undefined && viewChild(parent.lowerDirs, name) !== undefined) {
      this.fs.whiteout(this.put(parent, name, { kind: 'whiteout' }));
    }
  }

  /** Hides all that the layers below have in the folder. */
  cut(directory: DirectoryNode): void {
    this.forgetBelow(directory);
    // Overlayfs does not look at the root of a layer: the stack is cut there instead.
    if (directory !== this.root) this.fs.setOpaque(directory.path);
  }

  /** Sets the folders' times, children first: making them has changed their parent. */
  finish(directory: DirectoryNode = this.root): void {
    for (const child of directory.children.values()) {
      if (child.kind === 'directory') this.finish(child);
    }
    if (directory.mtime !== undefined) this.fs.setTimes(directory.path, directory.mtime);
  }

  private forgetBelow(directory: DirectoryNode): void {
    directory.lowerDirs = [];
    for (const [name, child] of directory.children) {
      if (child.kind === 'directory') this.forgetBelow(child);
      if (child.kind === 'whiteout') this.clear(directory, name);
    }
  }

  private enter(
    parent: DirectoryNode,
    name: string,
  ): DirectoryNode | { readonly kind: 'symlink'; readonly target: string } {
    const node = parent.children.get(name);
    if (node?.kind === 'directory' || node?.kind === 'symlink') return node;
    if (node?.kind === 'whiteout') return this.putDirectory(parent, name, DEFAULT_DIRECTORY);
    if (node !== undefined) {
      throw new LayerError(`${readable(childPath(parent, name))} is not a directory`);
    }
    const below = viewChild(parent.lowerDirs, name);
    if (below?.kind === 'symlink') return { kind: 'symlink', target: below.target };
    return this.makeDirectory(parent, name, metaOf(below), below);
  }

  private makeDirectory(
    parent: DirectoryNode,
    name: string,
    meta: NodeMeta,
    below: ViewEntry | undefined,
  ): DirectoryNode {
    this.countNode();
    const path = childPath(parent, name);
    this.fs.mkdir(path, meta);
    const lowerDirs = below?.kind === 'directory' ? below.dirs : [];
    const node: DirectoryNode = {
      kind: 'directory',
      path,
      children: new Map(),
      lowerDirs,
      mtime: meta.mtime,
    };
    parent.children.set(name, node);
    return node;
  }

  private clear(parent: DirectoryNode, name: string): void {
    const existing = parent.children.get(name);
    if (existing === undefined) return;
    const path = childPath(parent, name);
    if (existing.kind === 'directory') {
      this.fs.removeTree(path);
    } else {
      this.fs.unlink(path);
    }
    parent.children.delete(name);
  }
}

export const childPath = (parent: DirectoryNode, name: string): string =>
  parent.path === '' ? name : `${parent.path}/${name}`;

const metaOf = (below: ViewEntry | undefined): NodeMeta => {
  if (below?.kind !== 'directory') return DEFAULT_DIRECTORY;
  const { mode, uid, gid, mtimeMs } = below.stats;
  const seconds = Math.floor(mtimeMs / 1000);
  const nanos = Math.floor((mtimeMs - seconds * 1000) * 1e6);
  const xattrs = portableXattrs(below.dirs[0] ?? '');
  return { mode: mode & 0o7777, uid, gid, mtime: { seconds, nanos }, xattrs };
};

const DEFAULT_DIRECTORY: NodeMeta = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: undefined,
  xattrs: new Map(),
};
const COMPONENTS_MAX = 4096;
