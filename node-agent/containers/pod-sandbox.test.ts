import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { POD_KIND } from '../../api/kinds/pod';
import type { PodSpec, RuntimeClass } from '../../api/types';
import type { SandboxSpec } from '../../runtime/container-runtime';
import { ensureSandbox } from './pod-sandbox';
import { createPodBench, testPod, type PodBench } from '../pods/testing';

let directory: string;
let bench: PodBench;
const classes = new Map<string, RuntimeClass>();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sandbox-'));
  bench = createPodBench({ directory, runtimeClass: (name) => classes.get(name) });
});

afterEach(async () => {
  classes.clear();
  await bench.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** What the runtime is asked for, and the address that the pod gets. */
const sandboxOf = async (spec: Partial<PodSpec>) => {
  const asked: SandboxSpec[] = [];
  const { runtime } = bench;
  const create = runtime.createSandbox.bind(runtime);
  runtime.createSandbox = (sandbox) => {
    asked.push(sandbox);
    return create(sandbox);
  };
  const { podIps } = await ensureSandbox(
    bench.deps,
    testPod({ spec }),
    new AbortController().signal,
  );
  return { ...asked[0], podIps };
};

it('gives a pod namespaces, a name and an address of its own', async () => {
  expect(await sandboxOf({ hostname: 'h' })).toMatchObject({
    hostname: 'h',
    hostNetwork: false,
    hostIpc: false,
    sysctls: {},
    podIps: [expect.stringMatching(/^10\.42\.0\./)],
  });
});

it('calls the host by its full name where it is asked to, unless the kernel takes none so long', async () => {
  const spec = { hostname: 'db-0', subdomain: 'db', setHostnameAsFQDN: true };
  expect(await sandboxOf(spec)).toMatchObject({ hostname: 'db-0.db.default.svc.cluster.local' });
  const nameless = { hostname: 'db-0', setHostnameAsFQDN: true };
  expect(await sandboxOf(nameless)).toMatchObject({ hostname: 'db-0' });
  await expect(sandboxOf({ ...spec, hostname: 'h'.repeat(40) })).rejects.toThrow(
    'is too long (64 characters is the max, 69 characters requested)',
  );
});

it('gives a pod the namespaces of its node, and kernel parameters, where it asks for them', async () => {
  const sysctls = [{ name: 'kernel.shm_rmid_forced', value: '1' }];
  expect(
    await sandboxOf({ hostNetwork: true, hostIPC: true, securityContext: { sysctls } }),
  ).toMatchObject({
    hostname: 'n1',
    hostNetwork: true,
    hostIpc: true,
    sysctls: { 'kernel.shm_rmid_forced': '1' },
    podIps: ['192.0.2.1'],
  });
});

const define = (name: string, handler: string) => {
  const kind = { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass' };
  classes.set(name, { ...kind, metadata: { name }, handler });
};

it('makes none for a class whose runtime the node has not', async () => {
  define('boxed', 'kata');
  await expect(sandboxOf({ runtimeClassName: 'boxed' })).rejects.toThrow(
    'failed to get sandbox runtime: no runtime for "kata" is configured; ' + 'this node has "dhow"',
  );
  await expect(sandboxOf({ runtimeClassName: 'gone' })).rejects.toThrow(
    'runtimeclass.node.k8s.io "gone" not found',
  );
  expect(bench.runtime.sandboxes()).toEqual([]);
});

it('keeps the one that there is when its class has gone', async () => {
  define('own', 'dhow');
  const { podIps } = await sandboxOf({ runtimeClassName: 'own' });
  classes.clear();
  expect((await sandboxOf({ runtimeClassName: 'own' })).podIps).toEqual(podIps);
});

it('is made once the class is known', async () => {
  await bench.run(testPod({ spec: { runtimeClassName: 'own' } }));
  await bench.until(() => bench.events().length > 0);
  expect(bench.events()[0]).toBe(
    'FailedCreatePodSandBox: Failed to create pod sandbox: runtimeclass.node.k8s.io "own" not found',
  );
  define('own', 'dhow');
  bench.manager.objectsChanged();
  await bench.until(() => bench.status().phase === 'Running');
});

it('puts a pod into the cgroup of its class of service', async () => {
  expect(await sandboxOf({})).toMatchObject({ group: 'besteffort' });
  expect(bench.runtime.groups.get('besteffort')).toEqual({ cpuShares: 2 });
  expect(bench.runtime.groups.get('')).toEqual({ cpuShares: 2048, memoryLimitBytes: 2 ** 31 });
});

it('calls the host by the name that overrides all others', async () => {
  const spec = { hostname: 'db-0', subdomain: 'db' };
  const named = (hostnameOverride: string): object => ({ ...spec, hostnameOverride });
  expect(await sandboxOf(named('legacy.example.com'))).toMatchObject({
    hostname: 'legacy.example.com',
  });
  expect(await sandboxOf(named(''))).toMatchObject({ hostname: 'db-0' });
  const problemsOf = (more: object) =>
    POD_KIND.rules.validateCreate(testPod({ spec: { ...named('h.'.repeat(33)), ...more } }));
  const fields = problemsOf({ hostNetwork: true, setHostnameAsFQDN: true }).filter(
    ({ field }) => field === 'spec.hostnameOverride',
  );
  expect(fields.map(({ type }) => type)).toEqual([
    ...['FieldValueInvalid', 'FieldValueTooLong', 'FieldValueForbidden', 'FieldValueForbidden'],
  ]);
});

const INGRESS = 'kubernetes.io/ingress-bandwidth';
const limited = (value: string) => testPod({ metadata: { annotations: { [INGRESS]: value } } });
const { signal } = new AbortController();

it('limits the bandwidth of a pod as its annotations said when it came', async () => {
  const attach = jest.spyOn(bench.network, 'attach');
  for (const value of ['10M', '20M', 'fast'])
    await ensureSandbox(bench.deps, limited(value), signal);
  expect(attach.mock.calls.map(([{ limits }]) => limits)).toEqual(
    Array(3).fill({ ingressBitsPerSecond: 10_000_000 }),
  );
});

it('makes none for a pod whose bandwidth cannot be read, unless it is not to be limited', async () => {
  await expect(ensureSandbox(bench.deps, limited('1'), signal)).rejects.toThrow(
    'failed to get bandwidth info from annotations: resource is unreasonably small (< 1kbit)',
  );
  expect(bench.runtime.sandboxes()).toEqual([]);
  const { spec, metadata } = limited('1');
  await ensureSandbox(
    bench.deps,
    testPod({ metadata, spec: { ...spec, hostNetwork: true } }),
    signal,
  );
});

it('says where the kernel cannot speak what the pod has ports of, and starts it all the same', async () => {
  let speaksSctp = false;
  bench = createPodBench({ directory, speaksSctp: () => speaksSctp });
  const [container] = testPod().spec.containers;
  const withPort = (protocol: string) => ({
    containers: [{ ...container!, ports: [{ containerPort: 36412, protocol }] }],
  });
  const told = async (protocol: string) => {
    const before = bench.events().length;
    const pod = testPod({
      metadata: { uid: `uid-${protocol}-${speaksSctp}` },
      spec: withPort(protocol),
    });
    await ensureSandbox(bench.deps, pod, new AbortController().signal);
    return bench.events().slice(before);
  };
  expect(await told('SCTP')).toEqual([
    'SCTPNotSupported: The kernel of the node does not speak SCTP, which the pod has ports of: its sockets cannot be opened',
  ]);
  expect(await told('TCP')).toEqual([]);
  speaksSctp = true;
  expect(await told('SCTP')).toEqual([]);
});
