import { decide, scoreNodes } from '../decide';
import { IMAGE_LAYERS_ANNOTATION } from '../../../api/image-layers';
import { imageKey } from '../images';
import { podInfoOf } from '../pod-info';
import { DEFAULT_PROFILE } from '../profile';
import { Snapshot } from '../snapshot';
import { testNode, testPod, type NodeOptions, type PodOptions } from '../testing';

/** Weighted scores of one pod on nodes with these options, as `{ plugin: [per node] }`. */
const scores = (pod: PodOptions, nodes: readonly NodeOptions[]) => {
  const snapshot = new Snapshot();
  nodes.forEach((options, index) => snapshot.setNode(testNode(`n${index}`, options)));
  const columns = scoreNodes(podInfoOf(testPod('p', pod)), snapshot.nodes, snapshot);
  return Object.fromEntries(
    DEFAULT_PROFILE.scores.map(({ plugin }, index) => [plugin.name, columns[index]]),
  );
};

const MiB = 1024 * 1024;

describe('score plugins', () => {
  it('LeastAllocated takes the mean of the free shares after placing', () => {
    const { NodeResourcesFit } = scores({ cpu: '1', memory: '2Gi' }, [
      { cpu: '4', memory: '8Gi' },
      { cpu: '2', memory: '8Gi' },
    ]);
    expect(NodeResourcesFit).toEqual([75, 62]);
  });

  it('LeastAllocated counts containers without requests as 100m and 200Mi', () => {
    const { NodeResourcesFit } = scores({}, [{ cpu: '1', memory: '2000Mi' }]);
    expect(NodeResourcesFit).toEqual([90]);
  });

  it('BalancedAllocation prefers like shares of cpu and memory, and skips pods that ask for none', () => {
    const nodes = [
      { cpu: '4', memory: '4Gi' },
      { cpu: '8', memory: '2Gi' },
    ];
    const balanced = 'NodeResourcesBalancedAllocation';
    expect(scores({ cpu: '1', memory: '1Gi' }, nodes)[balanced]).toEqual([100, 81]);
    expect(scores({}, nodes)[balanced]).toEqual([0, 0]);
  });

  it('TaintToleration and NodeAffinity are weighed by 3 and 2 and scaled by the largest', () => {
    const term = (weight: number, value: string) => ({
      weight,
      preference: { matchExpressions: [{ key: 'zone', operator: 'In' as const, values: [value] }] },
    });
    const affinity = {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [term(10, 'a'), term(40, 'b')],
      },
    };
    const soft = [{ key: 'k', effect: 'PreferNoSchedule' as const }];
    const result = scores({ affinity }, [
      { labels: { zone: 'a' } },
      { labels: { zone: 'b' }, taints: soft },
      {},
    ]);
    expect(result['NodeAffinity']).toEqual([50, 200, 0]);
    expect(result['TaintToleration']).toEqual([300, 0, 300]);
  });

  it('ImageLocality counts image bytes that are there, by the share of nodes that hold them', () => {
    const images = [{ names: ['docker.io/library/app:1'], sizeBytes: 1046 * MiB }];
    expect(scores({ image: 'app:1' }, [{ images }, {}])['ImageLocality']).toEqual([51, 0]);
  });

  it('ImageLocality counts a layer that another image brought', () => {
    const annotations = {
      [IMAGE_LAYERS_ANNOTATION]: JSON.stringify({
        'app:1': [
          ['sha256:base', 1023 * MiB],
          ['sha256:app', 10 * MiB],
        ],
        'other:1': [['sha256:base', 1023 * MiB]],
      }),
    };
    const app = { annotations, images: [{ names: ['app:1'], sizeBytes: 1033 * MiB }] };
    const other = { annotations, images: [{ names: ['other:1'], sizeBytes: 1023 * MiB }] };
    const [first, second, third] = scores({ image: 'app:1' }, [app, other, {}])['ImageLocality']!;
    expect(second).toBeGreaterThan(50);
    expect(first).toBeGreaterThanOrEqual(second!);
    expect(third).toBe(0);
  });

  it('ImageLocality survives what no honest node would write', () => {
    const images = [{ names: ['app:1'], sizeBytes: -5 }, {}];
    for (const text of ['', '[', 'null', '[]', '{"app:1":7}', '{"app:1":[[1,2],["d",-1]]}']) {
      const annotations = { [IMAGE_LAYERS_ANNOTATION]: text };
      expect(scores({ image: 'app:1' }, [{ annotations, images }])['ImageLocality']).toEqual([0]);
    }
  });

  it.each([
    ['nginx', 'nginx:latest'],
    ['docker.io/library/nginx:1', 'nginx:1'],
    ['registry:5000/a/b', 'registry:5000/a/b:latest'],
    ['a@sha256:00', 'a@sha256:00'],
  ])('takes image %s for %s', (image, key) => expect(imageKey(image)).toBe(key));

  it('forgets layers of a node that leaves', () => {
    const snapshot = new Snapshot();
    const images = [{ names: ['app:1'], sizeBytes: 5 }];
    snapshot.setNode(testNode('n1', { images }));
    snapshot.setNode(testNode('n1', { images }));
    expect(snapshot.nodesHolding('image:app:1')).toBe(1);
    snapshot.removeNode('n1');
    expect(snapshot.nodesHolding('image:app:1')).toBe(0);
    expect(snapshot.layersOf('app:1')).toBeUndefined();
  });

  it('says which plugin decided', () => {
    const snapshot = new Snapshot();
    snapshot.setNode(testNode('n1', { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }));
    snapshot.setNode(testNode('n2', { cpu: '2' }));
    const decision = decide(podInfoOf(testPod('p', { cpu: '1' })), snapshot, 1);
    expect(decision).toMatchObject({ nodeName: 'n2', decidedBy: 'TaintToleration' });
  });
});
