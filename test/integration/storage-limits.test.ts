import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import { build } from 'esbuild';

import { PODS } from '../../api/resources';
import { isPodReady } from '../../api/pods';
import { JobThread } from '../../lib/async/job-thread';
import { removeTree } from '../../lib/remove-tree';
import { measure, METER_HEAP_MAX_MB } from '../../node-agent/storage/meter';
import { eventually, podDraft, startAgent, startPlane } from './support/agent-plane';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dhow-storage-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('measures what du measures, in a worker thread and in this one', async () => {
  const root = join(dir, 'root');
  mkdirSync(join(root, 'a/b'), { recursive: true });
  for (let i = 0; i < 700; i++) writeFileSync(join(root, 'a', `file-${i}`), 'x'.repeat(i * 10));
  writeFileSync(join(root, 'big'), Buffer.alloc(1 << 20, 1));
  for (const name of ['one', 'two']) linkSync(join(root, 'big'), join(root, 'a/b', name));
  writeFileSync(join(root, 'hole'), '');
  truncateSync(join(root, 'hole'), 1 << 30);
  symlinkSync('/', join(root, 'link'));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x0a])]), 'x');
  const expected = Number(execFileSync('du', ['-sx', '-B1', root]).toString().split('\t')[0]);
  const job = { parts: [{ paths: [join(root, 'a')] }, { paths: [join(dir, 'none'), root] }] };
  for (const path of [undefined, await meterWorker()]) {
    await using meter = new JobThread({ path, run: measure, heapMaxMb: METER_HEAP_MAX_MB });
    const { bytes, isWhole } = await meter.run(job);
    expect([bytes[1], isWhole]).toEqual([expected, true]);
    await expect(meter.run(job, AbortSignal.abort())).rejects.toThrow('cancelled');
  }
});

it('deletes nothing of another file system that is mounted in a tree', async () => {
  const mounted = join(dir, 'root/deep/mounted');
  mkdirSync(mounted, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', 'none', mounted]);
  try {
    writeFileSync(join(mounted, 'file'), 'kept');
    await expect(removeTree(join(dir, 'root'))).rejects.toThrow(
      `another file system is mounted at ${mounted}`,
    );
    expect(readFileSync(join(mounted, 'file'), 'utf8')).toBe('kept');
  } finally {
    execFileSync('umount', [mounted]);
  }
  await removeTree(join(dir, 'root'));
  expect(existsSync(join(dir, 'root'))).toBe(false);
});

it('measures and deletes very many files beside its other work', async () => {
  await using plane = await startPlane(dir);
  const meterWorkerPath = await meterWorker();
  await using _agent = await startAgent(plane, dir, { meterWorkerPath });
  const { client } = plane;
  const podOf = (name: string) => client.get(PODS, { namespace: 'default', name });
  const becomesReady = (name: string) => eventually(async () => isPodReady(await podOf(name)));
  const limits = { 'ephemeral-storage': '100Gi' };
  const volumes = [{ name: 'v', emptyDir: { sizeLimit: '50Gi' } }];
  await client.create(PODS, podDraft('many', { resources: { limits } }, { volumes }));
  await becomesReady('many');
  // Whatever is loaded late is loaded now.
  await client.create(PODS, podDraft('early', {}, { volumes }));
  await becomesReady('early');
  await client.delete(PODS, { namespace: 'default', name: 'early' }, { gracePeriodSeconds: 1 });
  await eventually(async () => (await client.list(PODS)).items.length === 1);
  const { metadata } = await podOf('many');
  const folder = join(dir, 'state/pods', metadata.uid ?? '', 'empty-dir/v');
  for (let i = 0; i < FILE_COUNT; i++) {
    writeFileSync(join(folder, `file-${i}`), '');
    if (i % 500 === 0) await setImmediate();
  }

  using turns = watchTurns();
  await client.create(PODS, podDraft('beside'));
  await becomesReady('beside');
  await client.delete(PODS, { namespace: 'default', name: 'many' }, { gracePeriodSeconds: 1 });
  await client.create(PODS, podDraft('later'));
  await becomesReady('later');
  await eventually(async () => !existsSync(folder), 120_000);
  await eventually(async () => (await client.list(PODS)).items.length === 2);
  // To remove so many in one turn takes seconds; a busy machine may stretch any turn by some.
  expect(turns.longestMs()).toBeLessThan(500);
}, 300_000);

const FILE_COUNT = 200_000;

/** The worker as the build makes it. */
const meterWorker = async (): Promise<string> => {
  const outfile = join(dir, 'meter-worker.js');
  await build({
    entryPoints: ['node-agent/storage/meter-worker.ts'],
    absWorkingDir: process.cwd(),
    outfile,
    bundle: true,
    platform: 'node',
  });
  return outfile;
};

/**
 * What this thread worked, at most, from one turn of its event loop to the next: its own processor
 * time, so that a busy machine is not taken for a late loop.
 */
const watchTurns = () => {
  const spentMs = (): number =>
    Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  let before = spentMs();
  let longestMs = 0;
  const timer = setInterval(() => {
    const now = spentMs();
    longestMs = Math.max(longestMs, now - before);
    before = now;
  }, 1);
  return {
    longestMs: () => longestMs,
    [Symbol.dispose]: () => clearInterval(timer),
  };
};
