import type { ConfigMap, Node, Pod, Secret } from '../../api/types';
import { assignmentsOf, peersOf, referencesOf, SentAssignments } from './assignments';
import { parseNodeDraft } from './node-draft';
import { mergeNodeStatus } from './node-registrar';
import { mergePodStatus } from './status-intake';

const pod = (spec: Partial<Pod['spec']> = {}, metadata: Partial<Pod['metadata']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', uid: 'u', resourceVersion: '1', ...metadata },
  spec: { containers: [{ name: 'c' }], ...spec },
  status: {},
});

it('finds every way in which a pod names secrets and config maps', () => {
  const subject = pod({
    imagePullSecrets: [{ name: 'pull' }],
    initContainers: [{ name: 'i', envFrom: [{ secretRef: { name: 'env-from' } }] }],
    containers: [
      {
        name: 'c',
        env: [
          { name: 'A', valueFrom: { secretKeyRef: { name: 'env', key: 'k' } } },
          { name: 'B', valueFrom: { configMapKeyRef: { name: 'map-env', key: 'k' } } },
        ],
        envFrom: [{ configMapRef: { name: 'map-from' } }],
      },
    ],
    volumes: [
      { name: 'a', secret: { secretName: 'volume' } },
      { name: 'b', configMap: { name: 'map-volume' } },
      {
        name: 'c',
        projected: {
          sources: [{ secret: { name: 'projected' } }, { configMap: { name: 'map-p' } }],
        },
      },
    ],
  });
  const { secrets, configMaps } = referencesOf(subject);
  expect([...secrets].sort()).toEqual(['env', 'env-from', 'projected', 'pull', 'volume']);
  expect([...configMaps].sort()).toEqual(['map-env', 'map-from', 'map-p', 'map-volume']);
});

const own = (
  labels: Node['metadata']['labels'] = {},
  taints: Node['spec']['taints'] = [],
): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', labels, resourceVersion: '7' },
  spec: { taints },
  status: {},
});

it('tells a node of its labels and taints, and of nothing else that is its own', () => {
  const find = { secret: () => undefined, configMap: () => undefined };
  const sent = new SentAssignments();
  const told = (node: Node): unknown => {
    const delta = sent.diff(assignmentsOf([], find, [], node));
    return delta === undefined ? undefined : JSON.parse(delta.node.toString());
  };
  expect(told(own({ disk: 'slow' }))).toEqual({
    metadata: { name: 'n1', labels: { disk: 'slow' } },
    spec: { taints: [] },
  });
  expect(told({ ...own({ disk: 'slow' }), status: { capacity: { cpu: '2' } } })).toBeUndefined();
  expect(told(own({ disk: 'fast' }))).toMatchObject({ metadata: { labels: { disk: 'fast' } } });
  const taint = { key: 'out', effect: 'NoExecute' };
  expect(told(own({ disk: 'fast' }, [taint]))).toMatchObject({ spec: { taints: [taint] } });
});

it('sends what changed once, and nothing for a change of status', () => {
  const secret = (data: string, version: string): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace: 'ns', uid: 'su', resourceVersion: version },
    data: { k: data },
  });
  let stored: Secret | undefined = secret('1', '1');
  const find = { secret: () => stored, configMap: (): ConfigMap | undefined => undefined };
  const subject = pod({ imagePullSecrets: [{ name: 's' }] });
  const sent = new SentAssignments();
  const first = sent.diff(assignmentsOf([subject], find, [], own()));
  expect([first?.pods.length, first?.secrets.length]).toEqual([1, 1]);
  expect(sent.diff(assignmentsOf([subject], find, [], own()))).toBeUndefined();
  const withStatus: Pod = {
    ...subject,
    metadata: { ...subject.metadata, resourceVersion: '2' },
    status: { phase: 'Running' },
  };
  expect(sent.diff(assignmentsOf([withStatus], find, [], own()))).toBeUndefined();
  stored = secret('2', '3');
  expect(sent.diff(assignmentsOf([withStatus], find, [], own()))?.secrets).toHaveLength(1);
  const last = sent.diff(assignmentsOf([], find, [], own()));
  expect(last?.removedPods).toEqual([{ namespace: 'ns', name: 'p', uid: 'u' }]);
  expect(last?.removedSecrets).toEqual([{ namespace: 'ns', name: 's', uid: 'su' }]);
});

