import type { Pod, ReplicaSet, Service, StatefulSet } from '../../api/types';
import type { NodeSelector } from '../../api/types';
import { parseSchedulerConfiguration } from './configuration/configuration';
import { decide } from './decide';
import { explainNodes } from './explain';
import { podInfoOf } from './pod-info';
import { selectorsFrom, type SelectorSources } from './pod-selectors';
import type { Profile } from './profile';
import { Snapshot } from './snapshot';
import { suggest } from './suggest';
import { testNode, testPod, type NodeOptions, type PodOptions } from './testing';

const profileOf = (text: string): Profile =>
  parseSchedulerConfiguration(
    `apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{${text}}]`,
  ).profiles[0]!;
const withArgs = (name: string, args: string) =>
  profileOf(`pluginConfig: [{name: ${name}, args: ${args}}]`);

const clusterOf = (nodes: Readonly<Record<string, NodeOptions>>, around = {}): Snapshot => {
  const snapshot = new Snapshot(around);
  for (const [name, options] of Object.entries(nodes)) snapshot.setNode(testNode(name, options));
  return snapshot;
};
const pod = (name: string, options: PodOptions = {}) => podInfoOf(testPod(name, options));

it('packs nodes by one profile and spreads over them by another', () => {
  const snapshot = clusterOf({ a: {}, b: {} });
  snapshot.assume(pod('there', { cpu: '2', memory: '4Gi' }), 'a');
  const packing = withArgs('NodeResourcesFit', '{scoringStrategy: {type: MostAllocated}}');
  const asked = pod('p', { cpu: '1', memory: '2Gi' });
  expect(decide(asked, snapshot, 1, packing)).toMatchObject({
    nodeName: 'a',
    decidedBy: 'NodeResourcesFit',
  });
  expect(decide(asked, snapshot, 1).nodeName).toBe('b');
});

it('does not ask for resources that a profile ignores', () => {
  const snapshot = clusterOf({ a: {} });
  const wanting = (name: string): PodOptions => ({
    containers: [{ name: 'c', image: 'c', resources: { requests: { [name]: '1' } } }],
  });
  const fits = (name: string, profile?: Profile) =>
    decide(pod('p', wanting(name)), snapshot, 1, profile).nodeName !== undefined;
  const ignoring = withArgs(
    'NodeResourcesFit',
    '{ignoredResources: [example.com/a], ignoredResourceGroups: [example.org]}',
  );
  expect([fits('example.com/a'), fits('example.com/a', ignoring)]).toEqual([false, true]);
  expect([fits('example.org/b', ignoring), fits('example.com/b', ignoring)]).toEqual([true, false]);
  // Kubernetes' own are never ignored.
  const own = withArgs('NodeResourcesFit', '{ignoredResources: [hugepages-2Mi]}');
  expect(fits('hugepages-2Mi', own)).toBe(false);
});

describe('affinity that a profile adds', () => {
  const added = (selector: NodeSelector) =>
    withArgs(
      'NodeAffinity',
      `{addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: ${JSON.stringify(selector)}}}`,
    );
  const ssd = added({
    nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] }],
  });
  const snapshot = clusterOf({ plain: {}, fast: { labels: { disk: 'ssd' } } });

  it('keeps pods off other nodes, in upstream’s words, and says so in full', () => {
    expect(decide(pod('p'), snapshot, 1, ssd)).toMatchObject({
      nodeName: 'fast',
      reasons: { "node(s) didn't match scheduler-enforced node affinity": 1 },
    });
    expect(explainNodes(pod('p'), snapshot, ssd)[1]!.reasons).toEqual([
      {
        plugin: 'NodeAffinity',
        reason: "node(s) didn't match scheduler-enforced node affinity",
        detail: "of the scheduler's profile, required affinity is not met: disk In [ssd]",
      },
    ]);
  });

  it('is told of in a suggestion together with what the pod asks for', () => {
    const none = clusterOf({ plain: {} });
    const asking = pod('p', { nodeSelector: { zone: 'a' } });
    expect(suggest(asking, none, { profile: ssd })).toBe('label plain disk=ssd zone=a');
  });

  it('is preferred beside what the pod prefers', () => {
    const preferring = withArgs(
      'NodeAffinity',
      '{addedAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 10, preference: {matchExpressions: [{key: disk, operator: Exists}]}}]}}',
    );
    expect(decide(pod('p'), snapshot, 1, preferring)).toMatchObject({
      nodeName: 'fast',
      decidedBy: 'NodeAffinity',
    });
  });
});

describe('how others draw a pod', () => {
  const near = (weight: number) =>
    withArgs('InterPodAffinity', `{hardPodAffinityWeight: ${weight}}`);
  const snapshot = clusterOf({ a: {}, b: {}, c: {} });
  const labelSelector = { matchLabels: { app: 'x' } };
  const term = { topologyKey: 'kubernetes.io/hostname', labelSelector };
  const wishing = (affinity: Pod['spec']['affinity']) => pod('there', { affinity: affinity! });
  const x = podInfoOf({
    ...testPod('x'),
    metadata: { ...testPod('x').metadata, labels: { app: 'x' } },
  });
  snapshot.assume(
    wishing({ podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } }),
    'b',
  );
  const scoreOnB = (profile: Profile) =>
    decide(x, snapshot, 1, profile).top.find(({ node }) => node === 'b')!.scores[
      'InterPodAffinity'
    ];

  it('counts what they require by the weight that the profile gives it', () => {
    expect([scoreOnB(near(1)), scoreOnB(near(0))]).toEqual([200, 0]);
  });

  it('does not count where the profile ignores it and the pod has no wish', () => {
    const deaf = withArgs('InterPodAffinity', '{ignorePreferredTermsOfExistingPods: true}');
    expect(scoreOnB(deaf)).toBe(0);
  });
});

