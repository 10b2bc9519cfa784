import { decide } from '../decide';
import { IndexedEngine } from '../engine/indexed-engine';
import { explainNodes } from '../explain';
import { podInfoOf } from '../pod-info';
import { DEFAULT_PROFILE, type Profile } from '../profile';
import { Snapshot } from '../snapshot';
import { suggest } from '../suggest';
import { testNode, testPod, type PodOptions } from '../testing';
import { COST, removalRemedy, type FilterPlugin } from './plugin';

// The example of docs/guides/plugin.md.

/** Keeps some room on each node for pods that matter: others leave the last pods' places free. */
const reservedPlaces = (count: number): FilterPlugin => ({
  name: 'ReservedPlaces',
  scope: 'node',
  wakeOn: ['PodRemoved', 'NodeAllocatableChanged'],

  prepare({ priority }) {
    if (priority > 0) return undefined;
    return {
      refuse: ({ pods, podCountMax }) => (pods.size >= podCountMax - count ? REFUSAL : undefined),
      explain({ pods, podCountMax }) {
        const detail = `${pods.size} of ${podCountMax} places taken, ${count} reserved`;
        return pods.size >= podCountMax - count ? [{ reason: REASON, detail }] : [];
      },
      remedies(node) {
        const [pod] = [...node.pods.values()].filter((each) => each.priority <= 0);
        if (pod === undefined) return [];
        return [removalRemedy(`free a place on ${node.name}`, COST.deletePods + 1, [pod])];
      },
    };
  },
});

const REASON = 'node(s) had only reserved places left';
const REFUSAL = { reasons: [REASON], isPodBound: true } as const;

const PROFILE: Profile = {
  ...DEFAULT_PROFILE,
  filters: [...DEFAULT_PROFILE.filters, reservedPlaces(1)],
};

const pod = (name: string, options: PodOptions = {}) => podInfoOf(testPod(name, options));

/** One node with two places, one of them taken. */
const cluster = () => {
  const snapshot = new Snapshot();
  snapshot.setNode(testNode('n0', { pods: '2' }));
  snapshot.assume(pod('first'), 'n0');
  return snapshot;
};

it('is asked by both engines', () => {
  const snapshot = cluster();
  const engine = new IndexedEngine({ cluster: snapshot, keptFrom: 1 });
  const small = engine.decide(pod('small'), 1, PROFILE);
  expect(small.reasons).toEqual({ [REASON]: 1 });
  expect(small).toEqual(decide(pod('small'), snapshot, 1, PROFILE));
  expect(engine.decide(pod('large', { priority: 5 }), 1, PROFILE).nodeName).toBe('n0');
  snapshot.removePod('uid-first');
  expect(engine.decide(pod('small'), 1, PROFILE).nodeName).toBe('n0');
});

it('is explained, and its remedies are suggested', () => {
  const [node] = explainNodes(pod('small'), cluster(), PROFILE);
  expect(node?.reasons).toEqual([
    { plugin: 'ReservedPlaces', reason: REASON, detail: '1 of 2 places taken, 1 reserved' },
  ]);
  const suggestion = suggest(pod('small'), cluster(), { profile: PROFILE });
  expect(suggestion).toBe('free a place on n0 (delete pod default/first)');
});
