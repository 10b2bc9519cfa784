import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '../../lib/clock';
import { readLog, type LogOptions } from './log-reader';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-logs-'));
  path = join(directory, '0.log');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const entry = (text: string, tag = 'F', second = 0, stream = 'stdout') =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000000Z ${stream} ${tag} ${text}\n`;

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => entry(String(from + index))).join('');

const readBytes = async (options: Partial<LogOptions> = {}): Promise<Buffer> => {
  const source = { path, isEnded: () => true, clock: systemClock };
  const chunks: Uint8Array[] = [];
  const all = { follow: false, timestamps: false, ...options };
  for await (const chunk of readLog(source, all, new AbortController().signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
};

const read = async (options: Partial<LogOptions> = {}): Promise<string> =>
  (await readBytes(options)).toString();

/** As the monitor does: `.2` is older than `.1`. */
const rotate = async (kept = 4) => {
  for (let index = kept; index > 0; index--) {
    const from = index === 1 ? path : `${path}.${index - 1}`;
    await rename(from, `${path}.${index}`).catch(() => undefined);
  }
  await writeFile(path, '');
};

it('is empty for a log that is not there or has nothing in it', async () => {
  expect(await read()).toBe('');
  await writeFile(path, '');
  expect(await read({ tailLines: 5 })).toBe('');
});

it('joins partial entries, leaves out what is no entry, and stamps lines', async () => {
  await writeFile(path, entry('be', 'P') + entry('gin') + 'rubbish\n' + entry('next', 'F', 7));
  expect(await read()).toBe('begin\nnext\n');
  expect(await read({ timestamps: true })).toBe(
    '2026-01-01T00:00:00.000000000Z begin\n2026-01-01T00:00:07.000000000Z next\n',
  );
  expect(await read({ sinceMs: Date.UTC(2026, 0, 1, 0, 0, 5) })).toBe('next\n');
  expect(await read({ limitBytes: 7 })).toBe('begin\nn');
});

it('gives bytes as they were written, also where a letter lies in two entries', async () => {
  const bytes = Buffer.from([0xff, 0x00, 0x80, 0x0d, 0xc3]);
  const umlaut = Buffer.from('ü');
  const head = (tag: string) => Buffer.from(entry('', tag).slice(0, -1));
  const newline = Buffer.from('\n');
  const parts = [head('F'), bytes, newline];
  parts.push(head('P'), umlaut.subarray(0, 1), newline, head('F'), umlaut.subarray(1), newline);
  await writeFile(path, Buffer.concat(parts));
  expect(await readBytes()).toEqual(Buffer.concat([bytes, newline, umlaut, newline]));
});

it.each([0, 1, 2, 999, 1000, 1001, 5000])(
  'shows the last %d lines over rotated files',
  async (count) => {
    await writeFile(`${path}.2`, numbers(0, 1000));
    await writeFile(`${path}.1`, numbers(1000, 2000));
    await writeFile(path, numbers(2000, 3000));
    const lines = (await read({ tailLines: count })).split('\n').slice(0, -1);
    const expected = Array.from({ length: 3000 }, (_, index) => String(index));
    expect(lines).toEqual(count === 0 ? [] : expected.slice(-count));
  },
);

it('finds the last lines without being misled by long or partial ones', async () => {
  const long = 'x'.repeat(200_000);
  await writeFile(path, entry('one') + entry(long) + entry('be', 'P') + entry('gin') + '2026 torn');
  expect(await read({ tailLines: 1 })).toBe('begin\n');
  expect(await read({ tailLines: 2 })).toBe(`${long}\nbegin\n`);
});

it('follows over rotations, every line once and in order, until the container has ended', async () => {
  let isEnded = false;
  await writeFile(path, '');
  const source = { path, isEnded: () => isEnded, clock: systemClock };
  const options = { follow: true, timestamps: false };
  const reading = (async () => {
    let text = '';
    for await (const chunk of readLog(source, options, new AbortController().signal))
      text += Buffer.from(chunk).toString();
    return text;
  })();
  for (let round = 0; round < 60; round++) {
    await appendFile(path, numbers(round * 100, round * 100 + 100));
    // Slower than the reader looks, or a file could be deleted before it was seen.
    if (round % 10 === 9) {
      await systemClock.sleep(120);
      await rotate();
    }
  }
  isEnded = true;
  const lines = (await reading).split('\n').slice(0, -1);
  expect(lines).toEqual(Array.from({ length: 6000 }, (_, index) => String(index)));
});

it('says so when lines were deleted before they were read', async () => {
  let isEnded = false;
  await writeFile(path, numbers(0, 10));
  const source = { path, isEnded: () => isEnded, clock: systemClock };
  const reader = readLog(source, { follow: true, timestamps: false }, new AbortController().signal)[
    Symbol.asyncIterator
  ]();
  expect(Buffer.from((await reader.next()).value as Uint8Array).toString()).toContain('9\n');
  for (let round = 1; round < 5; round++) {
    await rotate(2);
    await appendFile(path, numbers(round * 10, round * 10 + 10));
  }
  isEnded = true;
  let rest = '';
  for (let next = await reader.next(); next.done !== true; next = await reader.next())
    rest += Buffer.from(next.value).toString();
  expect(rest).toContain('[some log lines were deleted by rotation before they could be read]');
  expect(rest).toContain('49\n');
});

/** As the monitor does: a file's first entry says how many whole lines came before it. */
const counted = (linesBefore: number, from: number, to: number) =>
  numbers(from, to).replace(' F ', ` F:after=${linesBefore} `);

it.each([
  ['all of a file', counted(0, 0, 10), counted(30, 30, 40), '20 log lines were'],
  ['one line', counted(0, 0, 10), counted(11, 11, 20), '1 log line was'],
  ['a part of a line', counted(0, 0, 10), counted(10, 10, 20), 'parts of a log line were'],
  [
    'lines beside partial ones',
    counted(0, 0, 10) + entry('be', 'P') + entry('gin'),
    entry('end', 'F:after=13') + entry('next'),
    '2 log lines were',
  ],
  ['what nobody counted', numbers(0, 10), counted(30, 30, 40), 'some log lines were'],
  ['what nobody counts', counted(0, 0, 10), numbers(30, 40), 'some log lines were'],
])(
  'says how many lines were deleted before they were read: %s',
  async (_title, old, now, words) => {
    let isEnded = false;
    await writeFile(path, old);
    const source = { path, isEnded: () => isEnded, clock: systemClock };
    const options = { follow: true, timestamps: false, tailLines: 3 };
    const reader = readLog(source, options, new AbortController().signal)[Symbol.asyncIterator]();
    await reader.next();
    // Its own file is gone, and with it what came after.
    await rm(path);
    await writeFile(path, now);
    isEnded = true;
    let rest = '';
    for (let next = await reader.next(); next.done !== true; next = await reader.next())
      rest += Buffer.from(next.value).toString();
    expect(rest.split('\n')[0]).toBe(`[${words} deleted by rotation before they could be read]`);
  },
);

it('says nothing of lost lines when the log is removed with its container', async () => {
  let isEnded = false;
  await writeFile(path, numbers(0, 10));
  const source = { path, isEnded: () => isEnded, clock: systemClock };
  const reader = readLog(source, { follow: true, timestamps: false }, new AbortController().signal)[
    Symbol.asyncIterator
  ]();
  expect(Buffer.from((await reader.next()).value as Uint8Array).toString()).toContain('9\n');
  await appendFile(path, numbers(10, 20));
  await rm(directory, { recursive: true, force: true });
  const next = await reader.next();
  expect(Buffer.from(next.value as Uint8Array).toString()).toBe(
    Array.from({ length: 10 }, (_, index) => `${index + 10}\n`).join(''),
  );
  isEnded = true;
  expect(await reader.next()).toEqual({ done: true, value: undefined });
});
