import { seededRandom } from '../../../lib/random';
import { stringifyJson } from '../../../lib/json';
import { decide, type Decision } from '../decide';
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
  const engine = new IndexedEngine({ cluster: snapshot, keptFrom: 1 });
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

const STEPS = 500;
const DECISIONS = Number(process.env['DHOW_DECISIONS'] ?? 20_000);

describe('the indexed engine', () => {
  it.each([false, true])(
    'decides as the plain one does, whatever happens (domains: %s)',
    (hasDomains) => {
      let count = 0;
      for (let seed = 1; count < DECISIONS; seed++) count += compare(seed, hasDomains);
      expect(count).toBeGreaterThanOrEqual(DECISIONS);
    },
  );
});
