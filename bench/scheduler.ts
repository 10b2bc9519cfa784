import { DecisionLog } from '../control-plane/scheduler/decisions/decision-log';
import { IndexedEngine } from '../control-plane/scheduler/engine/indexed-engine';
import { PluginMetrics } from '../control-plane/scheduler/plugin-metrics';
import { podInfoOf } from '../control-plane/scheduler/pod-info';
import { DEFAULT_PROFILES, DEFAULT_SCHEDULER_NAME } from '../control-plane/scheduler/profile';
import { createScheduler } from '../control-plane/scheduler';
import { Snapshot } from '../control-plane/scheduler/snapshot';
import { FakeApi, FakeEvents, testNode, testPod } from '../control-plane/scheduler/testing';
import { systemClock } from '../lib/clock';
import { silentLog } from '../lib/log';
import { seededRandom, systemRandom } from '../lib/random';
import type { BenchResult } from './result';

/**
 * The peer's figures were measured on a quiet two-core machine of the type this project is built
 * on: kube-scheduler 1.36 with its API server and etcd, client limits raised, pods of 100m and
 * 128Mi. Its rate is bounded by the whole control plane, so the CPU a pod costs the scheduler alone
 * is the closer comparison. Ours runs against an API in memory: no network, no encoding.
 */
const PEER: readonly {
  readonly nodes: number;
  readonly podsPerS: number;
  readonly cpuMs: number;
}[] = [
  { nodes: 100, podsPerS: 330, cpuMs: 1.2 },
  { nodes: 1000, podsPerS: 289, cpuMs: 2.2 },
];

export const bench = async (): Promise<BenchResult[]> => {
  const results: BenchResult[] = [];
  for (const { nodes, podsPerS, cpuMs } of PEER) {
    const shared = { bench: 'scheduler', peer: 'kube-scheduler' };
    const decisionsPerS = decisionRate(nodes);
    const line = await placementCost(nodes);
    results.push(
      {
        ...shared,
        metric: `decisions, all ${nodes} nodes considered, each recorded`,
        ours: decisionsPerS,
        peerValue: podsPerS,
        ratio: decisionsPerS / podsPerS,
        unit: '1/s',
      },
      {
        ...shared,
        metric: `pods placed, queue to confirmed binding, ${nodes} nodes`,
        ours: line.podsPerS,
        peerValue: podsPerS,
        ratio: line.podsPerS / podsPerS,
        unit: '1/s',
      },
      {
        ...shared,
        metric: `scheduler CPU per pod, ${nodes} nodes`,
        ours: line.cpuMsPerPod,
        peerValue: cpuMs,
        ratio: cpuMs / line.cpuMsPerPod,
        unit: 'ms',
      },
    );
  }
  return results;
};

const POD = { cpu: '100m', memory: '128Mi' };

/** Decide, assume and record, for a second, measured as the server does. */
const decisionRate = (nodeCount: number): number => {
  const snapshot = new Snapshot();
  const log = new DecisionLog();
  const engine = new IndexedEngine({ cluster: snapshot });
  const metrics = new PluginMetrics({ clock: systemClock, random: systemRandom });
  const profiles = DEFAULT_PROFILES.measuredBy((name) => metrics.meterOf(name));
  for (let i = 0; i < nodeCount; i++) snapshot.setNode(testNode(`n${i}`, { cpu: '32' }));
  const startMs = performance.now();
  let count = 0;
  for (; performance.now() - startMs < RUN_MS; count++) {
    const info = podInfoOf(testPod(`p${count}`, POD));
    const decision = metrics.during(DEFAULT_SCHEDULER_NAME, () =>
      engine.decide(info, 1, profiles.of(info.pod)),
    );
    const attempt = { info, number: 1, trigger: 'PodAdded' };
    log.record(decision, { attempt, timeMs: Date.now(), latencyMicros: 0 });
    if (decision.nodeName !== undefined) snapshot.assume(info, decision.nodeName);
  }
  return (count * 1000) / (performance.now() - startMs);
};

/** The whole scheduler, draining a backlog. */
const placementCost = async (nodeCount: number) => {
  const api = new FakeApi();
  for (let i = 0; i < nodeCount; i++) api.putNode(testNode(`n${i}`, { cpu: '32' }));
  for (let i = 0; i < POD_COUNT; i++) api.putPod(testPod(`p${i}`, POD));
  const abort = new AbortController();
  const scheduler = createScheduler({
    client: api,
    clock: systemClock,
    random: seededRandom(1),
    log: silentLog,
    events: new FakeEvents(),
    seed: 1,
  });
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  const running = scheduler.run(abort.signal);
  while (api.bindCount < POD_COUNT) await systemClock.sleep(1);
  const elapsedMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(startCpu);
  abort.abort();
  await running;
  return {
    podsPerS: (POD_COUNT * 1000) / elapsedMs,
    cpuMsPerPod: (user + system) / 1000 / POD_COUNT,
  };
};

const RUN_MS = 1_000;
const POD_COUNT = 3_000;
