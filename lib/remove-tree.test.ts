import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { removeTree } from './remove-tree';

let dir: string;
let root: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'remove-tree-'));
  root = join(dir, 'root');
  mkdirSync(root);
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('removes files and folders, and is content when there is nothing', async () => {
  mkdirSync(join(root, 'a/b'), { recursive: true });
  for (let i = 0; i < 2600; i++) writeFileSync(join(root, 'a', `file-${i}`), '');
  await removeTree(root);
  expect(existsSync(root)).toBe(false);
  await removeTree(root);
});

it('removes many folders that lie beside and in each other', async () => {
  for (let i = 0; i < 40; i++) {
    mkdirSync(join(root, `${i}/a/b`), { recursive: true });
    writeFileSync(join(root, `${i}/a/file`), 'x'.repeat(5000));
  }
  await removeTree(root);
  expect(existsSync(root)).toBe(false);
});

it('removes what is written to the folder while it works', async () => {
  for (let i = 0; i < 1000; i++) writeFileSync(join(root, `file-${i}`), 'x');
  const removal = removeTree(root);
  writeFileSync(join(root, 'late'), 'x');
  await removal;
  expect(existsSync(root)).toBe(false);
});

it('removes large files and large folders', async () => {
  writeFileSync(join(root, 'large'), Buffer.alloc(2 << 20, 1));
  const names = join(root, 'names');
  mkdirSync(names);
  // More than a mebibyte of names, where folders take room at all: on a tmpfs they take none.
  for (let i = 0; i < 10_000 && lstatSync(names).blocks * 512 <= 1 << 20; i++)
    writeFileSync(join(names, `${i}-${'x'.repeat(200)}`), '');
  await removeTree(root);
  expect(existsSync(root)).toBe(false);
  writeFileSync(root, Buffer.alloc(2 << 20, 1));
  await removeTree(root);
  expect(existsSync(root)).toBe(false);
});

it('removes links, not what they point to', async () => {
  const kept = join(dir, 'kept');
  writeFileSync(kept, '');
  symlinkSync(dir, join(root, 'link'));
  symlinkSync(dir, join(dir, 'first'));
  await removeTree(join(dir, 'first'));
  await removeTree(root);
  expect(readdirSync(dir)).toEqual(['kept']);
});

it('removes names that are no text', async () => {
  const name = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x0a, 0xfe])]);
  mkdirSync(name);
  writeFileSync(Buffer.concat([name, Buffer.from('/x')]), '');
  await removeTree(root);
  expect(existsSync(root)).toBe(false);
});

it('removes folders that lie deeper than a path can say', async () => {
  const here = process.cwd();
  try {
    process.chdir(root);
    for (let depth = 0; depth < 100; depth++) {
      mkdirSync('x'.repeat(100));
      process.chdir('x'.repeat(100));
    }
    writeFileSync('file', '');
  } finally {
    process.chdir(here);
  }
  await removeTree(root);
  expect(existsSync(root)).toBe(false);
});
