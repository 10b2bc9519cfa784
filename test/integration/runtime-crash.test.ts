import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ContainerRuntime } from '../../runtime/container-runtime';
import { createContainerRuntime, destroyEverything } from '../../runtime/containers';
import { launcherProcesses } from '../../runtime/containers/monitor-process';
import {
  collect,
  containerSpec,
  execSpec,
  exitOf,
  readLog,
  sandboxSpec,
  waitForExit,
} from '../../runtime/containers/runtime-suite';
import {
  openRuntimeHost,
  processesNamed,
  processName,
  type RuntimeHost,
  until,
} from './runtime-host';

const parentOf = (pid: number): number =>
  Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

const launcherOf = (host: RuntimeHost): number => processesNamed(host, 'dhow-launcher')[0]!;

const processNames = (host: RuntimeHost): readonly string[] =>
  launcherProcesses(host.runDir).map(processName).sort();

/** Names of the cgroups below that of the sandbox. */
const cgroupsOf = (host: RuntimeHost): readonly string[] => {
  const roots = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup'];
  const folder = roots.map((root) => join(root, host.cgroupParent, 'box')).find(existsSync)!;
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? entry.name : [],
  );
};

const destroyMountsOnly = async (host: RuntimeHost): Promise<void> => {
  for (const name of ['net', 'ipc', 'uts', 'shm']) {
    execFileSync('umount', ['-l', join(host.runDir, 'sandboxes/box', name)]);
  }
};

