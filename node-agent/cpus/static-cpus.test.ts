import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Pod } from '../../api/types';
import { silentLog } from '../../lib/log';
import { ManualClock } from '../../lib/clock';
import { FakeContainerRuntime } from '../../runtime/containers';
import { createPodBench, testContainer, testPod, type PodBench } from '../pods/testing';
import { roomOnNode } from '../pods/room-on-node';
import { parseAgentConfig } from '../config';
import { NO_DEVICES } from '../devices/device-manager';
import { createCpuManager } from './node-cpus';
import type { CpuManager } from './pod-cpus';
import { machine } from './testing';

const resources = (cpu: string) => {
  const amounts = { cpu, memory: '1Mi' };
  return { requests: amounts, limits: amounts };
};
const podOf = (uid: string, cpu?: string, spec: Partial<Pod['spec']> = {}): Pod =>
  testPod({
    metadata: { name: uid, uid },
    spec: {
      containers: [testContainer(cpu === undefined ? {} : { resources: resources(cpu) })],
      ...spec,
    },
  });

describe('processors of containers', () => {
  let directory: string;
  let runtime: FakeContainerRuntime;
  let clock: ManualClock;
  let bench: PodBench;
  let cpus: CpuManager;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'dhow-cpus-'));
    clock = new ManualClock(Date.UTC(2026, 0, 1));
    runtime = new FakeContainerRuntime({ clock });
  });
  afterEach(async () => {
    await bench.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const start = (settings: object = {}, topology = machine(1, 4, 1)) => {
    const config = parseAgentConfig({
      ...{ server: 's', launcherPath: '/l', stateDir: directory },
      ...{ cpuManagerPolicy: 'static', systemReserved: { cpu: '500m' } },
      ...settings,
    });
    const room = () =>
      roomOnNode({
        active: () => bench.manager.active(),
        allocatable: () => ({}),
        node: () => undefined,
        closed: () => undefined,
        cpus,
        devices: NO_DEVICES,
      });
    bench = createPodBench({
      ...{ directory, runtime, clock },
      admit: (pod) => room().admit(pod),
      cpus: (deps) => (cpus = createCpuManager({ ...deps, config, topology, log: silentLog })),
    });
  };
  const restart = async (settings?: object, topology?: Parameters<typeof start>[1]) => {
    await bench.stop();
    start(settings, topology);
  };
  const runs = (uid: string) =>
    runtime.containers(uid).filter(({ status }) => status === 'running');
  const cpusOf = (uid: string) => runs(uid).map(({ id }) => runtime.resourcesOf(id).cpus)[0];
  const running = async (...pods: readonly Pod[]) => {
    await bench.run(...pods);
    await bench.until(() => pods.every(({ metadata: { uid = '' } }) => runs(uid).length === 1));
  };

  it('are its own, without a quota, and the others make room at once', async () => {
    start();
    await running(podOf('shares'));
    expect(cpusOf('shares')).toBe('0-3');
    await running(podOf('shares'), podOf('own', '2'));
    expect(cpusOf('own')).toBe('1-2');
    expect(cpusOf('shares')).toBe('0,3');
    const [own] = runs('own');
    expect(runtime.resourcesOf(own?.id ?? '').cpuQuotaMicros).toBeUndefined();
    expect(runtime.sandboxResources.get('own')?.cpuQuotaMicros).toBeUndefined();
    await bench.run(podOf('shares'));
    await bench.until(() => cpusOf('shares') === '0-3');
  });

  it('are refused when there are not so many, and that leaves nothing behind', async () => {
    start();
    await running(podOf('own', '2'));
    await bench.run(podOf('own', '2'), podOf('late', '2'));
    await bench.until(() => bench.status('late').phase === 'Failed');
    expect(bench.status('late')).toMatchObject({
      reason: 'UnexpectedAdmissionError',
      message:
        'Pod was rejected: Allocate failed due to not enough cpus available to satisfy request: ' +
        'requested=2, available=1, which is unexpected',
    });
    expect(cpus.podUids()).toEqual(['own']);
  });

  it('go from a pod that has ended to one that was sent into its room', async () => {
    start();
    const once = podOf('once', '3', { restartPolicy: 'Never' });
    await running(once);
    const [run] = runs('once');
    await runtime.exitContainer(run?.id ?? '', 0);
    await bench.until(() => bench.status('once').phase === 'Succeeded');
    await running(podOf('next', '3'));
    expect(cpusOf('next')).toBe('1-3');
  });

  it('stay the same over restarts of container and agent', async () => {
    start();
    const pods = [podOf('a', '1'), podOf('b', '2'), podOf('c')];
    for (let count = 1; count <= pods.length; count++) await running(...pods.slice(0, count));
    const [run] = runs('b');
    await runtime.exitContainer(run?.id ?? '', 1);
    await bench.until(() => runs('b').length === 1 && runs('b')[0]?.id !== run?.id);
    expect(['a', 'b', 'c'].map(cpusOf)).toEqual(['1', '2-3', '0']);
    await restart();
    // Told of in any order: whoever has them keeps them.
    await running(...pods.toReversed(), podOf('d'));
    expect(['a', 'b', 'c', 'd'].map(cpusOf)).toEqual(['1', '2-3', '0', '0']);
  });

  it('are taken again by a pod that an agent noted and never started', async () => {
    start();
    cpus.take(podOf('own', '2'));
    await restart();
    await running(podOf('own', '2'));
    expect(cpusOf('own')).toBe('1-2');
    expect(cpus.podUids()).toEqual(['own']);
  });

  it('are free again when the pod went while no agent was there', async () => {
    start();
    await running(podOf('gone', '2'), podOf('stays'));
    await bench.stop();
    await runtime.removeSandbox('gone');
    start();
    await running(podOf('stays'));
    expect(cpusOf('stays')).toBe('0,3');
    const stop = new AbortController();
    const house = bench.manager.keepHouse(() => true, stop.signal);
    await bench.until(() => cpusOf('stays') === '0-3');
    stop.abort();
    await house;
  });

  it('are given anew where the machine has others, or the file is damaged', async () => {
    start();
    await running(podOf('own', '2'), podOf('shares'));
    writeFileSync(join(directory, 'cpu_manager_state'), '{"own":');
    await restart();
    await running(podOf('own', '2'), podOf('shares'));
    expect(['own', 'shares'].map(cpusOf)).toEqual(['1-2', '0,3']);
    await restart({ reservedCpus: '1', systemReserved: {} });
    await running(podOf('own', '2'), podOf('shares'));
    await bench.until(() => cpusOf('own') === '0,2');
    expect(cpusOf('shares')).toBe('1,3');
  });

  it('are anybody’s again under the other policy', async () => {
    start();
    await running(podOf('own', '2'), podOf('shares'));
    await restart({ cpuManagerPolicy: 'none' });
    await running(podOf('own', '2'), podOf('shares'), podOf('new', '4'));
    expect(['own', 'shares', 'new'].map(cpusOf)).toEqual(['0-3', '0-3', undefined]);
    await restart();
    await running(podOf('own', '2'), podOf('shares'));
    expect(['own', 'shares'].map(cpusOf)).toEqual(['1-2', '0,3']);
  });

  it('are tried again when the kernel refuses', async () => {
    start();
    await running(podOf('shares'));
    runtime.failNext('updateResources', new Error('EBUSY'));
    await running(podOf('shares'), podOf('own', '1'));
    expect(cpusOf('shares')).toBe('0-3');
    cpus.update();
    await bench.until(() => cpusOf('shares') === '0,2-3');
  });

  it('keep guaranteed pods from being resized', () => {
    start();
    expect(cpus.refuseResize(podOf('own', '1500m'))).toMatchObject({ reason: 'Infeasible' });
    expect(cpus.refuseResize(podOf('shares'))).toBeUndefined();
  });
});

