import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { removeTree } from '../../lib/remove-tree';
import { DiskWalk } from './disk-walk';

let dir: string;
let root: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dhow-disk-walk-'));
  root = join(dir, 'root');
  mkdirSync(root);
});
afterEach(async () => {
  await removeTree(dir);
});

const walked = (walk = new DiskWalk()): DiskWalk => {
  for (const _ of walk.walk(root));
  return walk;
};
it('counts blocks, of folders too, holes as nothing, and hard links once', () => {
  const before = walked().bytes;
  mkdirSync(join(root, 'a'));
  writeFileSync(join(root, 'big'), Buffer.alloc(1 << 20, 1));
  for (const name of ['one', 'two']) linkSync(join(root, 'big'), join(root, 'a', name));
  writeFileSync(join(root, 'hole'), '');
  truncateSync(join(root, 'hole'), 1 << 30);
  symlinkSync('/', join(root, 'link'));
  const folderBytes = lstatSync(join(root, 'a')).blocks * 512;
  expect(walked()).toMatchObject({ bytes: before + folderBytes + (1 << 20), isWhole: true });
});

it('counts names that are no text', () => {
  const name = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x0a, 0xfe])]);
  mkdirSync(name);
  writeFileSync(Buffer.concat([name, Buffer.from('/\n')]), Buffer.alloc(1 << 20, 1));
  expect(walked()).toMatchObject({ isWhole: true });
  expect(walked().bytes).toBeGreaterThanOrEqual(1 << 20);
});

/** Folders in one another, with a file at the bottom. */
const nest = (levels: number, name: string): void => {
  const here = process.cwd();
  try {
    process.chdir(root);
    for (let depth = 0; depth < levels; depth++) {
      mkdirSync(name);
      process.chdir(name);
    }
    writeFileSync('file', Buffer.alloc(1 << 20, 1));
  } finally {
    process.chdir(here);
  }
};

it('counts below what a path can say, however deep', () => {
  nest(1000, 'x'.repeat(100));
  const { bytes, isWhole } = walked();
  expect(bytes).toBeGreaterThanOrEqual(1 << 20);
  expect(isWhole).toBe(true);
  nest(250, 'y');
  nest(250, 'z');
  expect(walked().bytes).toBeGreaterThanOrEqual(3 << 20);
});

it('says when it stops short', () => {
  nest(250, 'x');
  expect(walked(new DiskWalk(150)).isWhole).toBe(false);
});

it('goes on when things vanish, and is not led away by what takes their place', () => {
  const outside = join(dir, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'big'), Buffer.alloc(1 << 20, 1));
  for (const name of ['a', 'b', 'c']) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, 'file'), 'x');
  }
  const walk = new DiskWalk();
  const steps = walk.walk(root);
  steps.next();
  // Seen, and not entered yet.
  for (const name of ['a', 'b', 'c']) {
    rmSync(join(root, name), { recursive: true });
    symlinkSync(outside, join(root, name));
  }
  for (const _ of steps);
  expect(walk.bytes).toBeLessThan(1 << 20);
  expect(walk.isWhole).toBe(true);
});

it('is content when there is nothing', () => {
  rmSync(root, { recursive: true });
  expect(walked()).toMatchObject({ bytes: 0, isWhole: true });
});

it('ends somewhere, and leaves no descriptor open', () => {
  for (let i = 0; i < 20; i++) writeFileSync(join(root, `file-${i}`), '');
  const walk = walked(new DiskWalk(10));
  expect(walk.isWhole).toBe(false);
  const openFiles = () => readdirSync('/proc/self/fd').length;
  const before = openFiles();
  for (const _ of new DiskWalk().walk(root)) break;
  expect(openFiles()).toBe(before);
});
