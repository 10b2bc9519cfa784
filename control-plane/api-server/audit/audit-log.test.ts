import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../../../lib/clock';
import { silentLog } from '../../../lib/log';
import { AuditLog } from './audit-log';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dhow-audit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (path = join(folder, 'audit.log'), bytesMax = 100, backupsMax = 2) =>
  new AuditLog({ path, bytesMax, backupsMax }, new ManualClock(), silentLog);

it('writes lines, and goes on where it was', async () => {
  for (const line of ['a', 'b']) {
    await using log = open();
    log.write(line);
  }
  expect(await readFile(join(folder, 'audit.log'), 'utf8')).toBe('a\nb\n');
});

it('begins a new file when one is full, and keeps so many', async () => {
  for (let i = 0; i < 5; i++) {
    await using log = open();
    log.write(String(i).repeat(60));
  }
  expect((await readdir(folder)).sort()).toEqual(['audit.log', 'audit.log.1', 'audit.log.2']);
  expect(await readFile(join(folder, 'audit.log.2'), 'utf8')).toBe(`${'2'.repeat(60)}\n`);
});

it('drops and counts what a disk does not take, and tries again', async () => {
  const told: string[] = [];
  const log = new AuditLog({ path: '/dev/full', bytesMax: 1e6, backupsMax: 0 }, new ManualClock(), {
    ...silentLog,
    error: (_fields, message) => told.push(message),
  });
  for (let i = 0; i < 3; i++) {
    log.write('x');
    await log[Symbol.asyncDispose]();
  }
  expect([log.droppedCount, told]).toEqual([3, ['audit events are lost']]);
});

it('keeps no more than a bound while the disk is slow', async () => {
  const log = open(join(folder, 'audit.log'), 1e9);
  for (let i = 0; i < 40; i++) log.write('x'.repeat(1024 * 1024));
  expect(log.droppedCount).toBe(24);
  await log[Symbol.asyncDispose]();
});
