import fc from 'fast-check';

import { matchesNodeAffinity } from '../../../api/node-affinity';
import { matchesLabelSelector, type Labels } from '../../../api/selectors';
import type { Node, Pod } from '../../../api/types';
import { decide } from '../decide';
import { explainNodes } from '../explain';
import { filtersFor, firstRefusal } from '../filters';
import { podInfoOf } from '../pod-info';
import { DEFAULT_PROFILE } from '../profile';
import { Snapshot } from '../snapshot';
import { suggest } from '../suggest';
import { testNode, testPod, type PodOptions } from '../testing';
import { interPodAffinity, interPodAffinityScore } from './inter-pod-affinity';
import { podTopologySpread, podTopologySpreadScore } from './pod-topology-spread';
import { DEFAULT_ARGS } from './registry';

const affinityScore = interPodAffinityScore(DEFAULT_ARGS.InterPodAffinity);
const spreadScore = podTopologySpreadScore(DEFAULT_ARGS.PodTopologySpread);

/**
 * Both rules are checked against the words of upstream's documentation, each written down here in the
 * plainest way: for every node the whole cluster is looked at anew.
 */

interface Placed {
  readonly pod: Pod;
  readonly node: string;
}

interface World {
  readonly nodes: readonly Node[];
  readonly placed: readonly Placed[];
  readonly namespaces: Readonly<Record<string, Labels>>;
}

const snapshotOf = ({ nodes, placed, namespaces }: World): Snapshot => {
  const snapshot = new Snapshot({ namespaceLabels: (name) => namespaces[name] });
  for (const node of nodes) snapshot.setNode(node);
  for (const { pod, node } of placed) snapshot.assume(podInfoOf(pod), node);
  return snapshot;
};

type Affinity = NonNullable<NonNullable<Pod['spec']['affinity']>['podAffinity']>;
type Term = NonNullable<Affinity['requiredDuringSchedulingIgnoredDuringExecution']>[number];
type Spread = NonNullable<Pod['spec']['topologySpreadConstraints']>[number];

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const termsOf = (pod: Pod, name: 'podAffinity' | 'podAntiAffinity') =>
  pod.spec.affinity?.[name]?.[REQUIRED] ?? [];

/** Does the term of `owner` mean `pod`? */
const isMeant = (term: Term, owner: Pod, pod: Pod, { namespaces }: World): boolean => {
  const { namespace = '' } = pod.metadata;
  const named = term.namespaces ?? [];
  const isThere =
    named.length === 0 && term.namespaceSelector === undefined
      ? namespace === owner.metadata.namespace
      : named.includes(namespace) ||
        matchesLabelSelector(term.namespaceSelector, namespaces[namespace]);
  const own = owner.metadata.labels ?? {};
  const labels = pod.metadata.labels ?? {};
  return (
    isThere &&
    matchesLabelSelector(term.labelSelector, labels) &&
    (term.matchLabelKeys ?? []).every(
      (key) => own[key] === undefined || labels[key] === own[key],
    ) &&
    (term.mismatchLabelKeys ?? []).every(
      (key) => own[key] === undefined || labels[key] !== own[key],
    )
  );
};

const labelOf = ({ metadata }: Node, key: string): string | undefined => metadata.labels?.[key];

const nodeOf = ({ nodes }: World, name: string): Node =>
  nodes.find(({ metadata }) => metadata.name === name)!;

const isTogether = (world: World, at: string, node: Node, key: string): boolean =>
  labelOf(node, key) !== undefined && labelOf(nodeOf(world, at), key) === labelOf(node, key);

