import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { silentLog, type Log } from '../lib/log';
import type { ContainerRuntime, ContainerSpec } from '../runtime/container-runtime';
import { createContainerRuntime, destroyEverything } from '../runtime/containers';
import type { BenchResult } from './result';
import { makeRootfs, ociConfig, runRunc } from './support/runc';

/**
 * Containers that run `true`, against `runc run`, and the memory of what watches a container, against
 * conmon. Both sides with state on tmpfs, the same root file system and the same cgroup above them;
 * ours with an overlay, a seccomp filter, a log and an exit file on top, and, in the figures per pod,
 * a fresh sandbox for each. One by one and in turns, so that noise hits both.
 */
export const bench = async (log: Log = silentLog): Promise<BenchResult[]> => {
  const missing = ['/usr/sbin/runc', '/usr/bin/conmon', '/bin/busybox', CPUACCT].find(
    (path) => !existsSync(path),
  );
  if (missing !== undefined) {
    log.warn({ missing }, 'container bench skipped');
    return [];
  }
  const host = await openHost();
  try {
    return [...(await measureRuns(host)), ...(await measureMemory(host))];
  } finally {
    await host.close();
  }
};

interface Host {
  readonly dir: string;
  readonly group: string;
  readonly runtime: ContainerRuntime;
  readonly bundle: string;
  close(): Promise<void>;
}

const measureRuns = async (host: Host): Promise<BenchResult[]> => {
  const samples = { pod: new Sample(), container: new Sample(), runc: new Sample() };
  await host.runtime.createSandbox(sandboxNamed('warm'));
  await warmUp(host);
  for (let i = 0; i < RUNS; i++) {
    await samples.container.take(host, () => runContainer(host, 'warm', `c-${i}`));
    await samples.pod.take(host, async () => {
      await host.runtime.createSandbox(sandboxNamed(`p-${i}`));
      await runContainer(host, `p-${i}`, `pc-${i}`);
      await host.runtime.removeSandbox(`p-${i}`);
    });
    await samples.runc.take(host, () =>
      runRunc(join(host.dir, 'runc'), host.bundle, `dhow-bench-${i}`),
    );
  }
  const compare = (ours: Sample, what: string): BenchResult[] => [
    result(`${what} p50`, ours.p50Ms(), 'runc', samples.runc.p50Ms(), 'ms'),
    result(`${what} CPU`, ours.cpuMs(), 'runc', samples.runc.cpuMs(), 'ms'),
  ];
  return [
    ...compare(samples.container, 'create→exec→exit→remove'),
    ...compare(samples.pod, 'the same with a sandbox each'),
  ];
};

/** An agent runs for weeks: its code is compiled long before most of its containers start. */
const warmUp = async (host: Host): Promise<void> => {
  for (let i = 0; i < WARM_UP; i++) await runContainer(host, 'warm', `w-${i}`);
  for (let i = 0; i < WARM_UP_PEER; i++)
    await runRunc(join(host.dir, 'runc'), host.bundle, `dhow-bench-w-${i}`);
};

/** Wall and CPU time of everything in the bench's cgroup, processes of containers included. */
class Sample {
  private readonly wallMs: number[] = [];
  private cpuNanos = 0;

  async take(host: Host, work: () => Promise<void>): Promise<void> {
    const cpuBefore = cpuNanosOf(host);
    const before = performance.now();
    await work();
    this.wallMs.push(performance.now() - before);
    this.cpuNanos += cpuNanosOf(host) - cpuBefore;
  }

  p50Ms(): number {
    return [...this.wallMs].sort((a, b) => a - b)[this.wallMs.length >> 1] ?? NaN;
  }

  cpuMs(): number {
    return this.cpuNanos / 1e6 / this.wallMs.length;
  }
}

const runContainer = async ({ runtime, dir }: Host, sandboxId: string, id: string) => {
  await runtime.createContainer(specOf(dir, sandboxId, id, ['/bin/true']));
  const done = new AbortController();
  const events = runtime.events(done.signal);
  const state = await runtime.startContainer(id);
  if (state.status !== 'exited') {
    for await (const event of events) {
      if (event.type === 'exit' && event.containerId === id) break;
    }
  }
  done.abort();
  await runtime.removeContainer(id);
};

const measureMemory = async (host: Host): Promise<BenchResult[]> => {
  const { runtime, dir } = host;
  for (let i = 0; i < IDLE; i++) {
    await runtime.createContainer(specOf(dir, 'warm', `idle-${i}`, ['/bin/sleep', '1000']));
    await runtime.startContainer(`idle-${i}`);
  }
  const ours = mean(processesNamed('dhow-monitor', join(dir, 'run')).map(pssKiB));
  const conmons = startConmons(host);
  const peer = mean(conmons.map(pssKiB));
  for (let i = 0; i < IDLE; i++) {
    execFileSync('/usr/sbin/runc', ['--root', join(dir, 'runc'), 'delete', '-f', `idle-${i}`]);
  }
  return [result('memory of a monitor (Pss)', ours, 'conmon', peer, 'KiB')];
};

