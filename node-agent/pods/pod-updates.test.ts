import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Secret } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { ImageError } from '../../runtime/image-service';
import { FakeContainerRuntime } from '../../runtime/containers';
import {
  createPodBench,
  testContainer,
  testPod,
  type PodBench,
  type PodBenchOptions,
} from './testing';

let directory: string;
let bench: PodBench;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-pod-updates-'));
});
afterEach(async () => {
  await bench.stop();
  await rm(directory, { recursive: true, force: true });
});

const start = (options: Partial<PodBenchOptions> = {}): PodBench =>
  (bench = createPodBench({ directory, ...options }));
const containerOf = (name = 'web') =>
  [
    ...(bench.status().initContainerStatuses ?? []),
    ...(bench.status().containerStatuses ?? []),
  ].find((status) => status.name === name);
const isRunning =
  (image = 'web:1') =>
  () =>
    containerOf()?.state?.running !== undefined && containerOf()?.image === image;
const conditionOf = (type: string) =>
  bench.status().conditions?.find((condition) => condition.type === type);

it.each(['Always', 'OnFailure', 'Never'])(
  'runs a container again with its new image at once, restart policy %s',
  async (restartPolicy) => {
    start();
    bench.images.publish('web:2');
    await bench.run(testPod({ spec: { restartPolicy } }));
    await bench.until(isRunning());
    const changedAtMs = bench.clock.now();
    const containers = [testContainer({ image: 'web:2' })];
    await bench.run(testPod({ spec: { restartPolicy, containers } }));
    await bench.until(isRunning('web:2'));
    expect(bench.clock.now() - changedAtMs).toBeLessThan(5_000);
    expect(containerOf()).toMatchObject({
      restartCount: 1,
      lastState: { terminated: { exitCode: 143 } },
    });
    expect(bench.events()).toContain(
      'Killing: Container web definition changed, will be restarted',
    );
    expect(bench.status().phase).toBe('Running');
  },
);

it('tries a corrected image at once, whatever the back-off of the wrong one', async () => {
  start();
  const wrong = testPod({ spec: { containers: [testContainer({ image: 'wrong:1' })] } });
  await bench.run(wrong);
  await bench.until(() => containerOf()?.state?.waiting?.reason === 'ImagePullBackOff');
  await bench.clock.advance(200_000);
  await bench.until(() => containerOf()?.state?.waiting?.reason === 'ImagePullBackOff');
  const changedAtMs = bench.clock.now();
  await bench.run(testPod());
  await bench.until(isRunning());
  expect(bench.clock.now() - changedAtMs).toBeLessThan(5_000);
});

it('pulls at once when the missing pull secret comes, and shows the last error until then', async () => {
  const secrets = new Map<string, Secret>();
  start({ objects: { secret: (_ns, name) => secrets.get(name), configMap: () => undefined } });
  const denied = () => new ImageError('ErrImagePull', 'pull access denied');
  bench.images.failNextPulls(...Array.from({ length: 3 }, denied));
  const spec = {
    imagePullSecrets: [{ name: 'regcred' }],
    containers: [testContainer({ image: 'registry.example/web:1', imagePullPolicy: 'Always' })],
  };
  bench.images.publish('registry.example/web:1');
  await bench.run(testPod({ spec }));
  await bench.until(() => bench.images.pulls.length === 3);
  await bench.until(() => containerOf()?.state?.waiting?.reason === 'ImagePullBackOff');
  expect(containerOf()?.state?.waiting?.message).toContain('pull access denied');
  const auths = { 'registry.example': { username: 'me', password: 'secret' } };
  secrets.set('regcred', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'regcred', namespace: 'default' },
    type: 'kubernetes.io/dockerconfigjson',
    data: {
      '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64'),
    },
  });
  const fixedAtMs = bench.clock.now();
  bench.manager.objectsChanged();
  await bench.until(isRunning('registry.example/web:1'));
  expect(bench.clock.now() - fixedAtMs).toBeLessThan(5_000);
});

it('keeps the back-off over a restart of the agent', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const runtime = new FakeContainerRuntime({ clock });
  start({ clock, runtime });
  const command = ['sh', '-c', 'exit 0'];
  const spec = { containers: [testContainer({ command })] };
  const waits = (delay: string) => () =>
    containerOf()?.state?.waiting?.message?.startsWith(`back-off ${delay} `) === true;
  await bench.run(testPod({ spec }));
  await bench.until(waits('20s'));
  const status = bench.status();
  await bench.stop();
  start({ clock, runtime });
  await bench.run(testPod({ spec, status }));
  await bench.until(waits('20s'), 5_000);
  expect(containerOf()).toMatchObject({
    restartCount: 2,
    lastState: { terminated: { reason: 'Completed', exitCode: 0 } },
  });
  await bench.until(waits('40s'));
  expect(containerOf()?.restartCount).toBe(3);
});

