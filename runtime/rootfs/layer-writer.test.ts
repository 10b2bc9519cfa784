import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LayerFs, NodeMeta } from './layer-fs';
import { DEFAULT_LAYER_LIMITS, LayerWriter } from './layer-writer';
import { buildTar, type TarMember } from './tar-builder';
import { TarParser } from './tar-parser';

/** Records the outcome: path → what stands there. Refuses what a disk would refuse. */
class MemoryLayerFs implements LayerFs {
  readonly nodes = new Map<string, string>();
  readonly opaque = new Set<string>();
  readonly metas = new Map<string, NodeMeta>();
  private content = '';

  mkdir(path: string, meta: NodeMeta): void {
    this.add(path, 'dir', meta);
  }
  updateDirectory(path: string, meta: NodeMeta): void {
    this.metas.set(path, meta);
  }
  setTimes(): void {
    return;
  }
  openFile(path: string): void {
    this.add(path, 'file:');
    this.content = '';
  }
  write(chunk: Buffer): void {
    this.content += chunk.toString();
  }
  closeFile(path: string, meta: NodeMeta): void {
    this.nodes.set(path, `file:${this.content}`);
    this.metas.set(path, meta);
  }
  symlink(path: string, target: string, meta: NodeMeta): void {
    this.add(path, `-> ${target}`, meta);
  }
  link(path: string, existing: string): void {
    const node = this.nodes.get(existing);
    if (node === undefined || node === 'dir') throw new Error(`no ${existing}`);
    this.add(path, node);
  }
  linkFromLower(path: string, hostPath: string): void {
    this.add(path, `lower:${hostPath.split('/').pop()!}`);
  }
  makeNode(path: string, type: string, major: number, minor: number, meta: NodeMeta): void {
    this.add(path, `${type} ${major}:${minor}`, meta);
  }
  whiteout(path: string): void {
    this.add(path, 'whiteout');
  }
  setOpaque(path: string): void {
    if (this.nodes.get(path) !== 'dir') throw new Error(`${path} is no directory`);
    this.opaque.add(path);
  }
  unlink(path: string): void {
    if (!this.nodes.delete(path)) throw new Error(`no ${path}`);
  }
  removeTree(path: string): void {
    for (const other of [...this.nodes.keys()]) {
      if (other === path || other.startsWith(`${path}/`)) this.nodes.delete(other);
    }
    this.opaque.delete(path);
  }

  private add(path: string, node: string, meta?: NodeMeta): void {
    if (this.nodes.has(path)) throw new Error(`${path} exists`);
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : undefined;
    if (parent !== undefined && this.nodes.get(parent) !== 'dir') throw new Error(`no ${parent}`);
    if (/(^|\/)(\.\.?)?(\/|$)/.test(path)) throw new Error(`unclean path ${path}`);
    this.nodes.set(path, node);
    if (meta !== undefined) this.metas.set(path, meta);
  }
}

const unpack = (members: readonly TarMember[], lowers: readonly string[] = [], limits = {}) => {
  const fs = new MemoryLayerFs();
  const notes: string[] = [];
  const writer = new LayerWriter(fs, lowers, { ...DEFAULT_LAYER_LIMITS, ...limits }, (note) =>
    notes.push(note),
  );
  const parser = new TarParser(writer);
  parser.push(buildTar(...members));
  parser.end();
  writer.finish();
  return {
    nodes: Object.fromEntries(fs.nodes),
    opaque: [...fs.opaque],
    metas: fs.metas,
    notes,
    isRootOpaque: writer.isRootOpaque,
  };
};

let lower = '';
beforeEach(() => {
  lower = mkdtempSync(join(tmpdir(), 'images-lower-'));
});
afterEach(() => rmSync(lower, { recursive: true, force: true }));

