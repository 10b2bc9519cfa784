import { systemClock } from '../../../lib/clock';
import { seededRandom } from '../../../lib/random';
import { stringifyJson } from '../../../lib/json';
import { decide, type Decision } from '../decide';
import type { FilterPlugin } from '../plugins/plugin';
import { podInfoOf } from '../pod-info';
import { DEFAULT_PROFILE, type Profile } from '../profile';
import { Snapshot } from '../snapshot';
import { testNode, testPod } from '../testing';
import { IndexedEngine } from './indexed-engine';
import { RandomCluster } from './random-cluster-testing';

/** All of a decision, as a text. */
const textOf = ({ refusedBy, preemption, ...rest }: Decision): string =>
  stringifyJson({
    ...rest,
    refusedBy: [...refusedBy].sort(),
    preemption: preemption && {
      ...preemption,
      victims: preemption.victims.map(({ uid }) => uid),
    },
  });

/** Decides pod after pod in one random cluster by both engines. Returns how many were decided. */
const compare = (seed: number, hasDomains: boolean): number => {
  const random = seededRandom(seed);
  const cluster = new RandomCluster({ random, nodeCountMax: 30, hasDomains });
  const { snapshot } = cluster;
  const engine = new IndexedEngine({
    cluster: snapshot,
    keptFrom: 1,
    onFault: (error) => {
      throw error;
    },
  });
  for (let step = 0; step < STEPS; step++) {
    if (random.next() < 0.3) cluster.happen();
    const pod = cluster.nextPod();
    const oracle = decide(pod, snapshot, seed);
    const decision = engine.decide(pod, seed);
    if (textOf(decision) !== textOf(oracle)) {
      // The whole of both, and how to have it again.
      expect({ seed, step, decision }).toEqual({ seed, step, decision: oracle });
      throw new Error(`differs in order only: seed ${seed}, step ${step}`);
    }
    if (decision.nodeName !== undefined) cluster.place(pod, decision.nodeName);
    else if (decision.nominatedNodeName !== undefined)
      snapshot.nominate(pod, decision.nominatedNodeName);
  }
  return STEPS;
};

/** A cluster of two nodes, and an engine that keeps from the first pod on. */
const small = () => {
  const snapshot = new Snapshot();
  for (const name of ['n0', 'n1']) snapshot.setNode(testNode(name));
  return { snapshot, engine: new IndexedEngine({ cluster: snapshot, keptFrom: 1 }) };
};

/** A profile with one filter more, which refuses nodes by what it is told here. */
const withFilter = (filter: Partial<FilterPlugin>, refuses: (name: string) => boolean): Profile => {
  const plugin: FilterPlugin = {
    name: 'Extra',
    scope: 'domain',
    wakeOn: [],
    prepare: () => ({
      refuse: ({ name }) =>
        refuses(name) ? { reasons: ['not now'], isPodBound: false } : undefined,
      explain: () => [],
      remedies: () => [],
    }),
    ...filter,
  };
  return { ...DEFAULT_PROFILE, filters: [...DEFAULT_PROFILE.filters, plugin] };
};

const STEPS = 500;
const DECISIONS = Number(process.env['DHOW_DECISIONS'] ?? 20_000);
/** One's own: DHOW_DECISIONS_SEED=7 begins with the seventh cluster. */
const FIRST_SEED = Number(process.env['DHOW_DECISIONS_SEED'] ?? 1);
/** A campaign: it tells how far it is, and ends after so many minutes of each kind of cluster. */
const MINUTES = Number(process.env['DHOW_DECISIONS_MINUTES'] ?? Infinity);
const TOLD_EVERY = 25_000;

/** As `compare`; says with which seed to have it again, whatever goes wrong. */
const compareOrTell = (seed: number, hasDomains: boolean): number => {
  try {
    return compare(seed, hasDomains);
  } catch (error) {
    process.stderr.write(`DHOW_DECISIONS_SEED=${seed} fails (domains: ${hasDomains})\n`);
    throw error;
  }
};

/** Cluster after cluster. Returns how many were decided: enough, unless time was up. */
const compareMany = (hasDomains: boolean): number => {
  const startMs = systemClock.monotonicMs();
  const tell = (words: string) => process.stderr.write(`domains: ${hasDomains}: ${words}\n`);
  let count = 0;
  for (let seed = FIRST_SEED; count < DECISIONS; seed++) {
    count += compareOrTell(seed, hasDomains);
    if (MINUTES === Infinity) continue;
    const seconds = Math.round((systemClock.monotonicMs() - startMs) / 1000);
    if (count % TOLD_EVERY < STEPS) tell(`${count} of ${DECISIONS} decisions alike, ${seconds} s`);
    if (seconds < MINUTES * 60) continue;
    tell(`time is up after ${count}; go on with DHOW_DECISIONS_SEED=${seed + 1}`);
    break;
  }
  return count;
};

