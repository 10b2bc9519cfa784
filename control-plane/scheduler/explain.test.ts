import fc from 'fast-check';
import { decide } from './decide';
import { explainNodes } from './explain';
import { podInfoOf } from './pod-info';
import { Snapshot } from './snapshot';
import { suggest } from './suggest';
import { testNode, testPod, type PodOptions } from './testing';
import type { Node, Pod } from '../../api/types';

const snapshotOf = (
  nodes: readonly Node[],
  placed: Readonly<Record<string, readonly Pod[]>> = {},
) => {
  const snapshot = new Snapshot();
  for (const node of nodes) snapshot.setNode(node);
  for (const [name, pods] of Object.entries(placed)) {
    for (const pod of pods) snapshot.assume(podInfoOf(pod), name);
  }
  return snapshot;
};

const wants = (options: PodOptions) => podInfoOf(testPod('p', options));

const hostPort = (hostPort: number, hostIP = '', protocol: 'TCP' | 'UDP' = 'TCP') => [
  { containerPort: 80, hostPort, hostIP, protocol },
];

describe('explanations and suggestions', () => {
  it('name all reasons of a node, not just the first', () => {
    const snapshot = snapshotOf([
      testNode('n1', {
        cpu: '1',
        taints: [{ key: 'maint', value: 'now', effect: 'NoSchedule' }],
      }),
    ]);
    const [node] = explainNodes(wants({ cpu: '4', nodeSelector: { disk: 'ssd' } }), snapshot);
    expect(node).toEqual({
      node: 'n1',
      fits: false,
      reasons: [
        {
          plugin: 'TaintToleration',
          reason: 'node(s) had untolerated taint(s)',
          detail: 'taint maint=now:NoSchedule is not tolerated',
        },
        {
          plugin: 'NodeAffinity',
          reason: "node(s) didn't match Pod's node affinity/selector",
          detail: 'label disk=ssd is wanted, the node has none',
        },
        {
          plugin: 'NodeResourcesFit',
          reason: 'Insufficient cpu',
          detail: 'cpu: 4 needed, 1 free, and 1 in all: lacks 3',
        },
      ],
    });
  });

  it('name the pod that holds a host port, and let other addresses and protocols pass', () => {
    const snapshot = snapshotOf([testNode('n1')], {
      n1: [
        testPod('a', { ports: hostPort(7000, '10.0.0.5') }),
        testPod('b', { ports: hostPort(7000, '10.0.0.6') }),
        testPod('c', { ports: hostPort(7000, '10.0.0.5', 'UDP') }),
      ],
    });
    expect(decide(wants({ ports: hostPort(7000, '10.0.0.6', 'UDP') }), snapshot, 1).nodeName).toBe(
      'n1',
    );
    const any = wants({ ports: hostPort(7000) });
    expect(explainNodes(any, snapshot)[0]!.reasons.map(({ detail }) => detail)).toEqual([
      'host port 7000/TCP is held by pod default/a (on 10.0.0.5, this pod asks for 0.0.0.0)',
      'host port 7000/TCP is held by pod default/b (on 10.0.0.6, this pod asks for 0.0.0.0)',
    ]);
    expect(suggest(any, snapshot)).toBe(
      'free host port 7000/TCP on n1 (delete pod default/a and default/b)',
    );
  });

  it('say when it is the init phase that needs most', () => {
    const request = (cpu: string) => ({ image: 'i', resources: { requests: { cpu } } });
    const pod = wants({
      initContainers: [
        { name: 'proxy', restartPolicy: 'Always', ...request('500m') },
        { name: 'migrate', ...request('2') },
        { name: 'tail', restartPolicy: 'Always', ...request('250m') },
      ],
      containers: [{ name: 'main', ...request('1') }],
    });
    const snapshot = snapshotOf([testNode('two', { cpu: '2' }), testNode('three', { cpu: '3' })]);
    expect(decide(pod, snapshot, 1).nodeName).toBe('three');
    expect(explainNodes(pod, snapshot)[1]!.reasons[0]!.detail).toBe(
      'cpu: 2500m needed in init phase, 2 free, and 2 in all: lacks 500m',
    );
  });

  it('do not count a bound pod against itself', () => {
    const pod = testPod('p', { cpu: '4', ports: hostPort(80) });
    const snapshot = snapshotOf([testNode('n1')], { n1: [pod] });
    expect(explainNodes(podInfoOf(pod), snapshot)[0]!.fits).toBe(true);
  });

  it.each([
    [
      'a taint before anything else',
      [
        testNode('n1', { cpu: '1' }),
        testNode('n2', { taints: [{ key: 'maint', effect: 'NoSchedule' as const }] }),
      ],
      {},
      { cpu: '2' },
      'remove taint maint:NoSchedule from n2',
    ],
    ['a cordon', [testNode('n1', { unschedulable: true })], {}, {}, 'uncordon n1'],
    ['a label', [testNode('n1')], {}, { nodeSelector: { disk: 'ssd' } }, 'label n1 disk=ssd'],
    [
      'two changes where one is not enough',
      [testNode('n1', { unschedulable: true })],
      {},
      { nodeSelector: { disk: 'ssd' } },
      'uncordon n1, and label n1 disk=ssd',
    ],
    [
      'the smallest pod that makes room, or a smaller request',
      [testNode('n1', { cpu: '4' })],
      {
        n1: [
          testPod('small', { cpu: '500m' }),
          testPod('x', { cpu: '1' }),
          testPod('y', { cpu: '1' }),
        ],
      },
      { cpu: '2' },
      'free 500m cpu on n1 (delete pod default/small), or lower the cpu request from 2 to 1500m',
    ],
    [
      'a smaller request where no node is large enough',
      [testNode('n1', { cpu: '1500m' })],
      {},
      { cpu: '4' },
      'lower the cpu request from 4 to 1500m',
    ],
    ['a first node', [], {}, {}, 'add a node'],
  ])('suggest %s', (_title, nodes, placed, options, expected) => {
    expect(suggest(wants(options), snapshotOf(nodes, placed as Record<string, Pod[]>))).toBe(
      expected,
    );
  });

  it('suggest nothing for what no single change can give', () => {
    const snapshot = snapshotOf([testNode('n1')]);
    const pod = wants({
      containers: [{ name: 'c', resources: { requests: { 'example.com/gpu': '1' } } }],
    });
    expect(suggest(pod, snapshot)).toBeUndefined();
  });

  it('agree with decide on which nodes fit', () => {
    const node = fc.record({
      cpu: fc.constantFrom('1', '4'),
      unschedulable: fc.boolean(),
      labels: fc.constantFrom({}, { disk: 'ssd' }),
    });
    fc.assert(
      fc.property(fc.array(node), fc.constantFrom('500m', '2'), fc.boolean(), (nodes, cpu, ssd) => {
        const snapshot = snapshotOf(nodes.map((options, i) => testNode(`n${i}`, options)));
        const pod = wants({ cpu, ...(ssd ? { nodeSelector: { disk: 'ssd' } } : {}) });
        const explained = explainNodes(pod, snapshot);
        expect(explained.filter(({ fits }) => fits)).toHaveLength(
          decide(pod, snapshot, 1).nodesFeasible,
        );
        expect(explained.every(({ fits, reasons }) => fits === (reasons.length === 0))).toBe(true);
      }),
    );
  });
});
