import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { changeConfig } from './file';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'dhow-config-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('writes whole files that only their owner reads, YAML as YAML and JSON as JSON', async () => {
  const yaml = join(folder, 'deep', 'er', 'config');
  await changeConfig(yaml, (file) => ({ ...file, 'current-context': 'a' }));
  expect(readFileSync(yaml, 'utf8')).toContain('current-context: a\n');
  chmodSync(yaml, 0o644);
  await changeConfig(yaml, (file) => ({ ...file, 'current-context': 'b' }));
  expect(statSync(yaml).mode & 0o777).toBe(0o600);
  const json = join(folder, 'json');
  writeFileSync(json, '{"unknown": 1}');
  await changeConfig(json, (file) => ({ ...file, 'current-context': 'c' }));
  expect(JSON.parse(readFileSync(json, 'utf8'))).toEqual({ unknown: 1, 'current-context': 'c' });
});

it('writes through a link', async () => {
  const link = join(folder, 'link');
  writeFileSync(join(folder, 'real'), 'a: 1\n');
  symlinkSync('real', link);
  await changeConfig(link, () => ({ a: 2 }));
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(folder, 'real'), 'utf8')).toBe('a: 2\n');
});

it('lets several change it one after the other', async () => {
  const path = join(folder, 'config');
  const add = (name: string) =>
    changeConfig(path, (file) => ({ ...file, users: [...(file['users'] as unknown[]), name] }));
  await Promise.all(['a', 'b', 'c'].map(add));
  expect(readFileSync(path, 'utf8')).toMatch(/- a\n/);
  expect(readFileSync(path, 'utf8').match(/^- /gm)).toHaveLength(3);
});

it('leaves the file as it was when the change fails, and no lock behind', async () => {
  const path = join(folder, 'config');
  writeFileSync(path, 'a: 1\n');
  const fails = () => {
    throw new Error('no');
  };
  await expect(changeConfig(path, fails)).rejects.toThrow('no');
  expect(readFileSync(path, 'utf8')).toBe('a: 1\n');
  await changeConfig(path, () => ({ a: 3 }));
});
