import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decide, type Decision } from '../control-plane/scheduler/decide';
import { IndexedEngine } from '../control-plane/scheduler/engine/indexed-engine';
import { podInfoOf, type PodInfo } from '../control-plane/scheduler/pod-info';
import { Snapshot } from '../control-plane/scheduler/snapshot';
import { testNode, testPod, type PodOptions } from '../control-plane/scheduler/testing';
import type { BenchResult } from './result';

/**
 * The scheduler's index against the plain engine, which asks every plugin about every node: CPU time of a
 * decision with the assumption that follows, on the same nodes and pods. Then what the index adds to the
 * memory of a large cluster.
 */
export const bench = async (): Promise<BenchResult[]> => [
  ...WORKLOADS.flatMap(({ name, templates }) =>
    NODE_COUNTS.map((nodeCount) => {
      const ours = costMicros(nodeCount, templates, (snapshot) => {
        const engine = new IndexedEngine({ cluster: snapshot });
        return (pod) => engine.decide(pod, SEED);
      });
      const plain = costMicros(
        nodeCount,
        templates,
        (snapshot) => (pod) => decide(pod, snapshot, SEED),
      );
      return figure(`a decision, ${name}, ${nodeCount} nodes`, ours, plain, 'us of CPU');
    }),
  ),
  memory(),
];

type Decide = (pod: PodInfo) => Decision;

/** Until a share of CPU time is used up; what making the pods costs is not counted. */
const costMicros = (
  nodeCount: number,
  templates: readonly PodOptions[],
  engineOver: (snapshot: Snapshot) => Decide,
): number => {
  const snapshot = clusterOf(nodeCount);
  const decideOne = engineOver(snapshot);
  let count = 0;
  let usedMicros = 0;
  const round = (): void => {
    const pods = Array.from({ length: ROUND }, (_, i) => podOf(count + i, templates));
    const before = process.cpuUsage();
    for (const pod of pods) {
      const { nodeName } = decideOne(pod);
      if (nodeName !== undefined) snapshot.assume(pod, nodeName);
    }
    const { user, system } = process.cpuUsage(before);
    usedMicros += user + system;
    count += ROUND;
  };
  // The first round finds the code cold, and the classes unknown.
  round();
  usedMicros = 0;
  while (usedMicros < CPU_MICROS) round();
  return usedMicros / (count - ROUND);
};

const clusterOf = (nodeCount: number): Snapshot => {
  const snapshot = new Snapshot();
  for (let i = 0; i < nodeCount; i++)
    snapshot.setNode(
      testNode(`n${i}`, {
        ...{ cpu: '64', memory: '256Gi', pods: '1000' },
        labels: { zone: `zone-${i % 3}` },
      }),
    );
  return snapshot;
};

const podOf = (number: number, templates: readonly PodOptions[]): PodInfo => {
  const pod = testPod(`p${number}`, templates[number % templates.length]);
  return podInfoOf({ ...pod, metadata: { ...pod.metadata, labels: { app: 'web' } } });
};

const memory = (): BenchResult => {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const usedMb = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return (heapUsed + arrayBuffers) / 2 ** 20;
  };
  const emptyMb = usedMb();
  const snapshot = clusterOf(5_000);
  for (let i = 0; i < 50_000; i++) snapshot.assume(podOf(i, MANY), `n${i % 5_000}`);
  const plainMb = usedMb() - emptyMb;
  const engine = new IndexedEngine({ cluster: snapshot });
  for (let i = 0; i < 2 * MANY.length; i++) engine.decide(podOf(50_000 + i, MANY), SEED);
  const indexedMb = usedMb() - emptyMb;
  const what = `${MANY.length} classes on 5000 nodes with 50000 pods`;
  // Used to the end: what nothing refers to is not counted.
  engine.decide(podOf(0, MANY), SEED);
  return figure(`memory, ${what}`, indexedMb, plainMb, 'MB');
};

const figure = (metric: string, ours: number, peerValue: number, unit: string): BenchResult => ({
  ...{ bench: 'engine', metric, ours, peer: 'plain engine', peerValue },
  ...{ ratio: peerValue / ours, unit },
});

const term = (topologyKey: string) => ({
  topologyKey,
  labelSelector: { matchLabels: { app: 'web' } },
});
const HOST = 'kubernetes.io/hostname';
const BASIC: PodOptions = { cpu: '10m', memory: '16Mi' };
const MANY = Array.from({ length: 50 }, (_, i): PodOptions => ({ ...BASIC, cpu: `${10 + i}m` }));

const WORKLOADS: readonly { readonly name: string; readonly templates: readonly PodOptions[] }[] = [
  { name: 'equal pods', templates: [BASIC] },
  { name: '50 kinds of pods', templates: MANY },
  {
    name: 'spread over zones',
    templates: [
      {
        ...BASIC,
        topologySpreadConstraints: [
          { ...term('zone'), maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' },
        ],
      },
    ],
  },
  {
    name: "upstream's default spread",
    templates: [
      {
        ...BASIC,
        topologySpreadConstraints: [
          { ...term('zone'), maxSkew: 5, whenUnsatisfiable: 'ScheduleAnyway' },
          { ...term(HOST), maxSkew: 3, whenUnsatisfiable: 'ScheduleAnyway' },
        ],
      },
    ],
  },
  {
    name: 'anti-affinity by node',
    templates: [
      {
        ...BASIC,
        affinity: {
          podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(HOST)] },
        },
      },
    ],
  },
  {
    name: 'preferred affinity by zone',
    templates: [
      {
        ...BASIC,
        affinity: {
          podAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 1, podAffinityTerm: term('zone') },
            ],
          },
        },
      },
    ],
  },
];

const NODE_COUNTS = [100, 1000, 5000, 15_000];
const SEED = 1;
const ROUND = 100;
const CPU_MICROS = 300_000;
