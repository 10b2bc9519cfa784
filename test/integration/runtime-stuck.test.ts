import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import type { ContainerRuntime } from '../../runtime/container-runtime';
import { FrameConnection } from '../../runtime/containers/connection';
import { decodeExit, FrameType, type Frame } from '../../runtime/containers/frames';
import { listenerAt } from '../../runtime/containers/monitor-process';
import { RunFiles } from '../../runtime/containers/records';
import {
  collect,
  containerSpec,
  execSpec,
  sandboxSpec,
  waitForExit,
} from '../../runtime/containers/runtime-suite';
import { openRuntimeHost, processesNamed, type RuntimeHost, until } from './runtime-host';

/** Short, so that a test of what never ends need not wait long. */
const LIMITS = {
  requestMs: 1_000,
  createMs: 2_000,
  startMs: 1_500,
  execMs: 1_000,
  endMs: 1_000,
  adoptMs: 500,
  holdMs: 200,
};

const launcherOf = (host: RuntimeHost): number => processesNamed(host, 'dhow-launcher')[0]!;

const socketOf = ({ runDir, stateDir }: RuntimeHost, id: string): string =>
  new RunFiles(runDir, stateDir).socketPath(id);

const monitorOf = (host: RuntimeHost, id: string): number =>
  listenerAt(host.runDir, socketOf(host, id))!;

const isAnswer = ({ type }: Frame): boolean => type === FrameType.error || type === FrameType.exit;