describe('whiteouts', () => {
  const opaque: TarMember = { path: 'd/.wh..wh..opq' };
  const rest: TarMember[] = [{ path: 'd/.config' }, { path: 'd/sub/' }, { path: 'd/sub/y' }];

  it.each([
    ['last', [...rest, opaque]],
    ['first', [opaque, ...rest]],
  ])('an opaque mark that comes %s hides lower layers only', (_title, members) => {
    const { nodes, opaque } = unpack(members);
    expect(Object.keys(nodes).sort()).toEqual(['d', 'd/.config', 'd/sub', 'd/sub/y']);
    expect(opaque).toEqual(['d']);
  });

  it('a lone opaque mark leaves an empty folder', () => {
    const { nodes, opaque } = unpack([{ path: 'd/.wh..wh..opq' }]);
    expect(nodes).toEqual({ d: 'dir' });
    expect(opaque).toEqual(['d']);
  });

  it('counts by its name whatever its type', () => {
    writeFileSync(join(lower, 'c'), '');
    const { nodes } = unpack([{ path: '.wh.c', type: '1', link: 'b' }], [lower]);
    expect(nodes).toEqual({ c: 'whiteout' });
  });

  it('leaves no trace where there is nothing to hide', () => {
    mkdirSync(join(lower, 'd'));
    writeFileSync(join(lower, 'd/x'), '');
    const members = [{ path: 'd/.wh.x' }, opaque, { path: '.wh.none' }];
    expect(unpack(members, [lower]).nodes).toEqual({ d: 'dir' });
  });

  it('spares what its own layer has', () => {
    const { nodes, opaque } = unpack([
      { path: 'f', content: '1' },
      { path: '.wh.f' },
      { path: 'd/' },
      { path: 'd/x' },
      { path: '.wh.d' },
    ]);
    expect(nodes).toEqual({ f: 'file:1', d: 'dir', 'd/x': 'file:' });
    expect(opaque).toEqual(['d']);
  });

  it('gives way to a later entry, which stays opaque if it is a folder', () => {
    mkdirSync(join(lower, 'd'));
    writeFileSync(join(lower, 'f'), '');
    const { nodes, opaque } = unpack(
      [{ path: '.wh.f' }, { path: 'f', content: '1' }, { path: '.wh.d' }, { path: 'd/x' }],
      [lower],
    );
    expect(nodes).toEqual({ f: 'file:1', d: 'dir', 'd/x': 'file:' });
    expect(opaque).toEqual(['d']);
  });

  it('of the root is reported, and aufs leftovers are skipped', () => {
    const { nodes, isRootOpaque } = unpack([
      { path: '.wh..wh..opq' },
      { path: '.wh..wh.plnk/' },
      { path: '.wh..wh.plnk/1.2' },
      { path: '.wh..wh.aufs' },
    ]);
    expect(nodes).toEqual({});
    expect(isRootOpaque).toBe(true);
  });

  it.each(['.wh.', '.wh...', '.wh..', 'd/.wh...', '.wh.x/y'])('refuses %s', (path) => {
    expect(() => unpack([{ path }])).toThrow('whiteout');
  });
});

describe('duplicates', () => {
  it('the last entry wins', () => {
    const { nodes, metas } = unpack([
      { path: 'f', content: '1' },
      { path: 'f', content: '2' },
      { path: 'd/', mode: 0o755 },
      { path: 'd/', mode: 0o2750 },
      { path: './d/', mode: 0o2750 },
      { path: 's/x' },
      { path: 's', type: '2', link: '/etc' },
    ]);
    expect(nodes).toEqual({ f: 'file:2', d: 'dir', s: '-> /etc' });
    expect(metas.get('d')!.mode).toBe(0o2750);
  });

  it('a folder replaces a link without following it', () => {
    const { nodes } = unpack([
      { path: 'real/' },
      { path: 'l', type: '2', link: 'real' },
      { path: 'l/' },
      { path: 'l/x' },
    ]);
    expect(nodes).toEqual({ real: 'dir', l: 'dir', 'l/x': 'file:' });
  });
});