/** As a CRI runtime starts it: conmon creates by runc, then the container is started. */
const startConmons = ({ dir, bundle }: Host): number[] => {
  const idle = `${bundle}-idle`;
  mkdirSync(idle);
  const wrapper = join(dir, 'runc-here');
  const script = `#!/bin/sh\nexec /usr/sbin/runc --root ${dir}/runc "$@"\n`;
  writeFileSync(wrapper, script, { mode: 0o755 });
  writeFileSync(join(idle, 'config.json'), ociConfig(join(dir, 'rootfs'), ['/bin/sleep', '1000']));
  return Array.from({ length: IDLE }, (_, i) => {
    const pidFile = join(dir, `conmon-${i}.pid`);
    mkdirSync(join(dir, 'attach'), { recursive: true });
    const files = [
      '--socket-dir-path',
      join(dir, 'attach'),
      '-p',
      join(dir, `c-${i}.pid`),
      '-P',
      pidFile,
      '-l',
      `k8s-file:${dir}/c-${i}.log`,
    ];
    execFileSync(
      '/usr/bin/conmon',
      ['-c', `idle-${i}`, '-u', `idle-${i}`, '-b', idle, '-r', wrapper, ...files],
      { stdio: 'ignore' },
    );
    // It returns before runc has created the container.
    for (let tries = 0; tries < 200 && !isCreated(dir, `idle-${i}`); tries++) {
      execFileSync('sleep', ['0.02']);
    }
    execFileSync(wrapper, ['start', `idle-${i}`]);
    return Number(readFileSync(pidFile, 'utf8'));
  });
};

const isCreated = (dir: string, id: string): boolean => {
  try {
    const args = ['--root', join(dir, 'runc'), 'state', id];
    const state = execFileSync('/usr/sbin/runc', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    return state.toString().includes('"status": "created"');
  } catch {
    return false;
  }
};

const openHost = async (): Promise<Host> => {
  const dir = mkdtempSync('/dev/shm/bench-');
  const group = `dhow-bench-${dir.slice(-6)}`;
  const rootfs = join(dir, 'rootfs');
  makeRootfs(rootfs);
  const bundle = join(dir, 'bundle');
  mkdirSync(bundle);
  writeFileSync(join(bundle, 'config.json'), ociConfig(rootfs, ['/bin/true'], group));
  execFileSync('make', ['-s', '-C', join(__dirname, '../runtime/launcher'), `OUT=${dir}`]);
  mkdirSync(join(CPUACCT, group));
  writeFileSync(join(CPUACCT, group, 'cgroup.procs'), String(process.pid));
  const runDir = join(dir, 'run');
  const runtime = await createContainerRuntime({
    runDir,
    stateDir: join(dir, 'state'),
    cgroupParent: `${group}/ours`,
    launcherPath: join(dir, 'dhow-launcher'),
  });
  const close = async () => {
    await runtime[Symbol.asyncDispose]();
    await destroyEverything(runDir, `${group}/ours`);
    writeFileSync(join(CPUACCT, 'cgroup.procs'), String(process.pid));
    rmSync(dir, { recursive: true, force: true });
    removeGroups(group);
  };
  return { dir, group, runtime, bundle, close };
};

const removeGroups = (group: string): void => {
  for (const controller of readdirSync('/sys/fs/cgroup')) {
    try {
      rmdirSync(join('/sys/fs/cgroup', controller, group));
    } catch {
      // Not made for this controller.
    }
  }
};

const specOf = (
  dir: string,
  sandboxId: string,
  id: string,
  args: readonly string[],
): ContainerSpec => ({
  id,
  sandboxId,
  labels: {},
  rootfs: { lowerDirs: [join(dir, 'rootfs')], isReadOnly: false },
  process: {
    args,
    env: ['PATH=/bin'],
    cwd: '/',
    user: { uid: 0, gid: 0, supplementalGids: [] },
  },
  mounts: [],
  resources: { memoryLimitBytes: 64 << 20, cpuShares: 512, pidsLimit: 100 },
  security: {
    privileged: false,
    capabilities: ['CHOWN', 'KILL'],
    noNewPrivileges: true,
    seccomp: { type: 'default' },
    procMount: 'Default',
  },
  logPath: join(dir, 'logs', id),
  stdin: false,
  tty: false,
  hostPid: false,
});

const sandboxNamed = (id: string) => ({
  id,
  hostname: id,
  labels: {},
  hostNetwork: false,
  hostIpc: false,
  sysctls: {},
  cgroup: {},
});

const processesNamed = (name: string, runDir: string): number[] =>
  readdirSync('/proc').flatMap((pid) => {
    try {
      const isOurs = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${runDir}\0`);
      const comm = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
      return isOurs && comm === name ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });

const pssKiB = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);

const cpuNanosOf = ({ group }: Host): number =>
  Number(readFileSync(join(CPUACCT, group, 'cpuacct.usage'), 'utf8'));

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

const result = (
  metric: string,
  ours: number,
  peer: string,
  peerValue: number,
  unit: string,
): BenchResult => ({
  bench: 'container',
  metric,
  ours,
  peer,
  peerValue,
  ratio: peerValue / ours,
  unit,
});

const CPUACCT = '/sys/fs/cgroup/cpuacct';
const RUNS = 100;
const WARM_UP = 100;
const WARM_UP_PEER = 10;
const IDLE = 10;