const allowsAffinity = (pod: Pod, node: Node, world: World): boolean => {
  const wanted = termsOf(pod, 'podAffinity');
  const meetsAll = (other: Pod) => wanted.every((term) => isMeant(term, pod, other, world));
  const companions = world.placed.filter((each) => meetsAll(each.pod));
  const isPlaced = ({ node: at }: Placed, { topologyKey }: Term) =>
    labelOf(nodeOf(world, at), topologyKey) !== undefined;
  const isFirst =
    meetsAll(pod) && !companions.some((each) => wanted.some((term) => isPlaced(each, term)));
  const hasCompany = wanted.every(
    (term) =>
      labelOf(node, term.topologyKey) !== undefined &&
      (isFirst || companions.some((each) => isTogether(world, each.node, node, term.topologyKey))),
  );
  const isShunned = termsOf(pod, 'podAntiAffinity').some((term) =>
    world.placed.some(
      (each) =>
        isMeant(term, pod, each.pod, world) && isTogether(world, each.node, node, term.topologyKey),
    ),
  );
  const isShunning = world.placed.some((each) =>
    termsOf(each.pod, 'podAntiAffinity').some(
      (term) =>
        isMeant(term, each.pod, pod, world) && isTogether(world, each.node, node, term.topologyKey),
    ),
  );
  return hasCompany && !isShunned && !isShunning;
};

const allowsSpread = (pod: Pod, node: Node, world: World): boolean => {
  const constraints = (pod.spec.topologySpreadConstraints ?? []).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule',
  );
  return constraints.every((constraint) => {
    const { topologyKey, maxSkew, minDomains = 1, labelSelector } = constraint;
    const value = labelOf(node, topologyKey);
    if (value === undefined) return false;
    const counts = new Map<string, number>();
    for (const each of world.nodes) {
      const hasAll = constraints.every((other) => labelOf(each, other.topologyKey) !== undefined);
      if (!hasAll || !isEligible(pod, each, constraint)) continue;
      const own = world.placed.filter(
        (on) => on.node === each.metadata.name && isCounted(pod, on.pod, constraint),
      );
      const domain = labelOf(each, topologyKey)!;
      counts.set(domain, (counts.get(domain) ?? 0) + own.length);
    }
    const least = counts.size < minDomains ? 0 : Math.min(...counts.values());
    const self = matchesLabelSelector(labelSelector, pod.metadata.labels) ? 1 : 0;
    return (counts.get(value) ?? 0) + self - least <= maxSkew;
  });
};

const isEligible = (pod: Pod, node: Node, { nodeAffinityPolicy, nodeTaintsPolicy }: Spread) =>
  (nodeAffinityPolicy === 'Ignore' || matchesNodeAffinity(pod.spec, node)) &&
  (nodeTaintsPolicy !== 'Honor' ||
    (node.spec.taints ?? []).length === 0 ||
    pod.spec.tolerations !== undefined);

const isCounted = (pod: Pod, other: Pod, { labelSelector, matchLabelKeys = [] }: Spread) =>
  other.metadata.namespace === pod.metadata.namespace &&
  other.metadata.deletionTimestamp === undefined &&
  Object.keys(labelSelector?.matchLabels ?? {}).length + matchLabelKeys.length > 0 &&
  matchesLabelSelector(labelSelector, other.metadata.labels) &&
  matchLabelKeys.every(
    (key) =>
      pod.metadata.labels?.[key] === undefined ||
      other.metadata.labels?.[key] === pod.metadata.labels[key],
  );

