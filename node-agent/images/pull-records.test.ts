import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { silentLog } from '../../lib/log';
import { FakeImageService } from '../../runtime/images';
import type { SecretCredentials } from './pull-credentials';
import { PullRecords } from './pull-records';

let directory: string;
let images: FakeImageService;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dhow-pulls-'));
  images = new FakeImageService();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const WEB = 'reg.example/team/web:1';
const offer = (name: string, password = name, namespace = 'ns'): SecretCredentials => ({
  credentials: { username: 'u', password },
  secret: { namespace, name, uid: `uid-${name}` },
});
const a = offer('a');
const b = offer('b');

const open = async (): Promise<PullRecords> => {
  const records = new PullRecords({ directory, images, log: silentLog });
  await records.load();
  return records;
};
const filesIn = (folder: 'pulled' | 'pulling') =>
  existsSync(join(directory, folder)) ? readdirSync(join(directory, folder)) : [];
const pull = async (records: PullRecords, ...offered: readonly SecretCredentials[]) => {
  const credentials = offered.map((each) => each.credentials);
  return await records.recording(WEB, offered, () => images.pull(WEB, { credentials }));
};
const publishPrivate = () => images.publish(WEB, { readers: [a.credentials, b.credentials] });

it('allows an image to those who have the secret that brought it, over a restart too', async () => {
  publishPrivate();
  const { id } = await pull(await open(), offer('wrong'), a);
  for (const records of [await open(), await open()]) {
    expect(records.allows(id, WEB, [])).toBe(false);
    expect(records.allows(id, WEB, [b])).toBe(false);
    expect(records.allows(id, WEB, [offer('wrong')])).toBe(false);
    expect(records.allows(id, WEB, [b, a])).toBe(true);
    expect(records.allows(id, 'reg.example/team/web:2', [a])).toBe(true);
    expect(records.allows(id, 'reg.example/other/web:1', [a])).toBe(false);
    expect(records.allows(id, WEB, [offer('elsewhere', 'a', 'other')])).toBe(true);
    expect(records.allows(id, WEB, [offer('a', 'renewed')])).toBe(true);
  }
  expect(filesIn('pulling')).toEqual([]);
});

it('allows to all what was there before, or was pulled with nothing', async () => {
  const records = await open();
  expect(records.allows(images.add('old:1').id, 'old:1', [])).toBe(true);
  images.publish(WEB);
  const { id } = await pull(records, a);
  expect(records.allows(id, WEB, [])).toBe(true);
  expect((await open()).allows(id, WEB, [])).toBe(true);
});

it('allows what was shown to be readable later', async () => {
  publishPrivate();
  const records = await open();
  const { id } = await pull(records, a);
  await records.note(id, WEB, [b], b.credentials);
  expect(records.allows(id, WEB, [b])).toBe(true);
  await records.note(id, WEB, [], undefined);
  expect((await open()).allows(id, WEB, [])).toBe(true);
});

it('allows nobody, unasked, an image whose pull nobody saw the end of', async () => {
  publishPrivate();
  const records = await open();
  const never = new Promise<never>(() => undefined);
  let begun = (): void => undefined;
  const started = new Promise<void>((resolve) => (begun = resolve));
  void records.recording(WEB, [a], async () => {
    const image = await images.pull(WEB, { credentials: [a.credentials] });
    begun();
    // The agent dies here.
    return await never.then(() => image);
  });
  await started;
  const { id } = (await images.find(WEB))!;
  expect(records.allows(id, WEB, [b])).toBe(false);
  const later = await open();
  expect(later.allows(id, WEB, [a])).toBe(false);
  expect([filesIn('pulling'), filesIn('pulled')]).toEqual([[], [expect.anything()]]);
  await later.note(id, WEB, [a], a.credentials);
  expect((await open()).allows(id, WEB, [a])).toBe(true);
});

it('allows nobody an image that came though its pull was given up', async () => {
  publishPrivate();
  const records = await open();
  const pulling = records.recording(WEB, [a], async () => {
    await images.pull(WEB, { credentials: [a.credentials] });
    throw new Error('given up');
  });
  await expect(pulling).rejects.toThrow('given up');
  const { id } = (await images.find(WEB))!;
  expect(records.allows(id, WEB, [])).toBe(false);
  expect(filesIn('pulling')).toEqual([]);
});