describe('the indexed engine', () => {
  it.each([false, true])(
    'decides as the plain one does, whatever happens (domains: %s)',
    (hasDomains) => {
      const least = MINUTES === Infinity ? DECISIONS : STEPS;
      expect(compareMany(hasDomains)).toBeGreaterThanOrEqual(least);
    },
    // A million takes minutes.
    3_600_000,
  );

  it('keeps nothing of a plugin that cannot tell what it goes by', () => {
    const { engine } = small();
    let refused = 'n0';
    const profile = withFilter({}, (name) => name === refused);
    const nodeFor = () => engine.decide(podInfoOf(testPod('p')), 1, profile).nodeName;
    expect(nodeFor()).toBe('n1');
    refused = 'n1';
    expect(nodeFor()).toBe('n0');
  });

  it('keeps what a plugin said until it goes by something else', () => {
    const { engine, snapshot } = small();
    let refused = 'n0';
    const profile = withFilter({ basis: () => refused }, (name) => name === refused);
    const nodeFor = () => engine.decide(podInfoOf(testPod('p')), 1, profile).nodeName;
    expect(nodeFor()).toBe('n1');
    refused = 'n1';
    snapshot.nominate(podInfoOf(testPod('other', { affinity: { podAffinity: {} } })), 'n0');
    snapshot.endNomination('uid-other');
    expect(nodeFor()).toBe('n0');
  });

  it('knows what changed however much did since it was asked', () => {
    const { engine, snapshot } = small();
    const pod = podInfoOf(testPod('p', { cpu: '1' }));
    engine.decide(pod, 1);
    for (let i = 0; i < 20_000; i++)
      snapshot.assume(podInfoOf(testPod('other', { cpu: i % 2 === 0 ? '1' : '4' })), 'n0');
    expect(textOf(engine.decide(pod, 1))).toBe(textOf(decide(pod, snapshot, 1)));
    expect(engine.decide(pod, 1).nodeName).toBe('n1');
  });

  it('keeps a bounded number of classes, those that were asked for last', () => {
    const { engine, snapshot } = small();
    const kinds = Array.from({ length: 5_000 }, (_, i) =>
      podInfoOf(testPod(`p${i}`, { cpu: `${1 + (i % 900)}m`, priority: i })),
    );
    for (const pod of [...kinds, ...kinds.slice(-10), ...kinds.slice(0, 10)])
      expect(engine.decide(pod, 1).top).toEqual(decide(pod, snapshot, 1).top);
    expect(engine.classCount).toBeLessThan(kinds.length);
  });

  it('asks again only the node that changed', () => {
    const { engine, snapshot } = small();
    const asked: string[] = [];
    const profile = withFilter({ scope: 'node' }, (name) => asked.push(name) < 0);
    engine.decide(podInfoOf(testPod('a')), 1, profile);
    expect(asked.sort()).toEqual(['n0', 'n1']);
    snapshot.assume(podInfoOf(testPod('b')), 'n1');
    engine.decide(podInfoOf(testPod('c')), 1, profile);
    expect(asked).toEqual(['n0', 'n1', 'n1']);
  });

  it('keeps no more than there is room for', () => {
    const { snapshot } = small();
    const engine = new IndexedEngine({ cluster: snapshot, keptFrom: 1, bytesMax: 20 * 2 * 200 });
    let askedCount = 0;
    const profile = withFilter({ scope: 'node' }, () => ++askedCount < 0);
    const kinds = Array.from({ length: 30 }, (_, i) =>
      podInfoOf(testPod('p', { cpu: `${i + 1}m` })),
    );
    for (const pod of kinds) engine.decide(pod, 1, profile);
    askedCount = 0;
    for (const pod of kinds.slice(-20)) engine.decide(pod, 1, profile);
    expect(askedCount).toBe(0);
    engine.decide(kinds[0]!, 1, profile);
    expect(askedCount).toBe(2);
  });

  it('decides all the same where what it keeps breaks, and says so', () => {
    const faults: unknown[] = [];
    const { snapshot } = small();
    const engine = new IndexedEngine({
      ...{ cluster: snapshot, keptFrom: 1 },
      onFault: (fault) => faults.push(fault),
    });
    const follow = () => {
      throw new Error('broken');
    };
    const profile = withFilter({ follow }, (name) => name === 'n0');
    expect(engine.decide(podInfoOf(testPod('p')), 1, profile).nodeName).toBe('n1');
    expect(faults).toHaveLength(1);
  });
});