describe('the runtime on full disks', () => {
  let disk: string;
  let host: RuntimeHost;

  beforeEach(async () => {
    disk = mkdtempSync(join(tmpdir(), 'disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'none', disk]);
    host = await openRuntimeHost({ parentDir: disk });
    await host.runtime.createSandbox(sandboxSpec('box'));
  });

  afterEach(async () => {
    await host.close();
    execFileSync('umount', [disk]);
    rmSync(disk, { recursive: true });
  });

  it('makes nothing by half, takes over what runs, and goes on once there is room', async () => {
    const start = async (runtime: ContainerRuntime, id: string, script: string) => {
      await runtime.createContainer(containerSpec(host, id, script));
      return runtime.startContainer(id);
    };
    await start(host.runtime, 'kept', 'exec sleep 1000');
    const ends = await start(
      host.runtime,
      'ends',
      'trap "exit 9" TERM; while :; do sleep 0.1; done',
    );
    if (ends.status !== 'running') throw new Error('it does not run');
    const filler = join(disk, 'filler');
    expect(() => execFileSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k'])).toThrow();
    const ids = Array.from({ length: 3 }, (_none, index) => `new-${index}`);
    for (const id of ids)
      await expect(start(host.runtime, id, 'true')).rejects.toThrow(/no space left|ENOSPC/i);
    const there = ['ends', 'kept'];
    expect(host.runtime.containers().map(({ id }) => id)).toEqual(['kept', 'ends']);
    expect(readdirSync(join(host.runDir, 'containers')).sort()).toEqual(there);
    expect(readdirSync(join(host.stateDir, 'containers')).sort()).toEqual(there);
    await host.runtime[Symbol.asyncDispose]();
    process.kill(ends.pid, 'SIGTERM');
    await until(() => processesNamed(host, 'dhow-monitor').length === 1);
    const again = await host.reopen();
    expect(again.container('kept')).toMatchObject({ status: 'running' });
    expect(exitOf(again, 'ends')).toMatchObject({ exitCode: 9 });
    expect(await collect(await again.exec('kept', execSpec('echo up')))).toMatchObject({
      stdout: 'up\n',
    });
    await again.removeContainer('kept');
    rmSync(filler);
    await start(again, 'after', 'exit 3');
    expect(await waitForExit(again, 'after')).toMatchObject({ exitCode: 3 });
  });
});

describe('the runtime after a crash', () => {
  let host: RuntimeHost;

  beforeEach(async () => {
    host = await openRuntimeHost();
    await host.runtime.createSandbox(sandboxSpec('box'));
  });

  afterEach(() => host.close());

  const start = async (runtime: ContainerRuntime, id: string, script: string) => {
    await runtime.createContainer(containerSpec(host, id, script));
    return runtime.startContainer(id);
  };

  it('finds running, created and ended containers again after kill -9 of all but the monitors', async () => {
    const gate = join(host.dir, 'gate');
    mkdirSync(gate);
    const mounts = [{ type: 'bind', source: gate, target: '/gate', isReadOnly: false }] as const;
    const wait = 'echo one; while [ ! -e /gate/go ]; do usleep 5000; done; echo two; exit 7';
    await host.runtime.createContainer(containerSpec(host, 'away', wait, { mounts }));
    await host.runtime.startContainer('away');
    const running = await start(host.runtime, 'runs', 'exec sleep 1000');
    await host.runtime.createContainer(containerSpec(host, 'waits', 'echo late; exit 2'));
    // What the end of the agent leaves: no reader, no launcher.
    await host.runtime[Symbol.asyncDispose]();
    process.kill(launcherOf(host), 'SIGKILL');
    writeFileSync(join(gate, 'go'), '');
    await until(() => existsSync(join(host.runDir, 'containers/away/exit')));

    const again = await host.reopen();
    expect(again.sandboxes()).toMatchObject([{ id: 'box', labels: { test: 'box' } }]);
    const states = Object.fromEntries(again.containers().map((state) => [state.id, state]));
    expect(states).toMatchObject({
      away: { status: 'exited', exit: { exitCode: 7, oomKilled: false } },
      runs: { status: 'running', labels: { name: 'runs' } },
      waits: { status: 'created' },
    });
    expect(states['runs']).toEqual(running);
    expect(readLog(join(host.logDir, 'away.log')).map(({ text }) => text)).toEqual(['one', 'two']);

    const output = await collect(await again.exec('runs', execSpec('echo alive')));
    expect(output.stdout).toBe('alive\n');
    await again.startContainer('waits');
    expect(await waitForExit(again, 'waits')).toMatchObject({ exitCode: 2 });
    await start(again, 'new', 'exit 4');
    expect(await waitForExit(again, 'new')).toMatchObject({ exitCode: 4 });
  });

  it('runs the launcher of its own build, beside containers of an earlier one', async () => {
    const launcher = () => processesNamed(host, 'dhow-launcher');
    await host.runtime.createContainer(containerSpec(host, 'old', 'exec sleep 1000'));
    await host.runtime.startContainer('old');
    const [before] = launcher();
    await host.runtime[Symbol.asyncDispose]();
    // Another build of the same: a byte more at its end does not change what it does.
    const build = join(host.dir, 'other-build');
    copyFileSync(host.launcherPath, build);
    appendFileSync(build, '\0');
    const later = await createContainerRuntime({ ...host, launcherPath: build });
    try {
      expect(later.container('old')).toMatchObject({ status: 'running' });
      await later.createContainer(containerSpec(host, 'new', 'exit 3'));
      await later.startContainer('new');
      expect(await waitForExit(later, 'new')).toMatchObject({ exitCode: 3 });
      expect(await collect(await later.exec('old', execSpec('exit 4')))).toMatchObject({
        exitCode: 4,
      });
      expect(launcher()).toHaveLength(1);
      expect(launcher()).not.toContain(before);
    } finally {
      await later[Symbol.asyncDispose]();
    }
    // Of the same build: it stays.
    const again = await createContainerRuntime({ ...host, launcherPath: build });
    const kept = launcher();
    await again.createContainer(containerSpec(host, 'more', 'true'));
    expect(launcher()).toEqual(kept);
    await again[Symbol.asyncDispose]();
  });

  it('ends a container whose monitor was killed, and says 137', async () => {
    const state = await start(host.runtime, 'c1', 'exec sleep 1000');
    if (state.status !== 'running') throw new Error('it does not run');
    process.kill(parentOf(state.pid), 'SIGKILL');
    expect(await waitForExit(host.runtime, 'c1')).toMatchObject({ exitCode: 137 });
    await until(() => !existsSync(`/proc/${state.pid}`));
    await host.runtime.removeContainer('c1');
  });

  it('finds out about a monitor that died while nobody looked', async () => {
    const state = await start(host.runtime, 'c1', 'exec sleep 1000');
    if (state.status !== 'running') throw new Error('it does not run');
    const monitor = parentOf(state.pid);
    await host.runtime[Symbol.asyncDispose]();
    process.kill(monitor, 'SIGKILL');
    const again = await host.reopen();
    expect(exitOf(again, 'c1')).toMatchObject({ exitCode: 137 });
    await again.removeSandbox('box');
  });

  it('leaves nothing behind when everything is destroyed without a launcher', async () => {
    const mountsOf = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(host.runDir);
    const state = await start(host.runtime, 'c1', 'exec sleep 1000');
    if (state.status !== 'running') throw new Error('it does not run');
    expect(mountsOf()).toBe(true);
    await host.runtime[Symbol.asyncDispose]();
    process.kill(launcherOf(host), 'SIGKILL');
    await destroyEverything(host.runDir, host.cgroupParent);
    await destroyEverything(host.runDir, host.cgroupParent);
    expect(mountsOf()).toBe(false);
    expect(launcherProcesses(host.runDir)).toEqual([]);
    await until(() => !existsSync(`/proc/${state.pid}`));
    expect(existsSync(host.runDir)).toBe(false);
    for (const controller of readdirSync('/sys/fs/cgroup')) {
      expect(existsSync(join('/sys/fs/cgroup', controller, host.cgroupParent))).toBe(false);
    }
  });

  it('leaves no trace of a sandbox that was removed in the ordinary way', async () => {
    await start(host.runtime, 'c1', 'exec sleep 1000');
    await host.runtime.removeSandbox('box');
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(host.runDir);
    for (const dir of ['containers', 'sandboxes', 'm']) {
      expect(readdirSync(join(host.runDir, dir))).toEqual([]);
    }
    expect(readdirSync(join(host.stateDir, 'containers'))).toEqual([]);
    expect(existsSync(join('/sys/fs/cgroup/memory', host.cgroupParent, 'box'))).toBe(false);
    // A worker of the launcher's waits for the next request; a monitor would be one too many.
    await until(() => processNames(host).join() === 'dhow-launcher,dhow-worker');
  });

  it('forgets after a reboot what no longer exists', async () => {
    await host.runtime[Symbol.asyncDispose]();
    writeFileSync(join(host.runDir, 'boot-id'), 'another');
    // As a reboot leaves it on a disk: records and layers, but no mounts.
    await destroyMountsOnly(host);
    mkdirSync(join(host.stateDir, 'containers/gone/upper'), { recursive: true });
    const again = await host.reopen();
    expect(again.sandboxes()).toEqual([]);
    expect(again.containers()).toEqual([]);
    expect(readdirSync(join(host.stateDir, 'containers'))).toEqual([]);
  });

  it('takes a damaged boot id for no reboot', async () => {
    await start(host.runtime, 'c1', 'exec sleep 1000');
    await host.runtime[Symbol.asyncDispose]();
    writeFileSync(join(host.runDir, 'boot-id'), '');
    const again = await host.reopen();
    expect(again.container('c1')).toMatchObject({ status: 'running' });
  });

  it('ends containers whose records are damaged, and takes over all others', async () => {
    const record = (id: string) => join(host.runDir, 'containers', id, 'record.json');
    const damages = ['', '{', 'null', '[]', '{"spec":null}', undefined];
    const ids = damages.map((_damage, index) => `bad-${index}`);
    for (const id of ['good', ...ids]) await start(host.runtime, id, 'exec sleep 1000');
    await host.runtime[Symbol.asyncDispose]();
    for (const [index, damage] of damages.entries())
      writeFileSync(record(ids[index]!), damage ?? readFileSync(record('good')));
    const again = await host.reopen();
    expect(again.containers()).toMatchObject([{ id: 'good', status: 'running' }]);
    await until(() => processesNamed(host, 'dhow-monitor').length === 1);
    expect(readdirSync(join(host.runDir, 'containers'))).toEqual(['good']);
    expect(readdirSync(join(host.stateDir, 'containers'))).toEqual(['good']);
    expect(cgroupsOf(host)).toEqual(['good']);
    for (const id of ids) {
      await start(again, id, 'exit 3');
      expect(await waitForExit(again, id)).toMatchObject({ exitCode: 3 });
    }
  });

  it('makes a sandbox anew whose record is damaged, with all that was in it', async () => {
    for (const damage of ['null', '{}', '{"spec":{"id":"other"}}']) {
      await start(host.runtime, 'c1', 'exec sleep 1000');
      await host.runtime[Symbol.asyncDispose]();
      writeFileSync(join(host.runDir, 'sandboxes/box/record.json'), damage);
      const again = await host.reopen();
      expect(again.sandboxes()).toEqual([]);
      await until(() => again.container('c1')?.status === 'exited');
      await again.removeContainer('c1');
      await again.createSandbox(sandboxSpec('box'));
      host = { ...host, runtime: again };
    }
  });

  it('knows that a container has ended when it cannot read how', async () => {
    await start(host.runtime, 'c1', 'exit 3');
    await waitForExit(host.runtime, 'c1');
    await host.runtime[Symbol.asyncDispose]();
    for (const damage of ['null', '{}', '{"exitCode":']) {
      writeFileSync(join(host.runDir, 'containers/c1/exit'), damage);
      const again = await host.reopen();
      await until(() => again.container('c1')?.status === 'exited');
      expect(exitOf(again, 'c1')).toMatchObject({ exitCode: 137 });
      await again[Symbol.asyncDispose]();
    }
  });

  it('has the launcher in a session of its own, out of reach of the signals to its starter', () => {
    const session = execFileSync('ps', ['-o', 'sid=', '-p', String(launcherOf(host))]);
    expect(Number(session.toString())).toBe(launcherOf(host));
  });

  it('creates and removes many at once', async () => {
    const ids = Array.from({ length: 24 }, (_, index) => `many-${index}`);
    await Promise.all(ids.map((id) => start(host.runtime, id, 'exit 1')));
    for (const id of ids) {
      expect(await waitForExit(host.runtime, id)).toMatchObject({ exitCode: 1 });
    }
    await Promise.all(ids.map((id) => host.runtime.removeContainer(id)));
    expect(host.runtime.containers()).toEqual([]);
  });
});
