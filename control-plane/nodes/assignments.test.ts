import type {
  ConfigMap,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  RuntimeClass,
  Secret,
} from '../../api/types';
import type { NetworkRowResource } from '../../api/assignment-rows';
import type { Changes } from '../../proto/gen/dhow/agent/v1/agent';
import { Assignments } from './assignments';
import { parseNodeDraft } from './node-draft';
import { mergeNodeStatus } from './node-registrar';
import { peerOf } from './peer-view';
import { referencesOf } from './pod-references';
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
      { name: 'd', csi: { driver: 'd.example.org', nodePublishSecretRef: { name: 'driver' } } },
      {
        name: 'c',
        projected: {
          sources: [{ secret: { name: 'projected' } }, { configMap: { name: 'map-p' } }],
        },
      },
    ],
  });
  const { secrets, configmaps } = referencesOf(subject);
  expect([...secrets].sort()).toEqual(
    ['driver', 'env', 'env-from', 'projected', 'pull', 'volume'].map((name) => `ns/${name}`),
  );
  expect([...configmaps].sort()).toEqual(
    ['map-env', 'map-from', 'map-p', 'map-volume'].map((name) => `ns/${name}`),
  );
});

it('finds nothing in a pod of no shape, and does not fail', () => {
  for (const spec of [undefined, {}, { containers: [null] }, { containers: [{ env: [null] }] }])
    expect(referencesOf({ ...pod(), spec: spec as never })).toEqual({
      secrets: [],
      configmaps: [],
      persistentvolumeclaims: [],
      runtimeclasses: [],
    });
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

const peer = (nodeName: string, mtu = 0) => ({
  nodeName,
  addresses: ['192.0.2.7'],
  podCidrs: ['10.1.0.0/24'],
  unreachable: false,
  mtu,
});

const networkRow = (resource: NetworkRowResource, key: string) => ({
  ...{ resource, key, version: '' },
  json: Buffer.from('{}'),
});

/** The world as one node's session sees it; the test changes it and marks what it changed. */
const world = () => {
  const state = {
    pods: [] as Pod[],
    secrets: new Map<string, Secret>(),
    configMaps: new Map<string, ConfigMap>(),
    claims: new Map<string, PersistentVolumeClaim>(),
    volumes: [] as PersistentVolume[],
    runtimeClasses: new Map<string, RuntimeClass>(),
    driverSecrets: [] as string[],
    peers: new Map([peer('n2'), peer('n3')].map((each) => [each.nodeName, each])),
    node: own(),
    network: [networkRow('services', 'ns/a'), networkRow('clusternetwork', 'cluster')],
  };
  const unsendable: string[] = [];
  const assignments = new Assignments({
    nodeName: 'n1',
    podIndex: { podsOn: () => state.pods },
    secrets: { get: (key) => state.secrets.get(key) },
    configMaps: { get: (key) => state.configMaps.get(key) },
    claims: { get: (key) => state.claims.get(key) },
    nodeVolumes: { volumesOf: () => state.volumes },
    tokens: { tokens: () => [] },
    csi: { drivers: () => [], attachmentsOf: () => [], secretKeysOf: () => state.driverSecrets },
    runtimeClasses: { get: (key) => state.runtimeClasses.get(key) },
    peers: {
      peer: (name) => state.peers.get(name),
      peersOf: () => [...state.peers.values()],
    },
    policyRows: { rows: () => [], changesOf: () => ({ rows: [], removed: [] }) },
    networkRows: {
      rows: () => state.network,
      changesOf: (keys) => ({
        rows: state.network.filter(({ resource, key }) => keys.get(resource)?.has(key)),
        removed: [],
      }),
    },
    node: () => state.node,
    onUnsendable: ({ metadata: { name } }) => unsendable.push(name),
  });
  return { state, assignments, unsendable };
};

const told = ({ rows, removed }: Changes): readonly string[] => [
  ...rows.map(({ resource, key }) => `${resource} ${key}`),
  ...removed.map(({ resource, key }) => `no ${resource} ${key}`),
];

const secretOf = (data: string, version: string): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', namespace: 'ns', uid: 'su', resourceVersion: version },
  data: { k: data },
});

const classOf = (name: string): RuntimeClass => ({
  apiVersion: 'node.k8s.io/v1',
  kind: 'RuntimeClass',
  metadata: { name },
  handler: 'dhow',
});

it('tells all at first, what pods use before the pods, and then nothing', () => {
  const { state, assignments } = world();
  state.pods = [
    pod({ imagePullSecrets: [{ name: 's' }, { name: 'missing' }], runtimeClassName: 'boxed' }),
  ];
  state.secrets.set('ns/s', secretOf('1', '1'));
  for (const name of ['boxed', 'unused']) state.runtimeClasses.set(name, classOf(name));
  expect(told(assignments.take())).toEqual([
    'services ns/a',
    'clusternetwork cluster',
    'nodes n1',
    'peers n2',
    'peers n3',
    'secrets ns/s',
    'runtimeclasses boxed',
    'pods u',
  ]);
  expect(assignments.isMarked).toBe(false);
  expect(told(assignments.take())).toEqual([]);
});

