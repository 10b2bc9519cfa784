import { changesOf } from './cluster-events';
import { testNode, type NodeOptions } from './testing';

describe('changesOf', () => {
  it.each<[string, NodeOptions, readonly string[]]>([
    ['labels', { labels: { disk: 'ssd' } }, ['NodeLabelsChanged']],
    ['taints', { taints: [{ key: 'k', effect: 'NoSchedule' }] }, ['NodeTaintsChanged']],
    ['a cordon', { unschedulable: true }, ['NodeTaintsChanged']],
    ['allocatable', { cpu: '9' }, ['NodeAllocatableChanged']],
    ['nothing that matters', { images: [{ names: ['a'] }] }, []],
  ])('sees %s', (_title, options, expected) => {
    expect(changesOf(testNode('n', options), testNode('n'))).toEqual(expected);
  });
});