it('tells of a readiness gate that others open or close', () => {
  const find = { secret: () => undefined, configMap: () => undefined };
  const sent = new SentAssignments();
  const diff = (version: string, status: Pod['status']) => {
    const gated = pod(
      { readinessGates: [{ conditionType: 'example.com/lb' }] },
      { resourceVersion: version },
    );
    return sent.diff(assignmentsOf([{ ...gated, status }], find, [], own()))?.pods.length ?? 0;
  };
  const condition = (type: string) => ({ conditions: [{ type, status: 'True' as const }] });
  expect(diff('1', {})).toBe(1);
  expect(diff('2', condition('Ready'))).toBe(0);
  expect(diff('3', condition('example.com/lb'))).toBe(1);
  expect(diff('4', { ...condition('example.com/lb'), phase: 'Running' })).toBe(0);
});

it('knows peers by address, range and packet size, and which of them do not answer', () => {
  const node = (name: string, ready: string, podCIDR?: string, mtu = ''): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, annotations: { 'dhow.dev/network-mtu': mtu } },
    spec: podCIDR === undefined ? {} : { podCIDR },
    status: {
      addresses: [{ type: 'InternalIP', address: '192.0.2.7' }],
      conditions: [{ type: 'Ready', status: ready }],
    },
  });
  expect(
    peersOf([
      node('a', 'True', '10.1.0.0/24', 'wide'),
      node('b', 'Unknown', '10.1.1.0/24', '1320'),
      node('c', 'True'),
    ]),
  ).toEqual([
    { nodeName: 'a', address: '192.0.2.7', podCidr: '10.1.0.0/24', unreachable: false, mtu: 0 },
    { nodeName: 'b', address: '192.0.2.7', podCidr: '10.1.1.0/24', unreachable: true, mtu: 1320 },
  ]);
});

it('keeps conditions of others and a final phase when an agent reports', () => {
  const stored = {
    phase: 'Failed',
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Ready', status: 'True' },
    ],
  };
  const reported = {
    phase: 'Running',
    conditions: [
      { type: 'Ready', status: 'False' },
      { type: 'Mine', status: 'True' },
    ],
  };
  expect(mergePodStatus(stored, reported)).toMatchObject({
    phase: 'Failed',
    conditions: [
      { type: 'Ready', status: 'False' },
      { type: 'PodScheduled', status: 'True' },
    ],
  });
});

it('moves a transition time only when a condition changes', () => {
  const stored = {
    conditions: [
      { type: 'Ready', status: 'True', lastTransitionTime: 't0' },
      { type: 'DiskPressure', status: 'False', lastTransitionTime: 't0' },
    ],
  };
  const reported = {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'DiskPressure', status: 'True' },
    ],
  };
  const { conditions = [] } = mergeNodeStatus(stored, reported, 't1');
  expect(conditions.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual(['t0', 't1']);
});

it('takes from a hello only what an agent may decide', () => {
  const hello = (node: unknown) => parseNodeDraft('n1', Buffer.from(JSON.stringify(node)));
  const labels = {
    a: 'b',
    'kubernetes.io/hostname': 'other',
    'x.node-restriction.kubernetes.io/team': 'blue',
  };
  expect(hello({ metadata: { labels }, status: {} }).labels).toEqual({
    a: 'b',
    'kubernetes.io/hostname': 'n1',
  });
  expect(() => hello({ metadata: { labels: { a: 1 } } })).toThrow('malformed node');
  expect(() => parseNodeDraft('n1', Buffer.from('{'))).toThrow('malformed node');
});
