import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTar, type TarMember } from '../../runtime/rootfs/tar-builder';
import { parseSpec } from '../commands/cp';
import { pack } from './pack';
import { Unpacker } from './unpack';

let folder: string;
let skipped: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dhow-copy-'));
  skipped = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const unpack = (archive: Buffer, bytesMax = 1000) => {
  using unpacker = new Unpacker({
    ...{ target: join(folder, 'target'), prefix: 'src', keepsModes: true, bytesMax },
    onSkipped: (what) => skipped.push(what),
  });
  unpacker.push(archive);
  unpacker.end();
};
const unpackMembers = (...members: TarMember[]) => unpack(buildTar(...members));

it('writes files and folders below the target, never set-uid', () => {
  unpackMembers(
    { path: 'src/' },
    { path: 'src/deep/er/file', content: 'hello', mode: 0o6755 },
    { path: './src/other', content: 'x' },
  );
  expect(readFileSync(join(folder, 'target/deep/er/file'), 'utf8')).toBe('hello');
  expect(statSync(join(folder, 'target/deep/er/file')).mode & 0o7777).toBe(0o755);
});

it('writes a single file as the target', () => {
  unpackMembers({ path: 'src', content: 'one' });
  expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('one');
});

it.each([
  ['a way up', { path: 'src/../../evil', content: 'x' }],
  ['an absolute path', { path: '/evil', content: 'x' }],
  ['what was not asked for', { path: 'evil', content: 'x' }],
  ['too much', { path: 'src/big', sizeBytes: 2000, content: '' }],
])('refuses %s', (_title, member) => {
  expect(() => unpackMembers(member)).toThrow();
  expect(readdirSync(folder).filter((name) => name !== 'target')).toEqual([]);
});

it('makes no links and writes through none', () => {
  unpackMembers(
    { path: 'src/' },
    { path: 'src/link', type: '2', link: '/etc' },
    { path: 'src/hard', type: '1', link: 'src/link' },
    { path: 'src/pipe', type: '6' },
  );
  expect(skipped).toHaveLength(3);
  expect(readdirSync(join(folder, 'target'))).toEqual([]);
  mkdirSync(join(folder, 'outside'));
  symlinkSync(join(folder, 'outside'), join(folder, 'target/way'));
  expect(() => unpackMembers({ path: 'src/way/evil', content: 'x' })).toThrow('no folder');
  symlinkSync(join(folder, 'outside/new'), join(folder, 'target/file'));
  expect(() => unpackMembers({ path: 'src/file', content: 'x' })).toThrow('ELOOP');
  expect(existsSync(join(folder, 'outside/new'))).toBe(false);
});

it('packs what it unpacks, long names too', async () => {
  const long = 'n'.repeat(180);
  mkdirSync(join(folder, 'in', long), { recursive: true });
  writeFileSync(join(folder, 'in', long, 'file'), 'content'.repeat(100));
  writeFileSync(join(folder, 'in', 'empty'), '');
  const chunks: Buffer[] = [];
  for await (const chunk of pack(join(folder, 'in'), 'src')) chunks.push(chunk);
  unpack(Buffer.concat(chunks));
  expect(readFileSync(join(folder, 'target', long, 'file'), 'utf8')).toBe('content'.repeat(100));
  expect(readFileSync(join(folder, 'target', 'empty'), 'utf8')).toBe('');
});

it.each([
  ['web:/tmp/a', { pod: 'web', path: '/tmp/a' }],
  ['team/web:a:b', { namespace: 'team', pod: 'web', path: 'a:b' }],
  ['./a:b', { path: './a:b' }],
  ['/a:b', { path: '/a:b' }],
  ['plain', { path: 'plain' }],
])('reads %s', (text, spec) => {
  expect(parseSpec(text)).toEqual(spec);
});