describe('settings of the policy', () => {
  const base = { server: 's', launcherPath: '/l' };
  const manager = (settings: object, topology = machine(1, 2, 1)) =>
    createCpuManager({
      config: parseAgentConfig({ ...base, stateDir: '/nonexistent', ...settings }),
      runtime: new FakeContainerRuntime(),
      topology,
      hasGivenUp: () => false,
      log: silentLog,
    });
  const isStatic = { cpuManagerPolicy: 'static' };

  it.each([
    [{ cpuManagerPolicy: 'dynamic' }, 'cpuManagerPolicy: unknown policy: "dynamic"'],
    [{ reservedCpus: 'x' }, 'unable to parse the CPUs to reserve'],
    [isStatic, 'the static policy requires systemreserved.cpu + kubereserved.cpu'],
    [{ ...isStatic, reservedCpus: '7' }, 'reserved cpus "7" are not all among the available "0-1"'],
    [
      { ...isStatic, kubeReserved: { cpu: '3' } },
      'unable to reserve the required amount of CPUs (size of 0-1 did not equal 3)',
    ],
  ])('refuse %j', (settings, message) => {
    expect(() => manager(settings)).toThrow(message);
  });

  it('count named processors instead of amounts', () => {
    const { systemReserved, kubeReserved } = parseAgentConfig({
      ...base,
      reservedCpus: '0,3-4',
      systemReserved: { cpu: '1', memory: '1Gi' },
      kubeReserved: { cpu: '1' },
    });
    expect(systemReserved).toEqual({ cpu: '3', memory: '1Gi' });
    expect(kubeReserved).toEqual({});
  });
});
