import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';

import { systemClock } from '../../lib/clock';
import type { ExecProcess } from '../../runtime/container-runtime';
import { FrameConnection } from '../../runtime/containers/connection';
import { encodeFrame, FrameType } from '../../runtime/containers/frames';
import { listenerAt } from '../../runtime/containers/monitor-process';
import { MonitoredProcess } from '../../runtime/containers/process-stream';
import { RunFiles } from '../../runtime/containers/records';
import {
  collect,
  containerSpec,
  execSpec,
  readLog,
  runToEnd,
  sandboxSpec,
  waitForExit,
} from '../../runtime/containers/runtime-suite';
import { buildLauncher, openRuntimeHost, type RuntimeHost, until } from './runtime-host';

const LOG_MAX_BYTES = 256 << 10;
const LOG_MAX_FILES = 3;
const OPEN = { endsStdin: false };
const ONCE = { endsStdin: true };

describe('streams of a container', () => {
  let host: RuntimeHost;

  beforeEach(async () => {
    host = await openRuntimeHost({ logMaxBytes: LOG_MAX_BYTES, logMaxFiles: LOG_MAX_FILES });
    await host.runtime.createSandbox(sandboxSpec('box'));
  });

  afterEach(() => host.close());

  const start = async (id: string, script: string, more = {}) => {
    const spec = containerSpec(host, id, script, more);
    await host.runtime.createContainer(spec);
    await host.runtime.startContainer(id);
    return spec;
  };

  const monitorOf = (id: string): number =>
    listenerAt(host.runDir, new RunFiles(host.runDir, host.stateDir).socketPath(id))!;

  const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

  const textOf = (path: string): string =>
    readLog(path)
      .map(({ text, isPartial }) => text + (isPartial ? '' : '\n'))
      .join('');

  it('keeps places for execs when all for attaching are taken, and refuses in words', async () => {
    await start('c1', 'exec sleep 1000');
    const attached = await Promise.allSettled(
      Array.from({ length: 60 }, () => host.runtime.attach('c1', OPEN)),
    );
    const processes = attached.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const refusals = attached.flatMap((each) =>
      each.status === 'rejected' ? [String(each.reason)] : [],
    );
    expect(processes).toHaveLength(24);
    expect(new Set(refusals)).toEqual(
      new Set(['RuntimeError: 24 clients are attached already, which is the most']),
    );
    for (let i = 0; i < 40; i++) {
      const output = await collect(await host.runtime.exec('c1', execSpec(`echo ${i}`)));
      expect(output).toMatchObject({ stdout: `${i}\n`, exitCode: 0 });
    }
    for (const process of processes) await process[Symbol.asyncDispose]();
    // A place that was left is free again.
    let again: ExecProcess | undefined;
    for (const giveUp = Date.now() + 60_000; again === undefined && Date.now() < giveUp;)
      again = await host.runtime.attach('c1', OPEN).catch(() => undefined);
    expect(again).toBeDefined();
    await again?.[Symbol.asyncDispose]();
  });

  it('holds nothing of clients that came and went', async () => {
    await start('c1', 'exec sleep 1000');
    const monitor = monitorOf('c1');
    const before = descriptorsOf(monitor);
    const ours = descriptorsOf(process.pid);
    for (let i = 0; i < 200; i++) {
      await Promise.all(
        Array.from({ length: 10 }, async () => {
          const attached = await host.runtime.attach('c1', OPEN);
          await attached[Symbol.asyncDispose]();
        }),
      );
    }
    await until(() => descriptorsOf(monitor) === before);
    await until(() => descriptorsOf(process.pid) <= ours);
  });

  it('always tells how an exec ended, whatever is sent to it meanwhile', async () => {
    await start('c1', 'exec sleep 1000');
    const ends = async () => {
      const process = await host.runtime.exec('c1', execSpec('exit 7', { stdin: true }));
      const output = collect(process);
      // The process reads none of it and is gone before most has been sent.
      for (let i = 0; i < 20; i++) await process.writeStdin(Buffer.alloc(4096));
      process.closeStdin();
      return (await output).exitCode;
    };
    for (let i = 0; i < 25; i++) {
      expect(await Promise.all([ends(), ends(), ends(), ends()])).toEqual([7, 7, 7, 7]);
    }
  });

  it('loses no output and no exit code of an exec to a reader who comes late', async () => {
    await start('c1', 'exec sleep 1000');
    const script = 'head -c 3000000 /dev/zero | tr "\\0" a; touch /done; exit 5';
    const late = await host.runtime.exec('c1', execSpec(script, { stdin: true }));
    // It is held back until somebody reads.
    const done = async () =>
      (await collect(await host.runtime.exec('c1', execSpec('ls /done')))).exitCode;
    expect(await done()).not.toBe(0);
    const output = await collect(late);
    expect(output.stdout.length).toBe(3_000_000);
    expect(output.exitCode).toBe(5);
    expect(await done()).toBe(0);
  });

  it('loses no output of an exec that ends between two looks at it', async () => {
    const slow = await openRuntimeHost({ launcherPath: buildLauncher('slow-reaping') });
    try {
      await slow.runtime.createSandbox(sandboxSpec('box'));
      await slow.runtime.createContainer(containerSpec(slow, 'c1', 'exec sleep 1000'));
      await slow.runtime.startContainer('c1');
      for (let i = 0; i < 5; i++) {
        const exec = await slow.runtime.exec('c1', execSpec('echo out; echo err >&2; exit 7'));
        expect(await collect(exec)).toMatchObject({
          stdout: 'out\n',
          stderr: 'err\n',
          exitCode: 7,
        });
      }
    } finally {
      await slow.close();
    }
  });

  it('keeps stdin open over clients, and takes what one sent before it went', async () => {
    const spec = await start('c1', 'cat', { stdin: true });
    for (const word of ['one', 'two', 'three']) {
      const client = await host.runtime.attach('c1', OPEN);
      await client.writeStdin(Buffer.from(`${word}\n`));
      await client[Symbol.asyncDispose]();
      await until(() => existsSync(spec.logPath) && textOf(spec.logPath).includes(word));
    }
    expect(host.runtime.container('c1')?.status).toBe('running');
  });

  it.each([
    ['says so', async (client: ExecProcess) => client.closeStdin()],
    ['just goes', async (client: ExecProcess) => client[Symbol.asyncDispose]()],
  ])('ends stdin with its client when that %s', async (_how, leave) => {
    const spec = await start('c1', 'cat; exit 3', { stdin: true });
    const watcher = await host.runtime.attach('c1', OPEN);
    const client = await host.runtime.attach('c1', ONCE);
    await client.writeStdin(Buffer.from('all of it\n'));
    await leave(client);
    expect(await waitForExit(host.runtime, 'c1')).toMatchObject({ exitCode: 3 });
    expect(textOf(spec.logPath)).toBe('all of it\n');
    expect((await collect(watcher)).stdout).toBe('all of it\n');
  });

  it('stays within its limits with a line that never ends', async () => {
    const spec = containerSpec(host, 'c1', 'head -c 3000000 /dev/zero | tr "\\0" a');
    await runToEnd(host.runtime, spec);
    const files = readdirSync(host.logDir).map((name) => join(host.logDir, name));
    expect(files.length).toBe(LOG_MAX_FILES);
    for (const file of files) {
      expect(statSync(file).size).toBeLessThanOrEqual(LOG_MAX_BYTES);
      expect(new Set(readLog(file).map(({ isPartial }) => isPartial))).toEqual(new Set([true]));
    }
  });

  it('puts a long line together again that lies in several files', async () => {
    const script = 'echo before; head -c 500000 /dev/zero | tr "\\0" a; echo; echo after';
    const spec = containerSpec(host, 'c1', script);
    await runToEnd(host.runtime, spec);
    const paths = [`${spec.logPath}.2`, `${spec.logPath}.1`, spec.logPath];
    const lines = paths
      .filter((path) => existsSync(path))
      .map(textOf)
      .join('')
      .split('\n');
    expect(lines.map((line) => line.length)).toEqual([6, 500_000, 5, 0]);
  });

  it('goes on when there is no room for its log, which has whole lines only', async () => {
    const small = join(host.dir, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'small', small]);
    try {
      const script =
        'i=0; while [ $i -lt 5000 ]; do echo "line $i of many"; i=$((i+1)); done; exit 4';
      const spec = containerSpec(host, 'c1', script, { logPath: join(small, 'c1.log') });
      expect(await runToEnd(host.runtime, spec)).toMatchObject({ exitCode: 4 });
      const lines = readLog(spec.logPath);
      expect(lines.length).toBeGreaterThan(100);
      expect(lines.filter(({ text }) => !/^line \d+ of many$/.test(text))).toEqual([]);
    } finally {
      execFileSync('umount', ['-l', small]);
    }
  });

  it('says at the head of each log file how many whole lines were written before it', async () => {
    const line = 'x'.repeat(200);
    const script =
      `i=0; while [ $i -lt 2000 ]; do echo "$i ${line}"; i=$((i+1)); done; ` +
      'head -c 40000 /dev/zero | tr "\\0" y; echo; echo end';
    const spec = containerSpec(host, 'c1', script);
    await runToEnd(host.runtime, spec);
    const files = readdirSync(host.logDir).map((name) => readLog(join(host.logDir, name)));
    expect(files).toHaveLength(LOG_MAX_FILES);
    const lines = files.flatMap((file) =>
      file.filter(({ linesBefore }) => linesBefore !== undefined),
    );
    // The first of each file, and no other.
    expect(lines).toEqual(files.map(([first]) => first));
    const counts = files
      .map((file) => ({
        before: file[0]!.linesBefore!,
        whole: file.filter(({ isPartial }) => !isPartial).length,
      }))
      .sort((a, b) => a.before - b.before);
    counts.forEach(({ before, whole }, index) =>
      expect(before + whole).toBe(counts[index + 1]?.before ?? 2002),
    );
  });

  it('does not wait for an attached reader who takes nothing, nor keep what he does not take', async () => {
    await start(
      'c1',
      'while [ ! -e /stop ]; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done',
    );
    const lazy = await host.runtime.attach('c1', OPEN);
    const monitor = monitorOf('c1');
    const sizeOf = () =>
      Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${monitor}/status`, 'utf8'))![1]);
    const beforeKib = sizeOf();
    const rotated = () => readdirSync(host.logDir).length;
    await until(() => rotated() === LOG_MAX_FILES);
    // A build that checks itself remembers what it has checked.
    const mostKib = process.env['SANITIZE'] === undefined ? 256 : 1024;
    expect(sizeOf() - beforeKib).toBeLessThan(mostKib);
    // The container may end before it has told how this did.
    await collect(await host.runtime.exec('c1', execSpec('touch /stop')));
    expect(await waitForExit(host.runtime, 'c1')).toMatchObject({ exitCode: 0 });
    await lazy[Symbol.asyncDispose]();
  });

  it('keeps little for a reader who takes nothing of a process that writes byte by byte', async () => {
    const path = join(host.dir, 'fake-monitor');
    const byte = encodeFrame(FrameType.stdout, Buffer.from('x'));
    const state = encodeFrame(FrameType.state, Buffer.alloc(16));
    let sent = 0;
    const send = (socket: Socket): void => {
      if (socket.destroyed || sent >= 500_000) return;
      sent += 1000;
      socket.write(Buffer.concat(Array<Buffer>(1000).fill(byte)), () => send(socket));
    };
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(state);
      send(socket);
    });
    const paused = jest.spyOn(FrameConnection.prototype, 'pause');
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      const start = { what: 'the start', limitMs: 10_000, clock: systemClock };
      await using _process = await MonitoredProcess.open(path, Buffer.alloc(0), { start });
      await until(() => paused.mock.calls.length > 0);
      expect(sent).toBeLessThan(100_000);
    } finally {
      paused.mockRestore();
      server.close();
    }
  });

  it('lets in very many execs that come at once, one after the other', async () => {
    await start('c1', 'exec sleep 1000');
    const runOne = async (_none: unknown, i: number) =>
      (await collect(await host.runtime.exec('c1', execSpec(`exit ${i % 7}`)))).exitCode;
    const codes = await Promise.all(Array.from({ length: 300 }, runOne));
    expect(codes).toEqual(codes.map((_code, i) => i % 7));
  });

  it('tells how an exec ended by which its container did', async () => {
    const wait = 'while [ ! -e /go ]; do :; done; exit 6';
    for (let i = 0; i < 25; i++) {
      const id = `c${String(i)}`;
      await start(id, wait);
      const { exitCode } = await collect(
        await host.runtime.exec(id, execSpec('> /go; sleep 1000')),
      );
      expect(exitCode).toBe(137);
      expect(await waitForExit(host.runtime, id)).toMatchObject({ exitCode: 6 });
    }
  });

  it('runs a container that closes all its streams to its end', async () => {
    const script = 'exec 0<&- 1>&- 2>&-; while [ ! -e /go ]; do usleep 5000; done; exit 6';
    await start('c1', script);
    await collect(await host.runtime.exec('c1', execSpec('touch /go')));
    expect(await waitForExit(host.runtime, 'c1')).toMatchObject({ exitCode: 6 });
  });
});
