import { buildTar } from './tar-builder';
import { TarParser } from './tar-parser';
import type { TarEntry } from './tar-header';

const parse = (archive: Buffer, chunkBytes = archive.length) => {
  const entries: (TarEntry & { content: string })[] = [];
  let content = '';
  let current: TarEntry | undefined;
  const parser = new TarParser({
    entry: (entry) => {
      current = entry;
      content = '';
    },
    data: (chunk) => (content += chunk.toString('latin1')),
    entryEnd: () => entries.push({ ...current!, content }),
  });
  for (let i = 0; i < archive.length; i += chunkBytes) {
    parser.push(archive.subarray(i, i + chunkBytes));
  }
  parser.end();
  return entries;
};

it.each([1, 7, 512, 513, 100_000])('reads every kind of entry in chunks of %i bytes', (size) => {
  const archive = buildTar(
    { path: 'd/', mode: 0o2755, uid: 5, gid: 7 },
    { path: 'd/f', content: 'x'.repeat(513) },
    { path: 'd/s', type: '2', link: 'f' },
    { path: 'd/h', type: '1', link: 'd/f', sizeBytes: 513 },
    { path: 'd/c', type: '3', major: 1, minor: 3 },
    { path: 'd/p', type: '6' },
    { path: 'empty' },
  );
  const entries = parse(archive, size);
  expect(entries.map(({ path, type }) => [path, type])).toEqual([
    ['d/', 'directory'],
    ['d/f', 'file'],
    ['d/s', 'symlink'],
    ['d/h', 'hardlink'],
    ['d/c', 'char'],
    ['d/p', 'fifo'],
    ['empty', 'file'],
  ]);
  expect(entries[0]).toMatchObject({ mode: 0o2755, uid: 5, gid: 7 });
  expect(entries[1]!.content).toBe('x'.repeat(513));
  expect(entries[4]).toMatchObject({ major: 1, minor: 3 });
});

it('takes names, targets, owners and times from pax records exactly', () => {
  const path = `${'p/'.repeat(119)}é`;
  const [entry] = parse(
    buildTar({
      path: 'short',
      type: '2',
      pax: {
        path,
        linkpath: 't'.repeat(180),
        uid: '4000000000',
        mtime: '1350244992.023960108',
        'SCHILY.xattr.user.note': Buffer.from([1, 0, 10, 61]),
      },
    }),
  );
  expect(Buffer.from(entry!.path, 'latin1').toString()).toBe(path);
  expect(entry).toMatchObject({ linkPath: 't'.repeat(180), uid: 4_000_000_000 });
  expect(entry!.mtime).toEqual({ seconds: 1350244992, nanos: 23960108 });
  expect(entry!.xattrs.get('user.note')).toEqual(Buffer.from([1, 0, 10, 61]));
});

it('takes long names from GNU entries', () => {
  const name = `${'n'.repeat(239)}\0`;
  const [entry, next] = parse(
    buildTar(
      { path: '././@LongLink', type: 'L', content: name },
      { path: '././@LongLink', type: 'K', content: `${'k'.repeat(180)}\0` },
      { path: 'cut', type: '2', link: 'cut' },
      { path: 'next' },
    ),
  );
  expect(entry).toMatchObject({ path: 'n'.repeat(239), linkPath: 'k'.repeat(180) });
  expect(next!.path).toBe('next');
});

it('applies a global header to later entries and makes no file of it', () => {
  const entries = parse(
    buildTar(
      { path: 'pax_global_header', type: 'g', content: '11 uid=123\n' },
      { path: 'a' },
      { path: 'b', pax: { uid: '5' } },
    ),
  );
  expect(entries.map(({ path, uid }) => [path, uid])).toEqual([
    ['a', 123],
    ['b', 5],
  ]);
});

it('reads a pax size beyond what the old header holds', () => {
  const sizes: number[] = [];
  const parser = new TarParser({
    entry: ({ sizeBytes }) => sizes.push(sizeBytes),
    data: () => undefined,
    entryEnd: () => undefined,
  });
  parser.push(buildTar({ path: 'big', pax: { size: String(9 * 2 ** 30) } }));
  expect(sizes).toEqual([9 * 2 ** 30]);
  expect(() => parser.end()).toThrow('unexpected end of archive');
});

it('ignores what follows the end of the archive', () => {
  expect(parse(Buffer.concat([buildTar({ path: 'a' }), Buffer.from('garbage')]))).toHaveLength(1);
});

it.each([
  ['a sparse file (old GNU)', buildTar({ path: 'sp', type: 'S' }), '"sp" is a sparse file'],
  [
    'a sparse file (pax)',
    buildTar({ path: 'x', pax: { 'GNU.sparse.major': '1', 'GNU.sparse.name': 'real' } }),
    '"real" is a sparse file',
  ],
  ['an unknown type', buildTar({ path: 'v', type: 'V' }), 'unsupported type'],
  ['bytes that are no tar', Buffer.alloc(512, 0x41), 'checksum'],
  [
    'a cut file',
    buildTar({ path: 'f', content: 'x'.repeat(600) }).subarray(0, 1024),
    'unexpected end',
  ],
  ['a cut header', buildTar({ path: 'f' }).subarray(0, 300), 'unexpected end'],
  [
    'a pax record with a wrong length',
    buildTar({ path: 'x', type: 'x', content: '99 a=b\n' }),
    'bad pax',
  ],
  ['a NUL in a pax path', buildTar({ path: 'x', pax: { path: 'a\0b' } }), 'NUL'],
  ['a negative pax size', buildTar({ path: 'x', pax: { size: '-1' } }), 'bad pax size'],
  [
    'the owner that means nobody',
    buildTar({ path: 'x', pax: { uid: '4294967295' } }),
    'out of range',
  ],
  ['a huge extended header', buildTar({ path: 'x', type: 'x', sizeBytes: 2 ** 30 }), 'too large'],
])('refuses %s', (_title, archive, message) => {
  expect(() => parse(archive)).toThrow(message);
});
