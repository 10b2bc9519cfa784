import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ensurePrivateFolder,
  FileTooLargeError,
  readFileIfPresent,
  readWithin,
  replaceFile,
  writePrivate,
} from './files';

let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'dhow-files-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

it('writes for the owner alone where a file was for everybody, and to what is no file', async () => {
  const path = join(folder, 'bundle');
  await writeFile(path, 'longer than the new', { mode: 0o666 });
  await writePrivate(path, Buffer.from('new'));
  expect(await readFile(path, 'utf8')).toBe('new');
  expect(await modeOf(path)).toBe(0o600);
  const before = await modeOf('/dev/null');
  await writePrivate('/dev/null', Buffer.from('new'));
  expect(await modeOf('/dev/null')).toBe(before);
});

describe('replaceFile', () => {
  it('leaves the new content for its owner alone, and nothing else', async () => {
    const path = join(folder, 'secret');
    const before = process.umask(0);
    try {
      for (const content of ['old', 'new']) await replaceFile(path, content);
    } finally {
      process.umask(before);
    }
    expect(await readFile(path, 'utf8')).toBe('new');
    expect(await modeOf(path)).toBe(0o600);
    expect(await readdir(folder)).toEqual(['secret']);
  });

  it('shows a reader one content or the other, whoever else writes', async () => {
    const path = join(folder, 'busy');
    const contents = Array.from({ length: 20 }, (_, n) => String(n).repeat(50_000));
    await replaceFile(path, contents[0] as string);
    const writing = Promise.all(contents.map((content) => replaceFile(path, content)));
    for (let n = 0; n < 20; n++) expect(contents).toContain(await readFile(path, 'utf8'));
    await writing;
    expect(await readdir(folder)).toEqual(['busy']);
  });

  it('keeps the old content and cleans up when it fails', async () => {
    const path = join(folder, 'taken');
    await mkdir(join(path, 'by-a-folder'), { recursive: true });
    await expect(replaceFile(path, 'new')).rejects.toThrow();
    expect(await readdir(folder)).toEqual(['taken']);
  });
});

it('tells a file that is absent from one that cannot be read', async () => {
  expect(await readFileIfPresent(join(folder, 'absent'))).toBeUndefined();
  await expect(readFileIfPresent(folder)).rejects.toMatchObject({ code: 'EISDIR' });
});

it('closes a folder that was open to others', async () => {
  const path = join(folder, 'open');
  await mkdir(path, { mode: 0o755 });
  await ensurePrivateFolder(path);
  expect(await modeOf(path)).toBe(0o700);
});

describe('readWithin', () => {
  it('reads all of a file that is small enough', async () => {
    const path = join(folder, 'file');
    const content = 'a'.repeat(600_000);
    await replaceFile(path, content);
    expect(readWithin(path, 600_000).toString()).toBe(content);
    expect(() => readWithin(path, 599_999)).toThrow(FileTooLargeError);
  });

  it('does not follow a device to an end that it has not', () => {
    expect(() => readWithin('/dev/zero', 1_000_000)).toThrow('/dev/zero is larger than 1000000');
  });
});