describe('links', () => {
  it('a parent that is a link is followed inside the root', () => {
    const { nodes } = unpack([
      { path: 'a/up', type: '2', link: '../../../../b' },
      { path: 'abs', type: '2', link: '/c' },
      { path: 'a/up/x' },
      { path: 'abs/y' },
    ]);
    expect(nodes).toMatchObject({ 'b/x': 'file:', 'c/y': 'file:' });
  });

  it('names with .. and leading slashes stay inside', () => {
    const { nodes } = unpack([{ path: '../../etc/x' }, { path: '/abs' }, { path: 'a/../../b' }]);
    expect(nodes).toEqual({ etc: 'dir', 'etc/x': 'file:', abs: 'file:', b: 'file:' });
  });

  it('a loop is refused', () => {
    const loop: TarMember[] = [
      { path: 'a', type: '2', link: 'b' },
      { path: 'b', type: '2', link: 'a' },
    ];
    expect(() => unpack([...loop, { path: 'a/x' }])).toThrow('too many levels');
  });

  it('links that multiply are refused', () => {
    const far = 'x/../'.repeat(400);
    const members: TarMember[] = [
      { path: 'x/' },
      { path: 'l', type: '2', pax: { linkpath: `${far}l` } },
    ];
    expect(() => unpack([...members, { path: 'l/y' }])).toThrow(/too many levels|too deep/);
  });

  it('a hard link finds its target in the layer, also through a link', () => {
    const { nodes } = unpack([
      { path: 'd/f', content: '5' },
      { path: 'l', type: '2', link: 'd' },
      { path: 'h', type: '1', link: 'l/f' },
      { path: 'h2', type: '1', link: '../../h' },
      { path: 'h', type: '1', link: 'h' },
    ]);
    expect(nodes).toMatchObject({ h: 'file:5', h2: 'file:5' });
  });

  it('a hard link finds its target in a lower layer', () => {
    mkdirSync(join(lower, 'usr'));
    writeFileSync(join(lower, 'usr/b'), 'hello');
    symlinkSync('usr', join(lower, 'link'));
    const { nodes } = unpack(
      [
        { path: 'c', type: '1', link: 'usr/b' },
        { path: 'e', type: '1', link: 'link/b' },
      ],
      [lower],
    );
    expect(nodes).toMatchObject({ c: 'lower:b', e: 'lower:b' });
  });

  it.each([
    ['nothing', 'missing'],
    ['a folder', 'd'],
    ['a whiteout', 'gone'],
    ['the root', '/'],
    ['the host', '../../../../etc/passwd'],
  ])('a hard link to %s is refused', (_title, link) => {
    const members: TarMember[] = [{ path: 'd/' }, { path: '.wh.gone' }];
    expect(() => unpack([...members, { path: 'z', type: '1', link }])).toThrow(
      /entry "z": hard link to ".*", which is not a file of this image/,
    );
  });

  it('a missing parent takes its metadata, or its link, from the layers below', () => {
    mkdirSync(join(lower, 'srv'), { mode: 0o700 });
    symlinkSync('usr/lib', join(lower, 'lib'));
    const { nodes, metas } = unpack([{ path: 'srv/x' }, { path: 'lib/y' }], [lower]);
    expect(nodes).toMatchObject({ 'srv/x': 'file:', 'usr/lib/y': 'file:' });
    expect(nodes).not.toHaveProperty('lib');
    expect(metas.get('srv')!.mode).toBe(0o700);
  });

  it('nothing goes below a file', () => {
    expect(() => unpack([{ path: 'f' }, { path: 'f/x' }])).toThrow('"f" is not a directory');
  });
});

it("keeps file capabilities and user attributes, never overlayfs's own marks", () => {
  const { metas, notes } = unpack([
    {
      path: 'c',
      pax: {
        'SCHILY.xattr.security.capability': 'cap',
        'SCHILY.xattr.user.note': 'n',
        'SCHILY.xattr.security.selinux': 'label',
        'SCHILY.xattr.trusted.overlay.opaque': 'y',
        'SCHILY.xattr.user.overlay.opaque': 'y',
      },
    },
  ]);
  expect([...metas.get('c')!.xattrs.keys()]).toEqual(['security.capability', 'user.note']);
  expect(notes).toHaveLength(3);
});

it.each([
  ['entries', { entriesMax: 3 }, [{ path: 'a/b/c/d/e' }], 'more than 3 entries'],
  ['bytes', { bytesMax: 3 }, [{ path: 'a', content: 'four' }], 'more than 3 bytes'],
  ['long paths', {}, [{ path: 'x', pax: { path: 'a/'.repeat(3000) } }], 'longer than'],
  [
    'attributes',
    { xattrBytesMax: 5 },
    [{ path: 'x', pax: { 'SCHILY.xattr.user.a': 'bc' } }],
    'too large',
  ],
])('bounds %s', (_title, limits, members, message) => {
  expect(() => unpack(members, [], limits)).toThrow(message);
});
