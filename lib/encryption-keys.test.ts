import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringifyJson } from './json';
import { addKey, openKeyFile, readKeyFile } from './encryption-keys';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dhow-keys-'));
  path = join(folder, 'keys.json');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('makes a key at first, for its owner alone, and keeps it', async () => {
  const made = await openKeyFile(path, 1_000);
  expect(made).toHaveLength(1);
  expect(made[0]).toMatchObject({ createdAtMs: 1_000 });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await openKeyFile(path, 2_000)).toEqual(made);
});

it('puts a new key before those that are there, and takes no more than it can hold', async () => {
  const [first] = await openKeyFile(path, 0);
  const second = await addKey(path, 5_000);
  expect(await readKeyFile(path)).toEqual([second, first]);
  for (let count = 2; count < 32; count++) await addKey(path, count);
  await expect(addKey(path, 0)).rejects.toThrow('holds 32 keys already: take out the oldest');
});

const secret = Buffer.alloc(32, 7).toString('base64');
const key = { id: 'a1', secret, created: '2026-01-02T03:04:05Z' };

it.each([
  ['not json', 'is not JSON'],
  ['{}', ': keys: '],
  ['{"keys":[]}', ': keys: has to hold a key'],
  [stringifyJson({ keys: [key, key] }), ': keys: has two keys of one id'],
  [stringifyJson({ keys: [{ ...key, id: 'a/b' }] }), ': keys.0.id: has to be 1 to 64 letters'],
  [stringifyJson({ keys: [{ ...key, secret: 'AAAA' }] }), ': keys.0.secret: has to be 32 bytes'],
  [stringifyJson({ keys: [{ ...key, created: 'today' }] }), ': keys.0.created: has to be a date'],
  [stringifyJson({ keys: [{ ...key, more: 1 }] }), ': keys.0: '],
])('refuses %s, with its name and the field, and without what is in it', async (text, problem) => {
  writeFileSync(path, text);
  const refused = openKeyFile(path, 0);
  await expect(refused).rejects.toThrow(path);
  await expect(refused).rejects.toThrow(problem);
  await expect(refused).rejects.not.toThrow(secret);
});

it('makes no file for who only reads', async () => {
  await expect(readKeyFile(path)).rejects.toThrow(`${path} is not there`);
});
