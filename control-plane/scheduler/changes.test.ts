import { Changes } from './changes';
import { podInfoOf } from './pod-info';
import { DEFAULT_PROFILES } from './profile';
import { Snapshot } from './snapshot';
import { testNode, testPod } from './testing';

it('lets those try a node that was freed who may have it, and not those for whom it was not', () => {
  const snapshot = new Snapshot();
  snapshot.setNode(testNode('n1', { cpu: '2' }));
  const wishing = (name: string, priority: number) =>
    podInfoOf(testPod(name, { cpu: '2', priority }));
  const promised = wishing('promised', 10);
  snapshot.nominate(promised, 'n1');
  const freed = new Changes({ snapshot, profiles: DEFAULT_PROFILES }).ofNode('PodRemoved', 'n1');
  expect(freed.effectOn(promised)).toBe('may-help');
  expect(freed.effectOn(wishing('more-important', 11))).toBe('may-help');
  expect(freed.effectOn(wishing('as-important', 10))).toEqual({ refusedBy: 'NodeResourcesFit' });
  snapshot.endNomination(promised.uid);
  expect(freed.effectOn(wishing('as-important', 10))).toBe('may-help');
});