const key = fc.constantFrom('zone', 'rack', 'kubernetes.io/hostname');
const labels = fc.record(
  { app: fc.constantFrom('a', 'b'), rev: fc.constantFrom('1', '2') },
  { requiredKeys: ['app'] },
);
const selector = fc.constantFrom({ matchLabels: { app: 'a' } }, { matchLabels: { app: 'b' } }, {});
const term = fc.record(
  {
    topologyKey: key,
    labelSelector: selector,
    namespaces: fc.constantFrom(['one'], ['one', 'two']),
    namespaceSelector: fc.constantFrom({}, { matchLabels: { team: 'x' } }),
    matchLabelKeys: fc.constant(['rev']),
    mismatchLabelKeys: fc.constant(['rev']),
  },
  { requiredKeys: ['topologyKey', 'labelSelector'] },
);
const wishes = fc.record({ [REQUIRED]: fc.array(term, { minLength: 1, maxLength: 2 }) });
const affinity = fc.record({ podAffinity: wishes, podAntiAffinity: wishes }, { requiredKeys: [] });
const spread = fc.record(
  {
    topologyKey: key,
    maxSkew: fc.integer({ min: 1, max: 2 }),
    minDomains: fc.integer({ min: 1, max: 3 }),
    whenUnsatisfiable: fc.constant('DoNotSchedule' as const),
    labelSelector: selector,
    nodeAffinityPolicy: fc.constantFrom('Honor' as const, 'Ignore' as const),
    nodeTaintsPolicy: fc.constantFrom('Honor' as const, 'Ignore' as const),
  },
  { requiredKeys: ['topologyKey', 'maxSkew', 'whenUnsatisfiable', 'labelSelector'] },
);
const podIn = (spec: fc.Arbitrary<PodOptions>) =>
  fc.record({
    spec,
    labels,
    namespace: fc.constantFrom('one', 'two'),
    isTerminating: fc.boolean(),
  });

type Drawn = typeof podIn extends (spec: never) => fc.Arbitrary<infer T> ? T : never;

const podOf = (name: string, { spec, labels, namespace, isTerminating }: Drawn): Pod => {
  const pod = testPod(name, spec);
  const ends = isTerminating ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {};
  return { ...pod, metadata: { ...pod.metadata, namespace, labels, ...ends } };
};

const node = fc
  .record({
    zone: fc.constantFrom('a', 'b', undefined),
    rack: fc.constantFrom('1', '2', undefined),
    isTainted: fc.boolean(),
  })
  .map(({ zone, rack, isTainted }) => ({
    labels: { ...(zone && { zone }), ...(rack && { rack }) },
    taints: isTainted ? [{ key: 'k', effect: 'NoSchedule' as const }] : [],
  }));

const worldOf = (pods: fc.Arbitrary<PodOptions>) =>
  fc
    .record({
      nodes: fc.array(node, { minLength: 1, maxLength: 5 }),
      placed: fc.array(fc.tuple(podIn(pods), fc.nat(4)), { maxLength: 8 }),
    })
    .map(({ nodes, placed }): World => ({
      nodes: nodes.map((options, i) => testNode(`n${i}`, options)),
      placed: placed.map(([drawn, at], i) => ({
        pod: podOf(`placed-${i}`, drawn),
        node: `n${at % nodes.length}`,
      })),
      namespaces: { one: { team: 'x' }, two: {} },
    }));

const judges = (plugin: typeof interPodAffinity, world: World, pod: Pod) => {
  const snapshot = snapshotOf(world);
  const filters = filtersFor(podInfoOf(pod), snapshot, { filters: [plugin] });
  return snapshot.nodes.map((each) => firstRefusal(filters, each) === undefined);
};

