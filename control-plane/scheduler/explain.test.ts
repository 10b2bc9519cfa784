import fc from 'fast-check';
import { decide } from './decide';
import { explainNodes } from './explain';
import { podInfoOf } from './pod-info';
import { Snapshot } from './snapshot';
import { plansFor, suggest } from './suggest';
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

const ownedPod = (name: string, owner: string, options: PodOptions): Pod => {
  const pod = testPod(name, options);
  const reference = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner };
  const ownerReferences = [{ ...reference, controller: true }];
  return { ...pod, metadata: { ...pod.metadata, ownerReferences } };
};

const anyPod = fc.record(
  {
    cpu: fc.constantFrom('100m', '1', '3', '64'),
    memory: fc.constantFrom('1Mi', '1Gi', '900Gi'),
    ports: fc.constantFrom(hostPort(80), hostPort(80, '10.0.0.1')),
    nodeSelector: fc.constantFrom({ disk: 'ssd' }, { zone: 'b' }, { disk: 'ssd', zone: 'a' }),
    tolerations: fc.constantFrom([{ key: 'maint', operator: 'Exists' as const }]),
    affinity: fc
      .array(
        fc.record({
          key: fc.constantFrom('disk', 'zone', 'cores'),
          operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'),
          values: fc.constantFrom(['4']),
        }),
        { minLength: 1, maxLength: 1 },
      )
      .map((matchExpressions) => ({
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions }],
          },
        },
      })),
  },
  { requiredKeys: [] },
);

