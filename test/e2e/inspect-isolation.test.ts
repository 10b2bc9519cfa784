import { parseJson } from '../../lib/json';
import type { PodIsolation } from '../../api/isolation';
import { podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(240_000);

const cluster = sharedCluster('e2e-isolation', { nodes: 1 });

afterEach(() => cluster.clear());

const BUSYBOX = { image: 'dhow.local/busybox:1', imagePullPolicy: 'IfNotPresent' };
const SLEEP = ['sleep', '1000000'];

it('shows what the kernel does for a pod that asks for much, and finds it as asked', async () => {
  const strict = {
    ...BUSYBOX,
    name: 'strict',
    command: SLEEP,
    securityContext: {
      ...{ runAsUser: 1000, runAsGroup: 2000, readOnlyRootFilesystem: true },
      ...{ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    },
    resources: { limits: { cpu: '250m', memory: '48Mi' } },
    volumeMounts: [{ name: 'data', mountPath: '/data', readOnly: true }],
  };
  const volumes = [{ name: 'data', emptyDir: {} }];
  const containers = [strict, { ...BUSYBOX, name: 'plain', command: SLEEP }];
  await cluster.apply(podYaml('asking', [], {}, { containers, volumes }));
  await cluster.podIsReady('asking');
  const table = await cluster.must('inspect-isolation', 'pod/asking', '-c', 'strict');
  expect(table).toMatch(/^user +uid 1000, gid 2000 +uid 1000, gid 2000/m);
  expect(table).toMatch(/^capabilities +without ALL +none$/m);
  expect(table).toMatch(/^may gain privileges +no +no \(no_new_privs\)$/m);
  expect(table).toMatch(/^root file system +read-only +overlay, read-only$/m);
  expect(table).toMatch(/^mount \/data +volume data, read-only +\S+, read-only, private$/m);
  expect(table).toMatch(/^cpu limit +250m +250m$/m);
  expect(table).toMatch(/^memory limit +48Mi +48Mi$/m);
  expect(table).toMatch(/^namespace net +own +own \(\d+\)$/m);
  expect(table).not.toContain('container plain');
  const whole = await cluster.must('inspect-isolation', 'asking', '-o', 'json');
  const { kind, containers: shown } = parseJson(whole) as PodIsolation;
  expect([kind, shown.map(({ name }) => name)]).toEqual(['PodIsolation', ['strict', 'plain']]);
  const network = shown.map(({ namespaces }) => namespaces.find(({ type }) => type === 'net')?.id);
  expect(new Set(network).size).toBe(1);
  const path = '/api/v1/namespaces/default/pods/asking/isolation';
  expect((await cluster.kubectl('get', '--raw', path)).stdout).toContain('"PodIsolation"');
});

it('says what a privileged pod on the host gives up', async () => {
  const container = {
    ...BUSYBOX,
    name: 'open',
    command: SLEEP,
    securityContext: { privileged: true },
  };
  await cluster.apply(
    podYaml('open', [], {}, { containers: [container], hostNetwork: true, hostPID: true }),
  );
  await cluster.podIsReady('open');
  const table = await cluster.must('inspect-isolation', 'open');
  expect(table).toMatch(/^namespace net +the host's +the host's \(\d+\)$/m);
  expect(table).toMatch(/^namespace pid +the host's +the host's \(\d+\)$/m);
  expect(table).toMatch(/^capabilities +all +\d+, SYS_ADMIN among them$/m);
  expect(table).toMatch(/^system calls +- +not filtered \(disabled\)$/m);
});

it('says that nothing runs', async () => {
  const init = [{ ...BUSYBOX, name: 'first', command: ['false'] }];
  const containers = [{ ...BUSYBOX, name: 'main', command: SLEEP }];
  const more = { containers, initContainers: init, restartPolicy: 'Never' };
  await cluster.apply(podYaml('ended', [], {}, more));
  await cluster.podIs('ended', 'Failed');
  const { code, stderr } = await cluster.dhow('inspect-isolation', 'ended');
  expect([code, stderr]).toEqual([1, 'error: no container of pod ended is running\n']);
});
