import type { Container, Pod, PodSpec } from '../../api/types';
import type { LocalImage } from '../../runtime/image-service';
import { capabilitiesOf } from '../pod-spec/capabilities';
import {
  containerResources,
  groupOf,
  groupResources,
  podResources,
} from '../pod-spec/cgroup-resources';
import { containerSpecOf } from './container-spec';
import { expand } from '../pod-spec/expansion';
import { nodeViewOf, resourceValue } from '../pod-spec/field-refs';
import { hostsFile } from './etc-files';
import { podDnsOf } from './pod-dns';
import { testContainer, testPod } from '../pods/testing';

const image: LocalImage = {
  id: 'sha256:1',
  references: [],
  repoDigests: ['docker.io/library/web@sha256:2'],
  sizeBytes: 1,
  layers: [],
  lowerDirs: [],
  config: {
    env: ['PATH=/image/bin', 'FROM=image'],
    entrypoint: ['/entry'],
    cmd: ['default'],
    workingDir: '/work',
    user: '',
  },
};

const specOf = (
  container: Partial<Container>,
  pod: Pod = testPod(),
  config: Partial<LocalImage['config']> = {},
) =>
  containerSpecOf({
    pod,
    start: { container: testContainer(container), isInit: false, restartCount: 3, backoffStep: 2 },
    id: 'id',
    sandboxId: 'sandbox',
    hostname: 'web',
    image: { ...image, config: { ...image.config, ...config } },
    volumes: new Map([['v', '/volumes/v']]),
    objects: { secret: () => undefined, configMap: () => undefined },
    node: {
      nodeName: 'n1',
      hostIps: ['192.0.2.1'],
      podIps: ['10.42.0.9'],
      allocatableCpuMillis: 2000,
      allocatableMemoryBytes: 2 ** 30,
    },
    nodeMemoryBytes: 2 ** 30,
    etcFiles: new Map([['/etc/hosts', '/run/hosts']]),
    terminationMessageFile: '/run/message',
    logPath: '/logs/3.log',
    profilesDir: '/profiles',
  });

it.each([
  [{ command: undefined, args: undefined }, ['/entry', 'default']],
  [{ command: undefined, args: ['a', '$(FROM_POD)'] }, ['/entry', 'a', 'x']],
  [{ command: ['c'], args: undefined }, ['c']],
  [{ command: ['c'], args: ['$$(FROM_POD)', '$(NONE)'] }, ['c', '$(FROM_POD)', '$(NONE)']],
])('takes command and arguments from %j', (given, args) => {
  const { command, ...rest } = given;
  const env = [{ name: 'FROM_POD', value: 'x' }];
  const container = { env, ...rest, command } as Partial<Container>;
  expect(specOf(container).process.args).toEqual(args);
});