const anyNode = fc.record({
  cpu: fc.constantFrom('0', '1', '4'),
  memory: fc.constantFrom('0', '512Mi', '24683620Ki'),
  pods: fc.constantFrom('0', '2', '110'),
  unschedulable: fc.boolean(),
  labels: fc.constantFrom({}, { disk: 'ssd' }, { zone: 'a', cores: '4' }),
  taints: fc.constantFrom(
    [],
    [{ key: 'maint', effect: 'NoSchedule' as const }],
    [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' as const }],
  ),
  placed: fc.array(anyPod, { maxLength: 3 }),
});

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
          detail: 'cpu: 4 needed, the whole node has 1: lacks 3',
        },
      ],
    });
  });

  it('count nodes that a pod does not name as upstream does, and say what is wrong with the one it names', () => {
    const required = {
      nodeSelectorTerms: [
        { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] },
      ],
    };
    const daemon = wants({
      cpu: '4',
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } },
    });
    const snapshot = snapshotOf(['n1', 'n2', 'n3'].map((name) => testNode(name, { cpu: '1' })));
    expect(decide(daemon, snapshot, 1).message).toMatch(
      /^0\/3 nodes are available: 1 Insufficient cpu, 2 node\(s\) didn't satisfy plugin\(s\) \[NodeAffinity\]\. /,
    );
    const [n1, n2] = explainNodes(daemon, snapshot);
    expect(n1!.reasons.map(({ plugin }) => plugin)).toEqual(['NodeResourcesFit']);
    expect(n2!.reasons[0]).toEqual({
      plugin: 'NodeAffinity',
      reason: "node(s) didn't satisfy plugin(s) [NodeAffinity]",
      detail: 'required affinity is not met: metadata.name In [n1]',
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
      'cpu: 2500m needed in init phase, the whole node has 2: lacks 500m',
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
      'lower the cpu request from 4 to 1500m, or add a node with 4 cpu to allocate',
    ],
    [
      'less of what the pod asks for itself',
      [testNode('n1', { cpu: '1500m' })],
      {},
      { cpu: '1', resources: { requests: { cpu: '4' } } },
      'lower the cpu request from 4 to 1500m, or add a node with 4 cpu to allocate',
    ],
    [
      'a larger node for what none is large enough for',
      [testNode('n1')],
      {},
      {
        nodeSelector: { disk: 'ssd' },
        containers: [{ name: 'c', resources: { requests: { cpu: '1', 'example.com/gpu': '1' } } }],
      },
      'add a node with 1 cpu and 1 example.com/gpu to allocate, and label the-new-node disk=ssd',
    ],
    [
      'the pod in the way rather than another name for a node',
      [testNode('n1'), testNode('n2')],
      { n1: [testPod('a', { ports: hostPort(7000) })] },
      { nodeSelector: { 'kubernetes.io/hostname': 'n1' }, ports: hostPort(7000) },
      'free host port 7000/TCP on n1 (delete pod default/a)',
    ],
    [
      'one pod where its going satisfies two plugins',
      [testNode('n1', { cpu: '4' })],
      { n1: [testPod('a', { cpu: '3', ports: hostPort(7000) })] },
      { cpu: '2', ports: hostPort(7000) },
      'free host port 7000/TCP on n1 (delete pod default/a)',
    ],
    [
      'the term of an affinity that takes the fewest labels',
      [testNode('n1', { labels: { old: 'yes' } })],
      {},
      {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [
                {
                  matchExpressions: [
                    { key: 'zone', operator: 'In', values: ['a', 'b'] },
                    { key: 'cores', operator: 'Gt', values: ['8'] },
                  ],
                },
                { matchExpressions: [{ key: 'old', operator: 'DoesNotExist' }] },
              ],
            },
          },
        },
      },
      'label n1 old-',
    ],
    [
      'to move what a controller would only make again',
      [testNode('n1', { cpu: '1' })],
      { n1: [ownedPod('web-1', 'web', { cpu: '600m' })] },
      { cpu: '900m' },
      'free 500m cpu on n1 (move pod default/web-1 of ReplicaSet web), ' +
        'or lower the cpu request from 900m to 400m',
    ],
    ['a first node', [], {}, {}, 'add a node'],
  ])('suggest %s', (_title, nodes, placed, options, expected) => {
    expect(suggest(wants(options), snapshotOf(nodes, placed as Record<string, Pod[]>))).toBe(
      expected,
    );
  });

  it('name who has most of what a node lacks', () => {
    const snapshot = snapshotOf([testNode('n1', { memory: '24683620Ki' })], {
      n1: [
        testPod('a', { memory: '1Gi' }),
        testPod('b', { memory: '20Gi' }),
        testPod('c', { memory: '1500Mi' }),
      ],
    });
    expect(explainNodes(wants({ memory: '2Gi' }), snapshot)[0]!.reasons[0]!.detail).toBe(
      'memory: 2Gi needed, 1.07Gi free: lacks 946.91Mi; ' +
        'held by default/b (20Gi), default/c (1500Mi) and 1 more',
    );
  });

  it('tell huge pages as one writes them', () => {
    const node = testNode('n1', {});
    const allocatable = { ...node.status.allocatable, 'hugepages-2Mi': '8Mi' };
    const asking = (pages: string): PodOptions => ({
      containers: [{ name: 'c', image: 'i', resources: { requests: { 'hugepages-2Mi': pages } } }],
    });
    const snapshot = snapshotOf([{ ...node, status: { ...node.status, allocatable } }], {
      n1: [testPod('a', asking('6Mi'))],
    });
    expect(explainNodes(wants(asking('4Mi')), snapshot)[0]!.reasons).toMatchObject([
      {
        reason: 'Insufficient hugepages-2Mi',
        detail: 'hugepages-2Mi: 4Mi needed, 2Mi free: lacks 2Mi; held by default/a (6Mi)',
      },
    ]);
    expect(suggest(wants(asking('4Mi')), snapshot)).toBe(
      'free 2Mi hugepages-2Mi on n1 (delete pod default/a)',
    );
  });

  it('suggest only what makes the pod fit, whatever is in its way', () => {
    fc.assert(
      fc.property(fc.array(anyNode, { maxLength: 4 }), anyPod, (nodes, options) => {
        const named = nodes.map(({ placed, ...node }, i) => ({
          placed,
          node: testNode(`n${i}`, node),
        }));
        const placed = named.map(({ node, placed }, i) => [
          node.metadata.name,
          placed.map((pod, k) => testPod(`pod-${i}-${k}`, pod)),
        ]);
        const objects = named.map(({ node }) => node);
        const snapshot = snapshotOf(objects, Object.fromEntries(placed) as Record<string, Pod[]>);
        const pod = wants(options);
        fc.pre(decide(pod, snapshot, 1).nodeName === undefined);
        const plans = plansFor(pod, snapshot);
        // A selector and an affinity may contradict each other: then there is no way.
        expect(plans.length > 0 || options.affinity !== undefined).toBe(true);
        for (const { outcome } of plans) {
          snapshot.setNode(outcome.node.node);
          const after = new Snapshot();
          for (const each of snapshot.nodes) after.setNode(each.node);
          for (const each of snapshot.nodes)
            for (const on of (each.name === outcome.node.name ? outcome.node : each).pods.values())
              after.assume(on, each.name);
          expect(decide(outcome.pod, after, 1).nodeName).toBeDefined();
        }
      }),
    );
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

it('says how much there is, is wanted and lacks exactly, however much it is', () => {
  const snapshot = new Snapshot();
  snapshot.setNode(testNode('n1', { cpu: '9007199254740993', memory: '9007199254740993' }));
  snapshot.setPod(testPod('there', { cpu: '9007199254740991', nodeName: 'n1' }));
  snapshot.setPod(testPod('small', { cpu: '1', nodeName: 'n1' }));
  const more = { 'example.com/x': '9007199254740993' };
  const pod = testPod('new', { cpu: '9007199254740995', memory: '9007199254740997' });
  const [container] = pod.spec.containers;
  const requests = { ...container!.resources!.requests, ...more };
  const containers = [{ ...container!, resources: { requests } }];
  const info = podInfoOf({ ...pod, spec: { ...pod.spec, containers } });
  const details = explainNodes(info, snapshot).flatMap(({ reasons }) =>
    reasons.map(({ detail }) => detail),
  );
  expect(details).toContain(
    'cpu: 9007199254740995 needed, the whole node has 9007199254740993: lacks 2',
  );
  expect(details).toContain('example.com/x: 9007199254740993 needed, the node has none');
  const two = podInfoOf(testPod('two', { cpu: '2' }));
  const [held] = explainNodes(two, snapshot).flatMap(({ reasons }) => reasons);
  expect(held?.detail).toBe(
    'cpu: 2 needed, 1 free: lacks 1; held by default/there (9007199254740991), default/small (1)',
  );
  expect(suggest(info, snapshot)).toContain(
    'add a node with 9007199254740995 cpu and 9007199254740997 memory and 9007199254740993 example.com/x to allocate',
  );
});
