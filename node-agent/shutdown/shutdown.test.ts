import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { FakeContainerRuntime } from '../../runtime/containers';
import { LABEL } from '../inventory/labels';
import { createPodBench, testPod } from '../pods/testing';
import { NodeShutdown } from './node-shutdown';
import { shutdownOrder, shutdownSteps } from './plan';

const CRITICAL = 2_000_000_000;
const grace = (
  shutdownGraceMs: number,
  shutdownGraceCriticalMs: number,
  shutdownGraceByPriority: readonly { priority: number; graceMs: number }[] = [],
) => ({ shutdownGraceMs, shutdownGraceCriticalMs, shutdownGraceByPriority });
const podWith = (name: string, priority: number) => ({
  current: testPod({ metadata: { name, uid: name }, spec: { priority } }),
});

it('gives critical pods the last part of the time', () => {
  expect(shutdownSteps(grace(30_000, 10_000))).toEqual([
    { priority: 0, graceMs: 20_000 },
    { priority: CRITICAL, graceMs: 10_000 },
  ]);
  expect(shutdownSteps(grace(0, 0))).toEqual([]);
  expect(() => shutdownSteps(grace(1, 2))).toThrow('must be <= shutdownGracePeriod');
  expect(() => shutdownSteps(grace(1, 0, [{ priority: 0, graceMs: 1 }]))).toThrow(
    'Cannot specify both',
  );
});

it('ends every pod once, none before one that is less important', () => {
  const priority = fc.integer({ min: -5, max: 5 });
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.record({ priority, graceMs: fc.nat(100) }), {
        minLength: 1,
        selector: (step) => step.priority,
      }),
      fc.array(priority),
      (given, priorities) => {
        const steps = shutdownSteps(grace(0, 0, given));
        const pods = priorities.map((each, i) => podWith(`p${i}`, each));
        const order = shutdownOrder(steps, pods);
        expect(order.flatMap((step) => step.pods).length).toBe(pods.length);
        const ends = order.map((step) =>
          step.pods.map(({ current }) => current.spec.priority ?? 0),
        );
        for (const [i, group] of ends.entries())
          for (const later of ends.slice(i + 1))
            expect(Math.max(...group)).toBeLessThan(Math.min(...later));
      },
    ),
  );
});

it('ends pods in order, says why, and lets none in any more', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'dhow-shutdown-'));
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  // One does not end by itself, and one is asked for less than it has.
  const ignoresSigterm = ({ labels }: { readonly labels: Readonly<Record<string, string>> }) =>
    labels[LABEL.podName] === 'stubborn';
  const runtime = new FakeContainerRuntime({ clock, ignoresSigterm });
  const bench = createPodBench({ directory, clock, runtime });
  try {
    const uids = ['plain', 'stubborn', 'critical'];
    await bench.run(
      ...uids.map((name) =>
        testPod({
          metadata: { name, uid: name },
          spec: { priority: name === 'critical' ? CRITICAL : 0, terminationGracePeriodSeconds: 60 },
        }),
      ),
    );
    await bench.until(() => uids.every((uid) => bench.status(uid).phase === 'Running'));
    const shutdown = new NodeShutdown({
      steps: shutdownSteps(grace(30_000, 10_000)),
      nodeName: 'n1',
      pods: () => bench.manager.activeWorkers(),
      isTold: (uid) => bench.deps.statuses.isStored(uid),
      events: bench.deps.events,
      onBegin: () => undefined,
      clock,
      log: silentLog,
    });
    expect([shutdown.problem, shutdown.refuse()]).toEqual([undefined, undefined]);
    const beganMs = clock.monotonicMs();
    let isDone = false;
    const running = shutdown.run().then(() => (isDone = true));
    await bench.until(() => bench.status('plain').phase === 'Failed');
    expect([shutdown.problem, shutdown.refuse()?.reason]).toEqual([
      ...['node is shutting down', 'NodeShutdown'],
    ]);
    expect(bench.status('critical').phase).toBe('Running');
    await bench.until(() => bench.status('critical').phase === 'Failed');
    expect(clock.monotonicMs() - beganMs).toBeGreaterThanOrEqual(20_000);
    await bench.until(() => isDone);
    await running;
    for (const uid of uids)
      expect(bench.status(uid)).toMatchObject({
        reason: 'Terminated',
        message: 'Pod was terminated in response to imminent node shutdown.',
        conditions: expect.arrayContaining([
          expect.objectContaining({ type: 'DisruptionTarget', reason: 'TerminationByKubelet' }),
        ]) as unknown,
      });
    expect(bench.events()).toContain('NodeShutdown: Shutdown manager detected shutdown event');
    expect(bench.events().join()).not.toContain('Terminated');
  } finally {
    await bench.stop();
    await rm(directory, { recursive: true, force: true });
  }
});

it('waits until the server knows how a pod ended, not only that its processes are gone', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const pod = {
    uid: 'u',
    current: testPod({ status: { phase: 'Running' } }),
    hasStopped: true,
    evict: () => undefined,
  };
  const shutdown = new NodeShutdown({
    steps: shutdownSteps(grace(30_000, 10_000)),
    nodeName: 'n1',
    pods: () => [pod],
    // That it ran is stored already.
    isTold: () => true,
    events: { emit: () => undefined },
    onBegin: () => undefined,
    clock,
    log: silentLog,
  });
  let isDone = false;
  const running = shutdown.run().then(() => (isDone = true));
  await clock.advance(2_000);
  expect(isDone).toBe(false);
  pod.current = testPod({ status: { phase: 'Failed' } });
  await clock.advance(200);
  await running;
});