describe('inter-pod affinity', () => {
  it('lets a pod in exactly where the words of its terms, and of others, do', () => {
    const options = fc.record({ affinity }, { requiredKeys: [] });
    fc.assert(
      fc.property(worldOf(options), podIn(options), (world, drawn) => {
        const pod = podOf('p', drawn);
        expect(judges(interPodAffinity, world, pod)).toEqual(
          world.nodes.map((each) => allowsAffinity(pod, each, world)),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it('names who is in the way, and removes it only where that helps', () => {
    const apart = (topologyKey: string): PodOptions => ({
      affinity: {
        podAntiAffinity: {
          [REQUIRED]: [{ topologyKey, labelSelector: { matchLabels: { app: 'web' } } }],
        },
      },
    });
    const web = (name: string, options: PodOptions = {}) => {
      const pod = testPod(name, options);
      return { ...pod, metadata: { ...pod.metadata, labels: { app: 'web' } } };
    };
    const world: World = {
      nodes: [testNode('n1', { labels: { zone: 'a' } }), testNode('n2', { labels: { zone: 'a' } })],
      placed: [{ pod: web('web-1'), node: 'n1' }],
      namespaces: {},
    };
    const snapshot = snapshotOf(world);
    const shy = podInfoOf(web('web-2', apart('zone')));
    expect(decide(shy, snapshot, 1).message).toBe(
      "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules. " +
        'no new claims to deallocate, preemption: ' +
        '0/2 nodes are available: 2 No preemption victims found for incoming pod.',
    );
    const [n1, n2] = explainNodes(shy, snapshot);
    expect([n1, n2].map((each) => each?.reasons.map(({ detail }) => detail))).toEqual([
      ['pod default/web-1 on n1 (zone=a) matches app=web, which the pod must not be near'],
      ['pod default/web-1 on n1 (zone=a) matches app=web, which the pod must not be near'],
    ]);
    expect(suggest(shy, snapshot)).toBe('make room on n1 (delete pod default/web-1)');
    const plain = podInfoOf(web('web-3'));
    snapshot.assume(podInfoOf(web('shy', apart('kubernetes.io/hostname'))), 'n2');
    expect(
      explainNodes(plain, snapshot).map((each) => each.reasons.map(({ detail }) => detail)),
    ).toEqual([[], ['pod default/shy on n2 keeps pods like this away']]);
    const lonely = podInfoOf(
      testPod('lonely', {
        affinity: {
          podAffinity: {
            [REQUIRED]: [{ topologyKey: 'zone', labelSelector: { matchLabels: { app: 'db' } } }],
          },
        },
      }),
    );
    expect(explainNodes(lonely, snapshot)[0]?.reasons).toEqual([
      {
        plugin: 'InterPodAffinity',
        reason: "node(s) didn't match pod affinity rules",
        detail: 'no pod that matches app=db runs in zone=a',
      },
    ]);
  });

  it('prefers by the weights of both sides, from 0 to 100', () => {
    const like = (name: 'podAffinity' | 'podAntiAffinity', weight: number): PodOptions => ({
      affinity: {
        [name]: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight,
              podAffinityTerm: {
                topologyKey: 'kubernetes.io/hostname',
                labelSelector: { matchLabels: { app: 'x' } },
              },
            },
          ],
        },
      },
    });
    const x = (name: string, options: PodOptions = {}) => {
      const pod = testPod(name, options);
      return podInfoOf({ ...pod, metadata: { ...pod.metadata, labels: { app: 'x' } } });
    };
    const snapshot = snapshotOf({
      nodes: ['n1', 'n2', 'n3'].map((name) => testNode(name)),
      placed: [],
      namespaces: {},
    });
    snapshot.assume(x('a', like('podAffinity', 30)), 'n1');
    snapshot.assume(x('b', like('podAntiAffinity', 50)), 'n2');
    const scored = (pod: ReturnType<typeof x>) => {
      const score = affinityScore.prepare(pod, snapshot, snapshot.nodes);
      const raw = snapshot.nodes.map((each) => score?.score(each));
      return score?.normalize?.(raw);
    };
    // n1: 30 by what is there; n2: 50 less; n3: nothing.
    expect(scored(x('p'))).toEqual([100, 0, 62]);
    // 10 more for each node that holds one.
    expect(scored(x('p', like('podAffinity', 10)))).toEqual([100, 0, 50]);
    expect(affinityScore.prepare(podInfoOf(testPod('q')), snapshot, snapshot.nodes)).toBe(
      undefined,
    );
  });
});

describe('topology spread', () => {
  it('lets a pod in exactly where the words of its constraints do', () => {
    const options = fc.record(
      {
        topologySpreadConstraints: fc.uniqueArray(spread, {
          minLength: 1,
          maxLength: 2,
          selector: ({ topologyKey }) => topologyKey,
        }),
        nodeSelector: fc.constantFrom({ zone: 'a' }, { rack: '1' }),
        tolerations: fc.constant([{ operator: 'Exists' as const }]),
      },
      { requiredKeys: ['topologySpreadConstraints'] },
    );
    fc.assert(
      fc.property(worldOf(fc.constant({})), podIn(options), (world, drawn) => {
        const pod = podOf('p', drawn);
        expect(judges(podTopologySpread(DEFAULT_ARGS.PodTopologySpread), world, pod)).toEqual(
          world.nodes.map((each) => allowsSpread(pod, each, world)),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  const spreadBy = (topologyKey: string, more: object = {}): PodOptions => ({
    topologySpreadConstraints: [
      {
        topologyKey,
        maxSkew: 1,
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { app: 'web' } },
        ...more,
      },
    ],
  });
  const web = (name: string, options: PodOptions) => {
    const pod = testPod(name, options);
    return podInfoOf({ ...pod, metadata: { ...pod.metadata, labels: { app: 'web' } } });
  };

  it('spreads one by one, and says what is too full, and what is missing', () => {
    const snapshot = snapshotOf({
      nodes: [
        testNode('n1', { labels: { zone: 'a' } }),
        testNode('n2', { labels: { zone: 'b' }, unschedulable: true }),
        testNode('n3'),
      ],
      placed: [],
      namespaces: {},
    });
    snapshot.assume(web('web-1', {}), 'n1');
    const next = web('web-2', spreadBy('zone'));
    expect(decide(next, snapshot, 1).message).toMatch(
      /^0\/3 nodes are available: 1 node\(s\) didn't match pod topology spread constraints, 1 node\(s\) didn't match pod topology spread constraints \(missing required label\), 1 node\(s\) were unschedulable\. /,
    );
    const details = explainNodes(next, snapshot).map(({ node, reasons }) => [
      node,
      ...reasons.map(({ detail }) => detail),
    ]);
    expect(details).toEqual([
      [
        'n1',
        'zone=a has 1 of the pods that match app=web, the emptiest has 0: ' +
          'one more would be a skew of 2, at most 1 is allowed',
      ],
      ['n2', 'n2 is cordoned'],
      ['n3', 'the node has no label zone, which the pods are spread by'],
    ]);
    expect(suggest(next, snapshot)).toBe('uncordon n2');
  });

  it('goes on to other domains until all have as many', () => {
    const snapshot = snapshotOf({
      nodes: Array.from({ length: 9 }, (_, i) =>
        testNode(`n${i}`, { labels: { zone: 'abc'[i % 3]! } }),
      ),
      placed: [],
      namespaces: {},
    });
    for (let i = 0; i < 30; i++) {
      const pod = web(`web-${i}`, spreadBy('zone'));
      snapshot.assume(pod, decide(pod, snapshot, 1).nodeName!);
    }
    const byZone = new Map<string, number>();
    for (const { labels, pods } of snapshot.nodes)
      byZone.set(labels['zone']!, (byZone.get(labels['zone']!) ?? 0) + pods.size);
    expect([...byZone.values()]).toEqual([10, 10, 10]);
  });

  it('prefers emptier domains where it may not insist, and nodes with the labels at all', () => {
    const snapshot = snapshotOf({
      nodes: [
        testNode('n1', { labels: { zone: 'a' } }),
        testNode('n2', { labels: { zone: 'b' } }),
        testNode('n3'),
      ],
      placed: [],
      namespaces: {},
    });
    for (const [name, at] of [
      ['w1', 'n1'],
      ['w2', 'n1'],
      ['w3', 'n2'],
    ] as const)
      snapshot.assume(web(name, {}), at);
    const pod = web('p', spreadBy('zone', { whenUnsatisfiable: 'ScheduleAnyway' }));
    const score = spreadScore.prepare(pod, snapshot, snapshot.nodes)!;
    // Weighed by the logarithm of four: 2.77 and 1.39, rounded.
    expect(snapshot.nodes.map((each) => score.score(each))).toEqual([3, 1, undefined]);
    expect(score.normalize?.([3, 1, undefined])).toEqual([33, 100, undefined]);
    expect(decide(pod, snapshot, 1).nodeName).toBe('n2');
    expect(DEFAULT_PROFILE.scores.map(({ plugin }) => plugin.name)).toContain('PodTopologySpread');
  });
});