it('tells a node of its labels and taints, and of nothing else that is its own', () => {
  const { state, assignments } = world();
  const toldNode = (node: Node): unknown => {
    state.node = node;
    assignments.mark('nodes');
    const [row] = assignments.take().rows.filter(({ resource }) => resource === 'nodes');
    return row && JSON.parse(row.json.toString());
  };
  expect(toldNode(own({ disk: 'slow' }))).toEqual({
    metadata: { name: 'n1', labels: { disk: 'slow' } },
    spec: { taints: [] },
  });
  expect(
    toldNode({ ...own({ disk: 'slow' }), status: { capacity: { cpu: '2' } } }),
  ).toBeUndefined();
  expect(toldNode(own({ disk: 'fast' }))).toMatchObject({ metadata: { labels: { disk: 'fast' } } });
  const taint = { key: 'out', effect: 'NoExecute' };
  expect(toldNode(own({ disk: 'fast' }, [taint]))).toMatchObject({ spec: { taints: [taint] } });
});

it('sends what changed once, and nothing for a change of status', () => {
  const { state, assignments } = world();
  const subject = pod({ imagePullSecrets: [{ name: 's' }] });
  state.pods = [subject];
  state.secrets.set('ns/s', secretOf('1', '1'));
  assignments.take();
  const metadata = { ...subject.metadata, resourceVersion: '2' };
  state.pods = [{ ...subject, metadata, status: { phase: 'Running' } }];
  assignments.mark('pods');
  expect(told(assignments.take())).toEqual([]);
  state.secrets.set('ns/s', secretOf('2', '3'));
  assignments.mark('secrets');
  expect(told(assignments.take())).toEqual(['secrets ns/s']);
  state.pods = [];
  assignments.mark('pods');
  expect(told(assignments.take())).toEqual(['no secrets ns/s', 'no pods u']);
});

it('looks at marked peers alone, and at none twice', () => {
  const { state, assignments } = world();
  assignments.take();
  state.peers.set('n2', peer('n2', 1320));
  state.peers.set('n4', peer('n4'));
  state.peers.delete('n3');
  assignments.markPeer('n2');
  assignments.markPeer('n1');
  expect(told(assignments.take())).toEqual(['peers n2']);
  for (const name of ['n2', 'n3', 'n4']) assignments.markPeer(name);
  expect(told(assignments.take())).toEqual(['peers n4', 'no peers n3']);
});

it('tells of the network by key, before pods, and makes nobody wait for it', () => {
  const { state, assignments } = world();
  assignments.take();
  assignments.markNetwork('services', 'ns/a');
  assignments.markNetwork('services', 'ns/a');
  expect([assignments.isMarked, assignments.isUrgent]).toEqual([true, false]);
  state.pods = [pod()];
  assignments.mark('pods');
  expect(assignments.isUrgent).toBe(true);
  expect(told(assignments.take())).toEqual(['services ns/a', 'pods u']);
  expect(assignments.isMarked).toBe(false);
});

it('passes over what cannot be sent, says so once a version, and sends the rest', () => {
  const { state, assignments, unsendable } = world();
  const large = (resourceVersion: string) =>
    pod({ hostname: 'x'.repeat(17 * 2 ** 20) }, { name: 'large', uid: 'large', resourceVersion });
  state.pods = [large('1'), pod()];
  const rows = told(assignments.take());
  expect(rows.slice(2)).toEqual(['nodes n1', 'peers n2', 'peers n3', 'pods u']);
  assignments.mark('pods');
  assignments.take();
  expect(unsendable).toEqual(['large']);
  state.pods = [large('2'), pod()];
  assignments.mark('pods');
  assignments.take();
  expect(unsendable).toEqual(['large', 'large']);
});

it('tells of a readiness gate that others open or close', () => {
  const { state, assignments } = world();
  const count = (version: string, status: Pod['status']) => {
    const gated = pod(
      { readinessGates: [{ conditionType: 'example.com/lb' }] },
      { resourceVersion: version },
    );
    state.pods = [{ ...gated, status }];
    assignments.mark('pods');
    return assignments.take().rows.filter(({ resource }) => resource === 'pods').length;
  };
  const condition = (type: string) => ({ conditions: [{ type, status: 'True' as const }] });
  expect(count('1', {})).toBe(1);
  expect(count('2', condition('Ready'))).toBe(0);
  expect(count('3', condition('example.com/lb'))).toBe(1);
  expect(count('4', { ...condition('example.com/lb'), phase: 'Running' })).toBe(0);
});

it('knows peers by address, range and packet size, and which of them are off', () => {
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
  expect(peerOf(node('a', 'True', '10.1.0.0/24', 'wide'))).toEqual(peer('a'));
  const lost = node('b', 'Unknown', '10.1.0.0/24', '1320');
  expect(peerOf(lost)).toEqual(peer('b', 1320));
  const taints = [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' as const }];
  const off = { ...lost, spec: { ...lost.spec, taints } };
  expect(peerOf(off)).toEqual({ ...peer('b', 1320), unreachable: true });
  expect(peerOf(node('c', 'True'))).toBeUndefined();
  const wireguard = { publicKey: Buffer.alloc(32, 7).toString('base64'), port: 7 };
  const annotations = { 'dhow.dev/wireguard': `${wireguard.publicKey}:7` };
  const open = node('d', 'True', '10.1.0.0/24');
  const sealed = { ...open, metadata: { ...open.metadata, annotations } };
  expect(peerOf(sealed)).toEqual({ ...peer('d'), wireguard });
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