describe('a runtime whose helpers are stuck', () => {
  let host: RuntimeHost;
  const stopped = new Set<number>();

  beforeEach(async () => {
    host = await openRuntimeHost({ limits: LIMITS });
    await host.runtime.createSandbox(sandboxSpec('box'));
  });

  afterEach(async () => {
    for (const pid of stopped) resume(pid);
    await host.close();
  });

  const stop = (pid: number) => {
    stopped.add(pid);
    process.kill(pid, 'SIGSTOP');
  };

  const resume = (pid: number) => {
    stopped.delete(pid);
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // Ended meanwhile.
    }
  };

  const start = async (runtime: ContainerRuntime, id: string, script = 'exec sleep 1000') => {
    await runtime.createContainer(containerSpec(host, id, script));
    return runtime.startContainer(id);
  };

  it('gives up a start that never ends, ends what is there, and can remove it', async () => {
    await host.runtime.createContainer(containerSpec(host, 'c1', 'exec sleep 1000'));
    const monitor = monitorOf(host, 'c1');
    stop(monitor);
    await expect(host.runtime.startContainer('c1')).rejects.toThrow('did not end within 1.5 s');
    expect(host.runtime.container('c1')?.status).toBe('exited');
    await host.runtime.removeContainer('c1');
    expect(host.runtime.container('c1')).toBeUndefined();
    await start(host.runtime, 'c2', 'exit 3');
    expect(await waitForExit(host.runtime, 'c2')).toMatchObject({ exitCode: 3 });
  });

  it('ends a start at once when its signal aborts', async () => {
    await host.runtime.createContainer(containerSpec(host, 'c1', 'exec sleep 1000'));
    stop(monitorOf(host, 'c1'));
    const gone = new AbortController();
    const starting = host.runtime.startContainer('c1', gone.signal);
    gone.abort(new Error('the pod is deleted'));
    await expect(starting).rejects.toThrow('the pod is deleted');
    await host.runtime.removeSandbox('box');
    expect(host.runtime.containers()).toEqual([]);
  });

  it('replaces a launcher that answers nobody, and harms no container by it', async () => {
    const before = await start(host.runtime, 'c1');
    const launcher = launcherOf(host);
    stop(launcher);
    // The connection that was opened beforehand may still serve one.
    const tries = await Promise.allSettled(
      ['t1', 't2', 't3'].map((id) => host.runtime.createContainer(containerSpec(host, id, 'true'))),
    );
    expect(tries.filter(({ status }) => status === 'rejected').length).toBeGreaterThanOrEqual(2);
    await start(host.runtime, 'c2', 'exit 4');
    expect(await waitForExit(host.runtime, 'c2')).toMatchObject({ exitCode: 4 });
    expect(launcherOf(host)).not.toBe(launcher);
    expect(host.runtime.container('c1')).toEqual(before);
  });

  it('kills and removes a container whose monitor is deaf', async () => {
    const state = await start(host.runtime, 'c1');
    if (state.status !== 'running') throw new Error('it does not run');
    stop(monitorOf(host, 'c1'));
    await host.runtime.kill('c1', 15);
    await host.runtime.kill('c1', 9, { all: true });
    expect(host.runtime.container('c1')).toMatchObject({
      status: 'exited',
      exit: { exitCode: 137 },
    });
    await host.runtime.removeContainer('c1');
  });

  it('does not wait for ever for an exec or an attach', async () => {
    await start(host.runtime, 'c1');
    stop(monitorOf(host, 'c1'));
    await expect(host.runtime.exec('c1', execSpec('true'))).rejects.toThrow('did not end within');
    await expect(host.runtime.attach('c1', { endsStdin: false })).rejects.toThrow(
      'did not end within',
    );
  });

  it('takes over all others when one monitor is stopped, and that one once it goes on', async () => {
    const states = [await start(host.runtime, 'c1'), await start(host.runtime, 'c2')];
    await start(host.runtime, 'c3', 'exit 5');
    await waitForExit(host.runtime, 'c3');
    const monitor = monitorOf(host, 'c1');
    await host.runtime[Symbol.asyncDispose]();
    stop(monitor);
    const again = await host.reopen();
    // Nothing says that it ended, so it is not taken for that.
    expect(again.container('c1')?.status).toBe('running');
    expect(again.container('c2')).toEqual(states[1]);
    expect(again.container('c3')).toMatchObject({ status: 'exited', exit: { exitCode: 5 } });
    await start(again, 'c4', 'exit 6');
    expect(await waitForExit(again, 'c4')).toMatchObject({ exitCode: 6 });
    resume(monitor);
    await until(() => JSON.stringify(again.container('c1')) === JSON.stringify(states[0]));
    expect((await collect(await again.exec('c1', execSpec('echo hi')))).stdout).toBe('hi\n');
  });

  it('learns the real end of a container whose monitor was stopped', async () => {
    const gate = join(host.dir, 'gate');
    mkdirSync(gate);
    const mounts = [{ type: 'bind', source: gate, target: '/gate', isReadOnly: false }] as const;
    const wait = 'while [ ! -e /gate/go ]; do usleep 5000; done; exit 9';
    await host.runtime.createContainer(containerSpec(host, 'c1', wait, { mounts }));
    await host.runtime.startContainer('c1');
    const monitor = monitorOf(host, 'c1');
    await host.runtime[Symbol.asyncDispose]();
    stop(monitor);
    const again = await host.reopen();
    const ended = waitForExit(again, 'c1');
    execFileSync('touch', [join(gate, 'go')]);
    resume(monitor);
    expect(await ended).toMatchObject({ exitCode: 9 });
  });

  it('answers who came before a container ended and asks after it', async () => {
    const state = await start(host.runtime, 'c1');
    if (state.status !== 'running') throw new Error('it does not run');
    const early = await Promise.all(
      [FrameType.exec, FrameType.attach, FrameType.subscribe].map(async (type) => {
        const frames: Frame[] = [];
        const connection = await FrameConnection.open(socketOf(host, 'c1'), {
          onFrame: (frame) => frames.push(frame),
          onClose: () => undefined,
        });
        return { type, frames, connection };
      }),
    );
    // An exec is answered once they have been let in.
    await collect(await host.runtime.exec('c1', execSpec('true')));
    process.kill(state.pid, 'SIGKILL');
    await waitForExit(host.runtime, 'c1');
    for (const { type, connection } of early) connection.sendType(type);
    try {
      await until(() => early.every(({ frames }) => frames.some(isAnswer)));
    } finally {
      for (const { connection } of early) connection.close();
    }
    const [exec, attach, subscribe] = early.map(({ frames }) => frames.find(isAnswer)!);
    expect(exec!.type).toBe(FrameType.error);
    expect(decodeExit(attach!.payload)).toMatchObject({ exitCode: 137 });
    expect(decodeExit(subscribe!.payload)).toMatchObject({ exitCode: 137 });
  });

  it('removes containers in any state of their making, many at once', async () => {
    const ids = Array.from({ length: 16 }, (_, index) => `many-${index}`);
    const made = ids.map(async (id) => {
      await host.runtime.createContainer(containerSpec(host, id, 'exec sleep 1000'));
      await host.runtime.startContainer(id);
    });
    const settled = Promise.allSettled(made);
    await host.runtime.removeSandbox('box');
    await settled;
    expect(host.runtime.containers()).toEqual([]);
    await until(() => processesNamed(host, 'dhow-monitor').length === 0);
  });
});