it('is ready only once its readiness gates are open, and keeps what others say of it', async () => {
  start();
  const spec = { readinessGates: [{ conditionType: 'example.com/lb' }] };
  const gate = (status: 'True' | 'False') => ({ type: 'example.com/lb', status });
  await bench.run(testPod({ spec }));
  await bench.until(isRunning());
  expect(conditionOf('ContainersReady')?.status).toBe('True');
  expect(conditionOf('Ready')).toMatchObject({
    status: 'False',
    reason: 'ReadinessGatesNotReady',
    message: 'corresponding condition of pod readiness gate "example.com/lb" does not exist.',
  });
  await bench.run(testPod({ spec, status: { conditions: [gate('True')] } }));
  await bench.until(() => conditionOf('Ready')?.status === 'True');
  expect(conditionOf('example.com/lb')?.status).toBe('True');
  await bench.run(testPod({ spec, status: { conditions: [gate('False')] } }));
  await bench.until(() => conditionOf('Ready')?.status === 'False');
});

it('takes a deadline that is set or shortened while it runs', async () => {
  start();
  await bench.run(testPod());
  await bench.until(isRunning());
  await bench.run(testPod({ spec: { activeDeadlineSeconds: 60 } }));
  await bench.run(testPod({ spec: { activeDeadlineSeconds: 20 } }));
  const startedAtMs = bench.clock.now();
  await bench.until(() => bench.status().phase === 'Failed');
  expect(bench.status().reason).toBe('DeadlineExceeded');
  expect(bench.clock.now() - startedAtMs).toBeLessThan(22_000);
});

it('shows changed labels and annotations in downward API files', async () => {
  start();
  const items = [
    { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
    { path: 'note', fieldRef: { fieldPath: "metadata.annotations['note']" } },
  ];
  const spec = { volumes: [{ name: 'info', downwardAPI: { items } }] };
  const pod = (colour: string, note: string) =>
    testPod({ spec, metadata: { labels: { colour }, annotations: { note } } });
  await bench.run(pod('red', 'one'));
  await bench.until(isRunning());
  const file = (name: string) =>
    readFile(join(directory, 'run/pods/uid-1/files/info', name), 'utf8');
  expect(await file('labels')).toBe('colour="red"');
  await bench.run(pod('blue', 'two'));
  await bench.clock.advance(1_000);
  expect(await file('labels')).toBe('colour="blue"');
  expect(await file('note')).toBe('two');
  expect(containerOf()?.restartCount).toBe(0);
});

it('tells how one container ended while another takes its grace', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const ignoresSigterm = (spec: { readonly process: { readonly args: readonly string[] } }) =>
    spec.process.args.includes('sleep 200000');
  start({ clock, runtime: new FakeContainerRuntime({ clock, ignoresSigterm }) });
  const slow = testContainer({ name: 'slow', command: ['sh', '-c', 'sleep 200000'] });
  const spec = { containers: [testContainer(), slow] };
  await bench.run(testPod({ spec }));
  await bench.until(() => isRunning()() && containerOf('slow')?.state?.running !== undefined);
  const deletionTimestamp = '2026-01-01T00:00:00Z';
  await bench.run(
    testPod({ spec, metadata: { deletionTimestamp, deletionGracePeriodSeconds: 30 } }),
  );
  await bench.until(() => containerOf()?.state?.terminated !== undefined, 5_000);
  expect(containerOf('slow')?.state?.running).toBeDefined();
  await bench.until(() => bench.isTerminated());
});

it('gives a pod another life when the server takes it away and gives it back', async () => {
  start();
  await bench.run(testPod());
  await bench.until(isRunning());
  const first = containerOf()?.containerID;
  bench.manager.sync(new Map());
  await bench.run(testPod());
  await bench.until(() => isRunning()() && containerOf()?.containerID !== first);
});

it('lets pods that ran before in first, and new ones beside them only', async () => {
  const admitted: string[] = [];
  start({
    admit: ({ metadata: { name } }) => {
      const beside = bench.manager.active().map((pod) => pod.metadata.name);
      admitted.push(`${name} beside ${beside.join(',')}`);
      return undefined;
    },
  });
  const fresh = testPod({ metadata: { name: 'fresh', uid: 'uid-2' } });
  const known = testPod({ status: { startTime: '2026-01-01T00:00:00Z' } });
  await bench.run(fresh, known);
  expect(admitted).toEqual(['fresh beside web']);
});

