import { DEFAULT_PROFILE } from '../profile';
import { podInfoOf, type PodInfo } from '../pod-info';
import { Snapshot, type ClusterView } from '../snapshot';
import { testNode, testPod, type PodOptions } from '../testing';
import { classKeyOf, modelOf } from './pod-class';

/** What `classKeyOf` names, what follows from that, and the uid, which a model has none of. */
const KEPT = new Set([
  ...['priority', 'requests', 'scoringCpuMillis', 'scoringMemoryBytes', 'isTerminating'],
  ...['hostPorts', 'images', 'claims', 'volumes', 'affinity', 'namespace', 'labels', 'uid', 'pod'],
  'runtimeHandler',
  ...['nodeName', 'nodeSelector', 'affinity', 'tolerations', 'topologySpreadConstraints'].map(
    (field) => `spec.${field}`,
  ),
]);

/** The pod, and the names of what is read of it. */
const watched = (pod: PodInfo) => {
  const read = new Set<string>();
  const watch = <T extends object>(
    value: T,
    prefix: string,
    open: Record<string, object> = {},
  ): T =>
    new Proxy(value, {
      get: (target, name) => {
        if (typeof name === 'string' && open[name] === undefined) read.add(`${prefix}${name}`);
        return typeof name === 'string' && open[name] !== undefined
          ? open[name]
          : (Reflect.get(target, name) as unknown);
      },
    });
  const spec = watch(pod.pod.spec, 'spec.');
  const object = watch(pod.pod, 'pod.', { spec });
  return { read, pod: watch(pod, '', { pod: object }) };
};

const term = { topologyKey: 'zone', labelSelector: { matchLabels: { app: 'a' } } };
const POD: PodOptions = {
  cpu: '1',
  memory: '1Gi',
  runtimeHandler: 'kata',
  ports: [{ containerPort: 80, hostPort: 80 }],
  nodeSelector: { zone: 'a' },
  tolerations: [{ key: 'k', operator: 'Exists' }],
  affinity: {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 1, preference: { matchExpressions: [{ key: 'zone', operator: 'Exists' }] } },
      ],
    },
    podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] },
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }],
    },
  },
  topologySpreadConstraints: [
    { ...term, maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' },
    { ...term, maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' },
  ],
};

const snapshot = new Snapshot();
const PLACES = [
  { labels: { zone: 'a' }, images: [{ names: ['app:1'], sizeBytes: 1e9 }] },
  { labels: { zone: 'b' }, taints: [{ key: 'm', effect: 'PreferNoSchedule' as const }] },
];
PLACES.forEach((options, index) => {
  snapshot.setNode(testNode(`n${index}`, options));
  snapshot.assume(podInfoOf(testPod(`placed${index}`, POD)), `n${index}`);
});

const PLUGINS = [...DEFAULT_PROFILE.filters, ...DEFAULT_PROFILE.scores.map(({ plugin }) => plugin)];

/** Has the plugin say all it has to say of the pod. */
const ask = (plugin: (typeof PLUGINS)[number], pod: PodInfo, cluster: ClusterView): void => {
  const prepared = plugin.prepare(pod, cluster, cluster === snapshot ? snapshot.nodes : []);
  for (const node of snapshot.nodes) {
    if (prepared !== undefined && 'refuse' in prepared) prepared.refuse(node);
    if (prepared !== undefined && 'score' in prepared) prepared.score(node);
  }
};

const CASES = PLUGINS.map(
  (plugin) => [`${plugin.name} (${'wakeOn' in plugin ? 'filter' : 'score'})`, plugin] as const,
);

it.each(CASES)('%s reads of a pod only what makes it another class', (_name, plugin) => {
  const { read, pod } = watched(modelOf(podInfoOf(testPod('p', POD))));
  ask(plugin, pod, snapshot);
  expect([...read].filter((name) => !KEPT.has(name))).toEqual([]);
});

it.each(CASES.filter(([, { scope }]) => scope !== 'domain'))(
  '%s asks nothing of the cluster',
  (_name, plugin) => {
    const refuseAll = (_: object, name: string | symbol) => {
      throw new Error(`${String(name)} of the cluster was asked for`);
    };
    const cluster = new Proxy({}, { get: refuseAll }) as ClusterView;
    expect(() => ask(plugin, podInfoOf(testPod('p', POD)), cluster)).not.toThrow();
  },
);

it('takes pods for equal that differ in what no plugin reads', () => {
  const keyOf = (name: string, options: PodOptions) =>
    classKeyOf(podInfoOf(testPod(name, options)), new Snapshot());
  expect(keyOf('a', { ...POD, hostname: 'a' })).toBe(keyOf('b', { ...POD, hostname: 'b' }));
  expect(keyOf('a', POD)).not.toBe(keyOf('a', { ...POD, cpu: '2' }));
});

it('has no class for pods with claims', () => {
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }];
  expect(classKeyOf(podInfoOf(testPod('a', { volumes })), new Snapshot())).toBeUndefined();
});
