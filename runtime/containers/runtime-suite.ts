import { readFileSync } from 'node:fs';

import type {
  ContainerRuntime,
  ContainerSpec,
  ExecProcess,
  ExecSpec,
  RuntimeEvent,
  SandboxSpec,
} from '../container-runtime';
import { parseLogLine, type LogLine } from './cri-log';

/** One runtime under test with what its containers need. */
export interface RuntimeHarness {
  readonly runtime: ContainerRuntime;
  /** Holds at least /bin/sh, echo, sleep, cat. */
  readonly lowerDirs: readonly string[];
  /** What its sandboxes have beside what is usual. */
  readonly sandbox?: Partial<SandboxSpec>;
  /** A folder for log files. */
  readonly logDir: string;
  close(): Promise<void>;
}

/** A sandbox with nothing special. */
export const sandboxSpec = (id: string, more: Partial<SandboxSpec> = {}): SandboxSpec => ({
  id,
  hostname: id,
  labels: { test: id },
  hostNetwork: false,
  hostIpc: false,
  sysctls: {},
  cgroup: {},
  ...more,
});

/** A container that runs `script` under `sh -c`, with the default security settings. */
export const containerSpec = (
  harness: RuntimeHarness,
  id: string,
  script: string,
  more: Partial<ContainerSpec> = {},
): ContainerSpec => ({
  id,
  sandboxId: 'box',
  labels: { name: id },
  rootfs: { lowerDirs: harness.lowerDirs, isReadOnly: false },
  process: {
    args: ['sh', '-c', script],
    env: ['PATH=/bin:/usr/bin'],
    cwd: '/',
    user: { uid: 0, gid: 0, supplementalGids: [] },
  },
  mounts: [],
  resources: {},
  security: {
    privileged: false,
    capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID', 'MKNOD'],
    noNewPrivileges: true,
    seccomp: { type: 'unconfined' },
    procMount: 'Default',
  },
  logPath: `${harness.logDir}/${id}.log`,
  stdin: false,
  tty: false,
  hostPid: false,
  ...more,
});

export const execSpec = (script: string, more: Partial<ExecSpec> = {}): ExecSpec => ({
  args: ['sh', '-c', script],
  env: [],
  tty: false,
  stdin: false,
  ...more,
});

export interface CollectedOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | undefined;
  readonly timedOut: boolean;
}

/** Reads a process to its end. */
export const collect = async (process: ExecProcess): Promise<CollectedOutput> => {
  const pieces: { stdout: Uint8Array[]; stderr: Uint8Array[] } = { stdout: [], stderr: [] };
  let exitCode: number | undefined;
  let timedOut = false;
  for await (const piece of process.output) {
    if (piece.stream === 'exit') ({ exitCode, timedOut } = piece);
    else pieces[piece.stream].push(piece.data);
  }
  return {
    stdout: Buffer.concat(pieces.stdout).toString(),
    stderr: Buffer.concat(pieces.stderr).toString(),
    exitCode,
    timedOut,
  };
};

/** Resolves with the container's exit once it has one. */
export const waitForExit = async (runtime: ContainerRuntime, id: string) => {
  const done = new AbortController();
  const events = runtime.events(done.signal);
  try {
    const now = exitOf(runtime, id);
    if (now !== undefined) return now;
    for await (const event of events) {
      if (event.type === 'exit' && event.containerId === id) return event.exit;
    }
  } finally {
    done.abort();
  }
  throw new Error(`the events ended before ${id} did`);
};

export const exitOf = (runtime: ContainerRuntime, id: string) => {
  const state = runtime.container(id);
  return state?.status === 'exited' ? state.exit : undefined;
};

export const readLog = (path: string): LogLine[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const parsed = parseLogLine(line);
      if (parsed === undefined) throw new Error(`not a log line: ${line}`);
      return parsed;
    });

/** Runs a container to its end. */
export const runToEnd = async (runtime: ContainerRuntime, spec: ContainerSpec) => {
  await runtime.createContainer(spec);
  await runtime.startContainer(spec.id);
  return waitForExit(runtime, spec.id);
};