it('leaves nothing of a pod that was half removed when the agent died', async () => {
  start();
  await bench.run();
  bench.images.pin('sha256:left', 'uid-9');
  await bench.network.attach({ sandboxId: 'uid-9', netnsPath: '/gone' });
  const stop = new AbortController();
  const house = bench.manager.keepHouse(() => true, stop.signal);
  await bench.until(() => bench.images.pinOwners().length === 0);
  expect(bench.network.attachments()).toEqual([]);
  stop.abort();
  await house;
});

it('leads the host ports of a pod to it, before it starts and until it is gone', async () => {
  start();
  const ports = [
    { containerPort: 80, hostPort: 8080, protocol: 'TCP' },
    { containerPort: 53, hostPort: 5353, protocol: 'UDP', hostIP: '192.0.2.1' },
    { containerPort: 81 },
  ];
  const spec = { containers: [testContainer({ ports })] };
  bench.network.nextHostPortsError = new Error('nft is not installed');
  await bench.run(testPod({ spec }));
  await bench.until(() => bench.events().some((text) => text.includes('nft is not installed')));
  expect(bench.events()).toContain(
    'FailedCreatePodSandBox: Failed to create pod sandbox: nft is not installed',
  );
  expect(bench.runtime.calls.some((call) => call.startsWith('createContainer'))).toBe(false);
  await bench.until(isRunning('web:1'));
  const common = { podIp: '10.42.0.2' };
  expect(bench.network.hostPorts).toEqual([
    { ...common, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080, podPort: 80 },
    { ...common, protocol: 'udp', hostIp: '192.0.2.1', hostPort: 5353, podPort: 53 },
  ]);
  await bench.run();
  await bench.until(() => bench.network.hostPorts.length === 0);
});

it('leads no port to a pod on the network of the host', async () => {
  start();
  const ports = [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }];
  await bench.run(testPod({ spec: { hostNetwork: true, containers: [testContainer({ ports })] } }));
  await bench.until(isRunning('web:1'));
  expect(bench.network.hostPorts).toEqual([]);
});

describe('a container that is added to a running pod', () => {
  const added = (more: object = {}) => [
    { name: 'debug', image: 'web:1', command: ['sleep', '1000'], ...more },
  ];
  const statusOf = () => bench.status().ephemeralContainerStatuses?.[0];

  it('runs once, beside the container that it looks into, and changes nothing else', async () => {
    start();
    await bench.run(testPod());
    await bench.until(isRunning());
    const ready = conditionOf('Ready');
    await bench.run(
      testPod({ spec: { ephemeralContainers: added({ targetContainerName: 'web' }) } }),
    );
    await bench.until(() => statusOf()?.state?.running !== undefined);
    const [main, debug] = bench.runtime.containers();
    expect(bench.runtime.specOf(debug!.id).processesOf).toBe(main!.id);
    expect(bench.events()).toContain('Started: Started container debug');
    await bench.runtime.exitContainer(debug!.id, 3);
    await bench.until(() => statusOf()?.state?.terminated?.exitCode === 3);
    const laterMs = bench.clock.now() + 15_000;
    await bench.until(() => bench.clock.now() >= laterMs);
    expect(statusOf()).toMatchObject({ name: 'debug', ready: false, restartCount: 0 });
    expect(statusOf()).not.toHaveProperty('started');
    expect(bench.status()).toMatchObject({ phase: 'Running' });
    expect(conditionOf('Ready')).toEqual(ready);
    expect(containerOf()).toMatchObject({ restartCount: 0, ready: true });
  });

  it('waits for the container that it is to look into, and says so', async () => {
    start();
    const containers = [testContainer(), testContainer({ name: 'other' })];
    await bench.run(testPod({ spec: { restartPolicy: 'Never', containers } }));
    await bench.until(isRunning());
    await bench.until(() => containerOf('other')?.state?.running !== undefined);
    const [main] = bench.runtime.containers();
    await bench.runtime.exitContainer(main!.id, 0);
    await bench.until(() => containerOf()?.state?.terminated !== undefined);
    const spec = { containers, ephemeralContainers: added({ targetContainerName: 'web' }) };
    await bench.run(testPod({ spec: { ...spec, restartPolicy: 'Never' } }));
    await bench.until(() => statusOf()?.state?.waiting?.reason === 'CreateContainerConfigError');
    expect(statusOf()?.state?.waiting?.message).toBe('target container "web" is not running');
  });

  it('ends with the pod', async () => {
    start();
    await bench.run(testPod({ spec: { ephemeralContainers: added() } }));
    await bench.until(() => statusOf()?.state?.running !== undefined);
    await bench.run();
    await bench.until(() => bench.runtime.containers().length === 0);
  });
});