it('puts the pod over the image in the environment', () => {
  const env = [
    { name: 'FROM', value: 'pod' },
    { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    { name: 'URL', value: 'http://$(IP)/$(LATER)' },
    { name: 'CPUS', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
  ];
  const list = specOf({ env }).process.env;
  expect(list).toContain('PATH=/image/bin');
  expect(list).toContain('FROM=pod');
  expect(list).toContain('URL=http://10.42.0.9/$(LATER)');
  expect(list).toContain('CPUS=2');
  expect(list).toContain('HOSTNAME=web');
});

it.each([
  ['/etc/hosts', []],
  ['/etc/hosts/', []],
  ['//etc/./hosts', []],
  ['/etc', ['/etc/hosts']],
])('leaves out a file of its own only when %s is mounted there', (mountPath, kept) => {
  const { mounts } = specOf({ volumeMounts: [{ name: 'v', mountPath }] });
  const targets = mounts.map(({ target }) => target);
  expect(targets.filter((target) => target === '/etc/hosts')).toHaveLength(1);
  expect(targets).toEqual(expect.arrayContaining(['/dev/termination-log', ...kept]));
  expect(targets.every((target) => !target.endsWith('/'))).toBe(true);
});

it('keeps the number of the stop signal, and refuses one that does not exist', () => {
  const label = 'dhow.dev/stop-signal';
  expect(specOf({}).labels[label]).toBe('15');
  expect(specOf({}, testPod(), { stopSignal: 'SIGRTMIN+3' }).labels[label]).toBe('37');
  expect(() => specOf({ image: 'web:1' }, testPod(), { stopSignal: 'banana' })).toThrow(
    'invalid stop signal "banana" in image "web:1"',
  );
});

it('prefers the stop signal that the container names to that of its image', () => {
  const lifecycle = { stopSignal: 'SIGUSR1' } as Container['lifecycle'] & object;
  const spec = specOf({ lifecycle }, testPod(), { stopSignal: 'SIGQUIT' });
  expect(spec.labels['dhow.dev/stop-signal']).toBe('10');
});

it('refuses a variable that the kernel would cut short', () => {
  expect(() => specOf({ env: [{ name: 'A', value: 'a\0b' }] })).toThrow(
    'variable "A" contains a NUL',
  );
});

it('says which config map or key is missing', () => {
  const ref = { configMapKeyRef: { name: 'm', key: 'k' } };
  expect(() => specOf({ env: [{ name: 'A', valueFrom: ref }] })).toThrow('configmap "m" not found');
  expect(() => specOf({ envFrom: [{ secretRef: { name: 's' } }] })).toThrow('secret "s" not found');
});

it('refuses a variable whose source it does not know', () => {
  const valueFrom = { fileKeyRef: { volumeName: 'v', path: 'p', key: 'k' } } as object;
  expect(() => specOf({ env: [{ name: 'A', valueFrom }] })).toThrow(
    'a value from fileKeyRef is not supported',
  );
});

it('refuses a sub path that leaves the volume and a volume that is not there', () => {
  const mount = (more: object) => ({ volumeMounts: [{ name: 'v', mountPath: '/v', ...more }] });
  expect(() => specOf(mount({ subPath: '../x' }))).toThrow('must not contain ".."');
  expect(() => specOf(mount({ subPath: '/x' }))).toThrow('must be relative');
  expect(() => specOf(mount({ name: 'w' }))).toThrow('volume "w"');
});

it('refuses root where the pod forbids it', () => {
  const pod = testPod({ spec: { securityContext: { runAsNonRoot: true } } });
  expect(() => specOf({}, pod)).toThrow('container has runAsNonRoot and image will run as root');
  const user = { securityContext: { runAsUser: 1000, runAsGroup: 50 } };
  const withGroups = testPod({
    spec: { securityContext: { runAsNonRoot: true, fsGroup: 7, supplementalGroups: [500] } },
  });
  expect(specOf(user, withGroups).process.user).toEqual({
    uid: 1000,
    gid: 50,
    supplementalGids: [500, 7],
  });
});

it('adds and drops capabilities on the default set', () => {
  expect(capabilitiesOf(undefined)).toHaveLength(14);
  expect(capabilitiesOf({ drop: ['ALL'], add: ['CAP_NET_ADMIN'] })).toEqual(['NET_ADMIN']);
  expect(capabilitiesOf({ drop: ['KILL', 'net_raw'] })).not.toContain('NET_RAW');
  expect(capabilitiesOf({ add: ['ALL'] }).length).toBeGreaterThan(35);
});

it('turns requests and limits into cgroup values', () => {
  const container = testContainer({
    resources: { requests: { cpu: '250m' }, limits: { cpu: '500m', memory: '64Mi' } },
  });
  const pod = testPod({ spec: { containers: [container] } });
  expect(containerResources(pod, container, 2 ** 30)).toEqual({
    cpuShares: 256,
    cpuQuotaMicros: 50_000,
    cpuPeriodMicros: 100_000,
    memoryLimitBytes: 64 * 2 ** 20,
    oomScoreAdj: 999,
  });
  expect(podResources(pod, 77)).toMatchObject({ memoryLimitBytes: 64 * 2 ** 20, pidsLimit: 77 });
  const plain = testPod();
  expect(containerResources(plain, testContainer(), 2 ** 30)).toEqual({
    cpuShares: 2,
    oomScoreAdj: 1000,
  });
});

it('gives a pod what it asks for itself, and its containers no more', () => {
  const requests = { cpu: '500m', memory: '512Mi' };
  const limits = { cpu: '1', memory: '768Mi' };
  const own = { requests: { memory: '128Mi' }, limits: { memory: '256Mi' } };
  const containers = [testContainer({ name: 'a', resources: own }), testContainer({ name: 'b' })];
  const pod = testPod({ spec: { resources: { requests, limits }, containers } });
  expect(podResources(pod, 77)).toEqual({
    ...{ cpuShares: 512, cpuQuotaMicros: 100_000, cpuPeriodMicros: 100_000 },
    ...{ memoryLimitBytes: 768 * 2 ** 20, pidsLimit: 77, hugePageBytes: {} },
  });
  const [a, b] = containers.map((each) => containerResources(pod, each, 2 ** 30));
  // What the pod asks for beyond its containers is theirs in equal parts: 384Mi are 192Mi each.
  expect(a).toEqual({
    ...{ cpuShares: 1024, cpuQuotaMicros: 100_000, cpuPeriodMicros: 100_000 },
    ...{ memoryLimitBytes: 256 * 2 ** 20, oomScoreAdj: 688 },
  });
  expect(b).toMatchObject({ memoryLimitBytes: 768 * 2 ** 20, oomScoreAdj: 813 });
  const guaranteed = testPod({ spec: { resources: { requests: limits, limits }, containers } });
  expect(groupOf(guaranteed)).toBe('');
  expect(containerResources(guaranteed, containers[1]!, 2 ** 30).oomScoreAdj).toBe(-997);
  const view = nodeViewOf({ name: 'n', ips: [], cpuMillis: 8000, memoryBytes: 2 ** 33 }, []);
  const valueOf = (name: string, index: number) =>
    resourceValue(pod, containers[index]!, name, '1Mi', view);
  expect([valueOf('limits.memory', 0), valueOf('limits.memory', 1)]).toEqual(['256', '768']);
  expect([valueOf('requests.memory', 0), valueOf('requests.memory', 1)]).toEqual(['128', '0']);
  expect(resourceValue(pod, containers[0]!, 'limits.cpu', '1m', view)).toBe('1000');
});

it('gives each container its own huge pages, or else those of its pod, and others none', () => {
  const pages = (amount: string) => {
    const list = { cpu: '1', 'hugepages-2Mi': amount };
    return { requests: list, limits: list };
  };
  const containers = [
    testContainer({ name: 'a', resources: pages('4Mi') }),
    testContainer({ name: 'b' }),
  ];
  const pagesOf = (spec: Partial<PodSpec>) => {
    const pod = testPod({ spec: { containers, ...spec } });
    return [
      podResources(pod, 77).hugePageBytes,
      ...pod.spec.containers.map((each) => containerResources(pod, each, 2 ** 30).hugePageBytes),
    ];
  };
  const size = 2 ** 21;
  expect(pagesOf({})).toEqual([{ [size]: 2 * size }, { [size]: 2 * size }, {}]);
  expect(pagesOf({ resources: pages('8Mi') })).toEqual([
    { [size]: 4 * size },
    { [size]: 2 * size },
    { [size]: 4 * size },
  ]);
  // Its pod may have none: nothing more is to be said of it.
  expect(pagesOf({ containers: [testContainer()] })).toEqual([{}, undefined]);
});

it('lets no sidecar die before those that it is there for', () => {
  const sidecar = testContainer({ name: 's', restartPolicy: 'Always' });
  const containers = ['256Mi', '512Mi'].map((memory, i) =>
    testContainer({ name: `c${i}`, resources: { requests: { memory } } }),
  );
  const pod = testPod({ spec: { initContainers: [sidecar], containers } });
  expect(containerResources(pod, sidecar, 2 ** 30).oomScoreAdj).toBe(750);
});

it('says who dies first, and what a class of service may have', () => {
  const withResources = (resources: Container['resources'], more: Partial<PodSpec> = {}) => {
    const container = testContainer(resources === undefined ? {} : { resources });
    return testPod({ spec: { containers: [container], ...more } });
  };
  const scoreOf = (pod: Pod) =>
    containerResources(pod, pod.spec.containers[0] ?? testContainer(), 2 ** 30).oomScoreAdj;
  const half = withResources({ requests: { memory: '512Mi', cpu: '300m' } });
  const all = withResources({ requests: { memory: '1Gi', cpu: '200m' } });
  const limits = { cpu: '1', memory: '64Mi' };
  const guaranteed = withResources({ requests: limits, limits });
  expect([half, all, guaranteed, withResources(undefined)].map(scoreOf)).toEqual([
    ...[500, 3, -997, 1000],
  ]);
  expect(scoreOf(withResources(undefined, { priority: 2_000_001_000 }))).toBe(-997);
  const pods = [half, all, guaranteed, withResources(undefined)];
  expect(pods.map(groupOf)).toEqual(['burstable', 'burstable', '', 'besteffort']);
  expect([...groupResources(pods, { cpuMillis: 4000, memoryBytes: 2 ** 30 })]).toEqual([
    ['', { cpuShares: 4096, memoryLimitBytes: 2 ** 30 }],
    ['burstable', { cpuShares: 512 }],
    ['besteffort', { cpuShares: 2 }],
  ]);
});

it('expands references the way manifests mean them', () => {
  const values = new Map([['A', '1']]);
  expect(expand('$(A) $$(A) $(B) $A $', values)).toBe('1 $(A) $(B) $A $');
  expect(expand('$(A', values)).toBe('$(A');
});

it('writes hosts and resolv.conf', () => {
  const input = {
    pod: testPod({
      spec: {
        hostAliases: [{ ip: '1.2.3.4', hostnames: ['x', 'y'] }],
        dnsConfig: { options: [{ name: 'ndots', value: '2' }] },
      },
    }),
    hostname: 'web',
    podIps: ['10.42.0.9'],
    hostHosts: '',
    clusterDomain: 'cluster.local',
  };
  const dns = {
    pod: input.pod,
    nodeResolvConf: 'nameserver 9.9.9.9\nsearch lan\n',
    cluster: { servers: ['10.43.0.10'], domain: 'cluster.local' },
  };
  expect(hostsFile(input)).toContain('10.42.0.9\tweb\n');
  expect(hostsFile(input)).toContain('1.2.3.4\tx\ty');
  expect(podDnsOf(dns).text).toBe(
    'search default.svc.cluster.local svc.cluster.local cluster.local lan\n' +
      'nameserver 10.43.0.10\noptions ndots:2\n',
  );
});
