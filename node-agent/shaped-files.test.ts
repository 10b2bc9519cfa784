import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openShapedFile, readEndOfShapedFile } from './shaped-files';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'shaped-'));
  path = join(directory, 'file');
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('reads the end, however large the file is', async () => {
  writeFileSync(path, 'abc');
  expect(readEndOfShapedFile(path, 4096)?.toString()).toBe('abc');
  expect(readEndOfShapedFile(path, 2)?.toString()).toBe('bc');
  truncateSync(path, 2 ** 40);
  expect(readEndOfShapedFile(path, 4096)?.length).toBe(4096);
  const handle = await openShapedFile(path);
  await handle.close();
});

it.each([
  ['a FIFO', () => execFileSync('mkfifo', [path])],
  ['a link', () => symlinkSync('/etc/hostname', path)],
  ['a link to a device', () => symlinkSync('/dev/zero', path)],
  ['a folder', () => execFileSync('mkdir', [path])],
  ['nothing', () => undefined],
])('does not open %s, nor wait for it', async (_what, make) => {
  make();
  expect(readEndOfShapedFile(path, 4096)).toBeUndefined();
  await expect(openShapedFile(path)).rejects.toThrow();
});