describe('spread by default', () => {
  const owned = (name: string, labels: Record<string, string>, kind = 'ReplicaSet'): Pod => {
    const made = testPod(name);
    const owner = { apiVersion: 'apps/v1', kind, name: 'web', uid: 'u', controller: true };
    return { ...made, metadata: { ...made.metadata, labels, ownerReferences: [owner] } };
  };
  const selector = { matchLabels: { app: 'web' } };
  const web = { spec: { selector } };
  const sources = (more: Partial<SelectorSources> = {}): SelectorSources => ({
    servicesIn: () => [],
    replicationControllers: { get: () => undefined },
    replicaSets: {
      get: (key) => (key === 'default/web' ? (web as unknown as ReplicaSet) : undefined),
    },
    statefulSets: { get: () => undefined },
    ...more,
  });
  const wordsOf = (asked: Pod, more?: Partial<SelectorSources>) =>
    selectorsFrom(sources(more))(podInfoOf(asked)).map(({ key, values }) => `${key}=${values[0]}`);

  it('selects by the controller, and by the services that select the pod', () => {
    const labels = { app: 'web', tier: 'front' };
    const service = (of: Record<string, string>) =>
      ({ spec: { selector: of } }) as unknown as Service;
    const servicesIn = () => [service({ tier: 'front' }), service({ tier: 'back' }), {} as Service];
    expect(wordsOf(owned('p', labels))).toEqual(['app=web']);
    expect(wordsOf(owned('p', labels), { servicesIn })).toEqual(['tier=front', 'app=web']);
    expect(wordsOf(testPod('p'), { servicesIn })).toEqual([]);
    const statefulSets = { get: () => web as unknown as StatefulSet };
    expect(wordsOf(owned('p', labels, 'StatefulSet'), { statefulSets })).toEqual(['app=web']);
    expect(wordsOf(owned('p', labels, 'Job'))).toEqual([]);
  });

  const around = { selectorFor: selectorsFrom(sources()) };
  const zone = (name: string) => ({ labels: { 'topology.kubernetes.io/zone': name } });

  it('keeps replicas apart by zone and by node, where a bare pod would be drawn by room alone', () => {
    const big = { cpu: '64', memory: '128Gi' };
    const snapshot = clusterOf(
      { a1: { ...zone('a'), ...big }, a2: zone('a'), b1: zone('b') },
      around,
    );
    const placed: (string | undefined)[] = [];
    for (let i = 0; i < 3; i++) {
      const { nodeName } = decide(podInfoOf(owned(`p${i}`, { app: 'web' })), snapshot, 1);
      snapshot.assume(podInfoOf(owned(`p${i}`, { app: 'web' })), nodeName!);
      placed.push(nodeName);
    }
    expect([...placed].sort()).toEqual(['a1', 'a2', 'b1']);
  });

  it('weighs a node without a zone by its name alone, with upstream’s constraints', () => {
    const snapshot = clusterOf({ a: zone('a'), bare: {} }, around);
    const there = podInfoOf(owned('there', { app: 'web' }));
    snapshot.assume(there, 'a');
    const asked = podInfoOf(owned('p', { app: 'web' }));
    const { top } = decide(asked, snapshot, 1);
    const scored = Object.fromEntries(
      top.map(({ node, scores }) => [node, scores['PodTopologySpread']]),
    );
    expect(scored['bare']).toBe(200);
    expect(scored['a']).toBeLessThan(200);
  });

  it('insists where a profile’s own list says so, unless the pod has constraints of its own', () => {
    const strict = withArgs(
      'PodTopologySpread',
      '{defaultingType: List, defaultConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}]}',
    );
    expect(strict.isSpreadByDefault).toBe(true);
    const snapshot = clusterOf({ a: zone('a'), b: { ...zone('b'), unschedulable: true } }, around);
    snapshot.assume(podInfoOf(owned('there', { app: 'web' })), 'a');
    const asked = owned('p', { app: 'web' });
    expect(decide(podInfoOf(asked), snapshot, 1, strict).message).toContain(
      "1 node(s) didn't match pod topology spread constraints",
    );
    const own = {
      ...asked,
      spec: {
        ...asked.spec,
        topologySpreadConstraints: [
          {
            maxSkew: 9,
            topologyKey: 'kubernetes.io/hostname',
            whenUnsatisfiable: 'ScheduleAnyway' as const,
          },
        ],
      },
    };
    expect(decide(podInfoOf(own), snapshot, 1, strict).nodeName).toBe('a');
  });

  it('is left to whoever turns it off with an empty list', () => {
    const off = withArgs('PodTopologySpread', '{defaultingType: List}');
    const snapshot = clusterOf({ a: zone('a'), b: zone('b') }, around);
    snapshot.assume(podInfoOf(owned('there', { app: 'web' })), 'a');
    const { top } = decide(podInfoOf(owned('p', { app: 'web' })), snapshot, 1, off);
    expect(top.map(({ scores }) => scores['PodTopologySpread'])).toEqual([0, 0]);
  });
});

it('evicts nobody by a profile without preemption, and says no word of it', () => {
  const never = profileOf('plugins: {postFilter: {disabled: [{name: DefaultPreemption}]}}');
  const snapshot = clusterOf({ a: { cpu: '1' } });
  snapshot.assume(pod('there', { cpu: '1' }), 'a');
  const important = pod('p', { cpu: '1', priority: 1000 });
  expect(decide(important, snapshot, 1).preemption?.victims).toHaveLength(1);
  const { preemption, message } = decide(important, snapshot, 1, never);
  expect([preemption, message]).toEqual([
    undefined,
    '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate',
  ]);
});