it('allows nobody an image when it cannot be written down with what it came', async () => {
  publishPrivate();
  const records = await open();
  rmSync(join(directory, 'pulled'), { recursive: true, force: true });
  writeFileSync(join(directory, 'pulled'), 'no folder');
  await expect(pull(records, a)).rejects.toThrow();
  const { id } = (await images.find(WEB))!;
  expect([records.allows(id, WEB, [a]), records.allows(id, WEB, [b])]).toEqual([true, false]);
  rmSync(join(directory, 'pulled'));
  expect((await open()).allows(id, WEB, [])).toBe(false);
});

it('does not pull what it could not write down', async () => {
  const image = publishPrivate();
  const records = await open();
  rmSync(join(directory, 'pulling'), { recursive: true, force: true });
  writeFileSync(join(directory, 'pulling'), 'no folder');
  await expect(pull(records, a)).rejects.toThrow();
  expect(images.pulls).toEqual([]);
  expect(records.allows(image.id, WEB, [])).toBe(true);
});

it('lives with garbage among its files, and takes it for no permission', async () => {
  publishPrivate();
  const { id } = await pull(await open(), a);
  const [file = ''] = filesIn('pulled');
  for (const garbage of [
    '',
    '{',
    'null',
    '{"access":{"reg.example/team/web":7}}',
    '\0'.repeat(99),
  ]) {
    writeFileSync(join(directory, 'pulled', file), garbage);
    expect((await open()).allows(id, WEB, [a])).toBe(false);
  }
  images.add('loose:1');
  writeFileSync(join(directory, 'pulled', '.half-written'), '{');
  writeFileSync(join(directory, 'pulling', `${'0'.repeat(64)}.json`), '{');
  const records = await open();
  // Nobody knows what that pull was for.
  expect(records.allows((await images.find('loose:1'))!.id, 'loose:1', [])).toBe(false);
  expect([filesIn('pulled').length, filesIn('pulling').length]).toEqual([2, 0]);
});

it('begins, and allows nobody what it cannot write down, when the disk takes no more', async () => {
  const all = ['one:1', 'two:1'].map((name) => images.add(name));
  mkdirSync(join(directory, 'pulling'));
  for (const [index, text] of ['{"reference":"docker.io/library/one:1"}', '{'].entries())
    writeFileSync(join(directory, 'pulling', `${String(index).repeat(64)}.json`), text);
  symlinkSync('/nowhere', join(directory, 'pulled'));
  for (const records of [await open(), await open()])
    expect(all.map(({ id }, i) => records.allows(id, `${['one', 'two'][i]}:1`, []))).toEqual([
      false,
      false,
    ]);
  expect(filesIn('pulling')).toHaveLength(2);
  rmSync(join(directory, 'pulled'));
  await open();
  expect([filesIn('pulled').length, filesIn('pulling').length]).toEqual([2, 0]);
});

it('forgets images with their records, but none that came meanwhile', async () => {
  publishPrivate();
  const records = await open();
  await pull(records, a);
  await records.prune();
  expect(filesIn('pulled')).toHaveLength(1);
  await images.remove(WEB);
  const list = images.list.bind(images);
  images.list = async () => {
    const before = await list();
    await pull(records, b);
    return before;
  };
  await records.prune();
  const { id } = (await images.find(WEB))!;
  expect(records.allows(id, WEB, [])).toBe(false);
  images.list = list;
  await images.remove(WEB);
  await records.prune();
  expect(filesIn('pulled')).toEqual([]);
});

it('keeps one record of pulls that run beside each other', async () => {
  publishPrivate();
  const records = await open();
  const all = Array.from({ length: 20 }, (_none, i) => pull(records, i % 2 === 0 ? a : b));
  const [first] = await Promise.all(all);
  const later = await open();
  expect([a, b].map((each) => later.allows(first!.id, WEB, [each]))).toEqual([true, true]);
  expect(filesIn('pulling')).toEqual([]);
});

it('names the secrets that would do, of the own namespace only', async () => {
  publishPrivate();
  const records = await open();
  const { id } = await pull(records, a);
  expect(records.expectedSecrets(id, WEB, 'ns')).toEqual(['a']);
  expect(records.expectedSecrets(id, WEB, 'other')).toEqual([]);
});
