import { appendFile, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SchedulingDecision } from '../../../api/decisions';
import type { WatchEvent } from '../../../client/api-client';
import { ManualClock } from '../../../lib/clock';
import { silentLog } from '../../../lib/log';
import { decide } from '../decide';
import { podInfoOf } from '../pod-info';
import { Snapshot } from '../snapshot';
import { testNode, testPod } from '../testing';
import { DecisionLog } from './decision-log';
import { Segments } from './segments';

let dir: string;
beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), 'dhow-decisions-'))));
afterEach(() => rm(dir, { recursive: true, force: true }));

const segments = (more: object = {}) =>
  new Segments({ dir, clock: new ManualClock(), log: silentLog, ...more });

const add = (log: DecisionLog, name: string, number = 1): SchedulingDecision => {
  const info = podInfoOf(testPod(name));
  return log.record(decide(info, new Snapshot(), 1), {
    attempt: { info, number, trigger: 'PodAdded' },
    timeMs: 1_700_000_000_123.456,
    latencyMicros: 12,
  });
};

const namesOf = async (log: DecisionLog) =>
  (await log.list(undefined)).items.map(({ spec }) => spec.podName);

describe('decision records', () => {
  it('are named after pod, uid and attempt, with the time to the microsecond', () => {
    const record = add(new DecisionLog(), 'web', 3);
    expect(record.metadata.name).toBe('web-uidweb-3');
    expect(record.spec.time).toBe('2023-11-14T22:13:20.123456Z');
    expect(add(new DecisionLog(), 'x'.repeat(253)).metadata.name).toHaveLength(253);
  });

  it('tell who is evicted, and what that changes on the node', () => {
    const snapshot = new Snapshot();
    snapshot.setNode(testNode('n1', { cpu: '4', memory: '8Gi' }));
    for (const [name, cpu] of [
      ['low', '3'],
      ['small', '500m'],
    ] as const)
      snapshot.setPod(testPod(name, { cpu, nodeName: 'n1', phase: 'Running' }));
    const info = podInfoOf(testPod('urgent', { cpu: '2', memory: '1Gi', priority: 9 }));
    const { status } = new DecisionLog().record(decide(info, snapshot, 1), {
      ...{ attempt: { info, number: 1, trigger: 'PodAdded' }, timeMs: 0, latencyMicros: 1 },
      node: snapshot.node('n1')!,
    });
    expect(status.preemption).toEqual({
      ...{ nodeName: 'n1', victims: ['default/low'], budgetViolations: 0 },
      before: { pods: 2, cpu: '3500m', memory: '0' },
      after: { pods: 2, cpu: '2500m', memory: '1Gi' },
      allocatable: { pods: 110, cpu: '4', memory: '8Gi' },
    });
  });

  it('drop the oldest beyond their bound', async () => {
    const log = new DecisionLog(undefined, 2);
    for (const name of ['a', 'b', 'c']) add(log, name);
    expect(await namesOf(log)).toEqual(['b', 'c']);
    expect(log.latest('uid-a')).toBeUndefined();
    await expect(log.get({ namespace: 'default', name: 'a-uida-1' })).rejects.toMatchObject({
      reason: 'NotFound',
    });
  });

  it('are there again after a restart, without the line that a crash tore', async () => {
    const before = segments();
    const log = new DecisionLog(before);
    await log.load(0);
    for (const name of ['a', 'b']) add(log, name);
    await before[Symbol.asyncDispose]();
    const [file = ''] = await readdir(dir);
    await appendFile(join(dir, file), '{"apiVersion":"scheduling.dhow.dev/v1","ki');

    const after = segments();
    const again = new DecisionLog(after);
    await again.load(0);
    expect(await namesOf(again)).toEqual(['a', 'b']);
    expect(add(again, 'c').metadata.resourceVersion).toBe('200003');
    await after[Symbol.asyncDispose]();

    const third = segments();
    const once = new DecisionLog(third);
    await once.load(0);
    expect(await namesOf(once)).toEqual(['a', 'b', 'c']);
    await third[Symbol.asyncDispose]();
  });

  it('ignore lines that are no records', async () => {
    const files = segments();
    await files.load(10);
    for (const line of ['{}', 'null', 'nonsense', '{"kind":"SchedulingDecision"}']) {
      files.append(line);
    }
    await files[Symbol.asyncDispose]();
    const log = new DecisionLog(segments());
    await log.load(0);
    expect(await namesOf(log)).toEqual([]);
  });

  it('stay within their bytes on disk, newest kept', async () => {
    const files = segments({ segmentBytesMax: 2_000, segmentCountMax: 3 });
    const log = new DecisionLog(files);
    await log.load(0);
    for (let i = 0; i < 60; i++) {
      add(log, `pod-${i}`);
      await files.flush();
    }
    await files[Symbol.asyncDispose]();
    const sizes = await Promise.all(
      (await readdir(dir)).map(async (name) => (await stat(join(dir, name))).size),
    );
    expect(sizes.length).toBeLessThanOrEqual(3);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2_000);
    await using after = segments();
    const again = new DecisionLog(after);
    await again.load(0);
    expect((await namesOf(again)).at(-1)).toBe('pod-59');
    expect(Number(add(again, 'next').metadata.resourceVersion)).toBeGreaterThan(60);
  });

  it('go on in memory while the disk fails, and on disk again once it works', async () => {
    const files = segments({ dir: join(dir, 'sub') });
    const log = new DecisionLog(files);
    await log.load(0);
    await rm(join(dir, 'sub'), { recursive: true });
    await appendFile(join(dir, 'sub'), 'in the way');
    add(log, 'a');
    await files.flush();
    expect(await namesOf(log)).toEqual(['a']);

    await rm(join(dir, 'sub'));
    add(log, 'b');
    await files[Symbol.asyncDispose]();
    const again = new DecisionLog(segments({ dir: join(dir, 'sub') }));
    await again.load(0);
    expect(await namesOf(again)).toEqual(['b']);
  });

  it('are watched from a version on, by namespace, and end with the signal', async () => {
    const log = new DecisionLog();
    add(log, 'a');
    add(log, 'b');
    const abort = new AbortController();
    const seen: WatchEvent<SchedulingDecision>[] = [];
    const watching = (async () => {
      for await (const event of log.watch('default', '1', abort.signal)) {
        seen.push(event);
        if (seen.length === 2) abort.abort();
      }
    })();
    await new Promise((resolve) => setImmediate(resolve));
    add(log, 'c');
    await watching;
    expect(seen.map((event) => 'object' in event && event.object.spec.podName)).toEqual(['b', 'c']);
  });

  it('tell their watchers which of them are deleted, also those who resume', async () => {
    const log = new DecisionLog(undefined, 2);
    for (const name of ['a', 'b']) add(log, name);
    const abort = new AbortController();
    const watching = collect(log.watch(undefined, '2', abort.signal), 4, abort);
    await new Promise((resolve) => setImmediate(resolve));
    for (const name of ['c', 'd']) add(log, name);
    const events = ['DELETED a 3', 'ADDED c 4', 'DELETED b 5', 'ADDED d 6'];
    expect(await watching).toEqual(events);
    const again = new AbortController();
    expect(await collect(log.watch(undefined, '3', again.signal), 3, again)).toEqual(
      events.slice(1),
    );
    expect((await log.list(undefined)).resourceVersion).toBe('6');
  });

  it('refuse to resume from what they no longer know, or never knew', async () => {
    const log = new DecisionLog(undefined, 1);
    for (const name of ['a', 'b', 'c']) add(log, name);
    const watch = (version: string) =>
      log.watch(undefined, version, new AbortController().signal).next();
    await expect(watch('1')).rejects.toMatchObject({ reason: 'Expired' });
    await expect(watch('6')).rejects.toMatchObject({ reason: 'Expired' });
    await expect(watch('4')).resolves.toMatchObject({ value: { type: 'ADDED' } });
    await expect(watch('x')).rejects.toMatchObject({ reason: 'BadRequest' });
  });

  it('never give a version again that a crash may have lost', async () => {
    await using files = segments();
    const log = new DecisionLog(files);
    await log.load(1_700_000_000_000);
    const lost = add(log, 'lost').metadata.resourceVersion ?? '';
    await using later = segments();
    const again = new DecisionLog(later);
    await again.load(1_700_000_001_000);
    const next = add(again, 'next').metadata.resourceVersion ?? '';
    expect(next).not.toBe(lost);
    const { signal } = new AbortController();
    await expect(again.watch(undefined, lost, signal).next()).rejects.toMatchObject({
      reason: 'Expired',
    });
  });
});

const collect = async (
  events: AsyncIterable<WatchEvent<SchedulingDecision>>,
  count: number,
  abort: AbortController,
): Promise<readonly string[]> => {
  const seen: string[] = [];
  for await (const event of events) {
    if (event.type === 'ADDED' || event.type === 'DELETED')
      seen.push(
        `${event.type} ${event.object.spec.podName} ${event.object.metadata.resourceVersion}`,
      );
    if (seen.length === count) abort.abort();
  }
  return seen;
};
