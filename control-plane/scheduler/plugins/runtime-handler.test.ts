import { RUNTIME_HANDLER_ANNOTATION } from '../../../api/runtime-handlers';
import { changesOf } from '../cluster-events';
import { decide } from '../decide';
import { IndexedEngine } from '../engine/indexed-engine';
import { explainNodes } from '../explain';
import { podInfoOf } from '../pod-info';
import { DEFAULT_PROFILE, Profiles } from '../profile';
import { Snapshot } from '../snapshot';
import { suggest } from '../suggest';
import { testNode, testPod } from '../testing';

const REASON = 'node(s) had no runtime handler "kata"';
const boxed = (name: string) => podInfoOf(testPod(name, { runtimeHandler: 'kata' }));

const clusterOf = (handlers: readonly (readonly string[] | undefined)[]) => {
  const snapshot = new Snapshot();
  for (const [index, runtimeHandlers] of handlers.entries())
    snapshot.setNode(testNode(`n${index}`, runtimeHandlers ? { runtimeHandlers } : {}));
  return snapshot;
};

it('refuses nodes without the handler of the class, in both engines, and wakes when one has it', () => {
  const snapshot = clusterOf([
    ['', 'dhow'],
    ['', 'dhow', 'runc'],
  ]);
  const engine = new IndexedEngine({ cluster: snapshot, keptFrom: 1 });
  const refused = engine.decide(boxed('a'), 1, DEFAULT_PROFILE);
  expect(refused.reasons).toEqual({ [REASON]: 2 });
  expect(refused).toEqual(decide(boxed('a'), snapshot, 1, DEFAULT_PROFILE));
  const [before, after] = [['dhow'], ['dhow', 'kata']].map((runtimeHandlers) =>
    testNode('n1', { runtimeHandlers }),
  );
  if (before === undefined || after === undefined) throw new Error('two nodes');
  expect(changesOf(after, before)).toEqual(['NodeHandlersChanged']);
  expect(new Profiles([DEFAULT_PROFILE]).wakeEventsOf('RuntimeHandler')).toEqual([
    'NodeHandlersChanged',
  ]);
  snapshot.setNode(after);
  expect(engine.decide(boxed('a'), 1, DEFAULT_PROFILE).nodeName).toBe('n1');
});

it('has nothing against nodes that do not say, and nothing to say of pods without a class', () => {
  const silent = clusterOf([undefined]);
  expect(decide(boxed('a'), silent, 1, DEFAULT_PROFILE).nodeName).toBe('n0');
  const plain = podInfoOf(testPod('plain'));
  expect(decide(plain, clusterOf([['dhow']]), 1, DEFAULT_PROFILE).nodeName).toBe('n0');
  const annotated = testPod('annotated');
  const annotations = { [RUNTIME_HANDLER_ANNOTATION]: 'kata' };
  const odd = podInfoOf({ ...annotated, metadata: { ...annotated.metadata, annotations } });
  expect(decide(odd, clusterOf([['dhow']]), 1, DEFAULT_PROFILE).nodeName).toBe('n0');
});

it('says what a node has instead, and how it would have more', () => {
  const snapshot = clusterOf([['', 'dhow', 'runc']]);
  const [node] = explainNodes(boxed('a'), snapshot, DEFAULT_PROFILE);
  expect(node?.reasons).toEqual([
    {
      ...{ plugin: 'RuntimeHandler', reason: REASON },
      detail: 'no runtime handler "kata": it has dhow, runc',
    },
  ]);
  expect(suggest(boxed('a'), snapshot, { profile: DEFAULT_PROFILE })).toBe(
    'have n0 run pods with kata (dhow agent --runtime-handler kata=PATH)',
  );
});