/* eslint-disable max-lines-per-function -- a suite is a list of tests, not an algorithm */
/** What every `ContainerRuntime` does. */
export const runtimeSuite = (name: string, open: () => Promise<RuntimeHarness>): void => {
  describe(name, () => {
    let harness: RuntimeHarness;
    let runtime: ContainerRuntime;

    beforeEach(async () => {
      harness = await open();
      runtime = harness.runtime;
      await runtime.createSandbox(sandboxSpec('box', harness.sandbox));
    });

    afterEach(async () => {
      await runtime.removeSandbox('box');
      await harness.close();
    });

    const spec = (id: string, script: string, more: Partial<ContainerSpec> = {}) =>
      containerSpec(harness, id, script, more);

    it('creates a sandbox once', async () => {
      const again = await runtime.createSandbox(sandboxSpec('box', harness.sandbox));
      expect(runtime.sandboxes()).toEqual([again]);
      expect(again.labels).toEqual({ test: 'box' });
    });

    it('gives no namespace path to a sandbox on the host network', async () => {
      const sandbox = await runtime.createSandbox(
        sandboxSpec('host', { ...harness.sandbox, hostNetwork: true }),
      );
      expect(sandbox.netnsPath).toBeUndefined();
      await runtime.removeSandbox('host');
      await runtime.removeSandbox('host');
      expect(runtime.sandboxes().map(({ id }) => id)).toEqual(['box']);
    });

    it.each([
      ['true', 0],
      ['exit 7', 7],
      ['exit 137', 137],
    ])('reports the exit code of %s', async (script, exitCode) => {
      const exit = await runToEnd(runtime, spec('c1', script));
      expect(exit).toMatchObject({ exitCode, oomKilled: false });
      expect(exit.signalNumber).toBeUndefined();
      expect(runtime.containers()[0]).toMatchObject({ id: 'c1', status: 'exited' });
    });

    it('does not run a container before it is started', async () => {
      const created = await runtime.createContainer(spec('c1', 'echo ran'));
      expect(created).toMatchObject({
        status: 'created',
        sandboxId: 'box',
        labels: { name: 'c1' },
      });
      const started = await runtime.startContainer('c1');
      expect(['running', 'exited']).toContain(started.status);
      await waitForExit(runtime, 'c1');
      expect(readLog(`${harness.logDir}/c1.log`).map(({ text }) => text)).toEqual(['ran']);
    });

    it('tells a command that cannot be run from one that failed', async () => {
      const base = spec('c1', '');
      const process = { ...base.process, args: ['/nope'] };
      await runtime.createContainer({ ...base, process });
      const state = await runtime.startContainer('c1');
      expect(state).toMatchObject({ status: 'exited', exit: { exitCode: 128 } });
      const { startError } = exitOf(runtime, 'c1') ?? {};
      expect(startError).toContain('/nope');
      expect(startError).toContain('no such file or directory');
    });

    it('reports the signal that killed a container', async () => {
      await runtime.createContainer(spec('c1', 'exec sleep 1000'));
      const running = await runtime.startContainer('c1');
      expect(running).toMatchObject({ status: 'running' });
      await runtime.kill('c1', 9);
      const exit = await waitForExit(runtime, 'c1');
      expect(exit).toMatchObject({ exitCode: 137, signalNumber: 9, oomKilled: false });
      await runtime.kill('c1', 9);
    });

    it('kills a container that was never started', async () => {
      await runtime.createContainer(spec('c1', 'true'));
      await runtime.kill('c1', 9);
      const exit = await waitForExit(runtime, 'c1');
      expect(exit.exitCode).toBe(137);
      expect(runtime.containers()[0]).toMatchObject({ status: 'exited', startedAtMs: undefined });
    });

    it('keeps stdout and stderr apart in the log', async () => {
      await runToEnd(runtime, spec('c1', 'echo out; echo err >&2'));
      const lines = readLog(`${harness.logDir}/c1.log`);
      expect(new Set(lines.map(({ stream, text }) => `${stream} ${text}`))).toEqual(
        new Set(['stdout out', 'stderr err']),
      );
    });

    it('executes further processes with their own streams and exit code', async () => {
      await runtime.createContainer(spec('c1', 'exec sleep 1000'));
      await runtime.startContainer('c1');
      await using process = await runtime.exec('c1', execSpec('echo out; echo err >&2; exit 3'));
      expect(await collect(process)).toEqual({
        stdout: 'out\n',
        stderr: 'err\n',
        exitCode: 3,
        timedOut: false,
      });
    });

    it('copies stdin to an exec until it is closed', async () => {
      await runtime.createContainer(spec('c1', 'exec sleep 1000'));
      await runtime.startContainer('c1');
      await using process = await runtime.exec('c1', execSpec('cat', { stdin: true }));
      await process.writeStdin(Buffer.from('one '));
      await process.writeStdin(Buffer.from('two'));
      process.closeStdin();
      expect(await collect(process)).toMatchObject({ stdout: 'one two', exitCode: 0 });
    });

    it('kills an exec that takes too long', async () => {
      await runtime.createContainer(spec('c1', 'exec sleep 1000'));
      await runtime.startContainer('c1');
      const slow = execSpec('sleep 1000', { timeoutMs: 50 });
      await using process = await runtime.exec('c1', slow);
      expect(await collect(process)).toMatchObject({ exitCode: 137, timedOut: true });
    });

    it('attaches to the main process', async () => {
      await runtime.createContainer(spec('c1', 'cat; exit 4', { stdin: true }));
      await runtime.startContainer('c1');
      await using process = await runtime.attach('c1', { endsStdin: false });
      await process.writeStdin(Buffer.from('hello\n'));
      process.closeStdin();
      expect(await collect(process)).toMatchObject({ stdout: 'hello\n', exitCode: 4 });
      expect(readLog(`${harness.logDir}/c1.log`).map(({ text }) => text)).toEqual(['hello']);
    });

    it('publishes exits', async () => {
      const done = new AbortController();
      const seen: RuntimeEvent[] = [];
      const reading = (async () => {
        for await (const event of runtime.events(done.signal)) seen.push(event);
      })();
      await runToEnd(runtime, spec('c1', 'exit 5'));
      done.abort();
      await reading;
      expect(seen).toMatchObject([{ type: 'exit', containerId: 'c1', exit: { exitCode: 5 } }]);
    });

    it('refuses what cannot be', async () => {
      const orphan = spec('c1', 'true', { sandboxId: 'none' });
      await expect(runtime.createContainer(orphan)).rejects.toThrow('does not exist');
      await runtime.createContainer(spec('c1', 'exec sleep 1000'));
      await expect(runtime.createContainer(spec('c1', 'true'))).rejects.toThrow('exists already');
      await expect(runtime.exec('c1', execSpec('true'))).rejects.toThrow('is not running');
      await expect(runtime.startContainer('none')).rejects.toThrow('does not exist');
    });

    it('removes a running container and forgets it', async () => {
      await runtime.createContainer(spec('c1', 'exec sleep 1000'));
      await runtime.startContainer('c1');
      await runtime.removeContainer('c1');
      await runtime.removeContainer('c1');
      expect(runtime.containers()).toEqual([]);
    });
  });
};
