import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { backoffMs } from '../../../lib/async/backoff';
import type { Clock } from '../../../lib/clock';
import type { Log } from '../../../lib/log';
import { systemRandom } from '../../../lib/random';
import {
  isRunning,
  startTimeOf,
  stopProcess,
  type ProcessIdentity,
} from '../../../lib/process-identity';
import { parseJson, stringifyJson } from '../../../lib/json';

export interface SuperviseEtcdOptions {
  /** Survives restarts. Made with mode 0700. */
  readonly dataDir: string;
  /** Sockets and the pid file: on tmpfs if possible. Made with mode 0700. */
  readonly runDir: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Found on PATH by default. */
  readonly binary?: string;
  readonly quotaBytes?: number;
}

/** An etcd of our own: one member, reachable by this user alone through a socket. */
export interface SupervisedEtcd extends AsyncDisposable {
  /** For `EtcdConnection`. It stays the same when etcd is restarted. */
  readonly endpoint: string;
  /** The etcd that runs now. */
  readonly pid: number | undefined;
}

/**
 * Starts etcd as a child, and again when it dies, until disposed. One that an earlier server left
 * behind when it was killed is stopped first: it holds the lock on the data. The endpoint answers
 * some time later; callers retry.
 */
export const superviseEtcd = async (options: SuperviseEtcdOptions): Promise<SupervisedEtcd> => {
  const runDir = resolve(options.runDir);
  const dataDir = resolve(options.dataDir);
  for (const path of [dataDir, runDir]) await mkdir(path, { recursive: true, mode: 0o700 });
  await stopLeftover(join(runDir, PID_FILE), options);
  const supervisor = new Supervisor({ ...options, runDir, dataDir });
  const running = supervisor.run();
  return {
    endpoint: ownEndpointOf(runDir),
    get pid() {
      return supervisor.pid;
    },
    [Symbol.asyncDispose]: async () => {
      await supervisor.stop();
      await running;
    },
  };
};

/** Of the etcd whose sockets are in `runDir`. */
export const ownEndpointOf = (runDir: string): string => `unix:${join(runDir, CLIENT_SOCKET)}`;

class Supervisor {
  private readonly stopping = new AbortController();
  private child: ChildProcess | undefined;

  constructor(private readonly options: SuperviseEtcdOptions) {}

  get pid(): number | undefined {
    return this.child?.pid;
  }

  async run(): Promise<void> {
    const { clock, log } = this.options;
    const { signal } = this.stopping;
    for (let failureCount = 0; !signal.aborted; failureCount++) {
      const startMs = clock.monotonicMs();
      try {
        await this.runOnce();
      } catch (error) {
        log.error({ err: error }, 'cannot run etcd');
      }
      if (clock.monotonicMs() - startMs > STABLE_MS) failureCount = 0;
      await clock.sleep(backoffMs(failureCount, RESTART, systemRandom), signal);
    }
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    const { child } = this;
    if (child?.pid === undefined || child.exitCode !== null) return;
    const startTime = await startTimeOf(child.pid);
    if (startTime !== undefined)
      await stopProcess({ pid: child.pid, startTime }, this.options.clock, STOP_MS);
  }

  private async runOnce(): Promise<void> {
    const { binary = 'etcd', runDir, log } = this.options;
    // One that was killed leaves its sockets, and etcd does not bind over them.
    for (const socket of [CLIENT_SOCKET, PEER_SOCKET])
      await rm(join(runDir, socket), { force: true });
    const child = spawn(binary, etcdFlags(this.options), {
      cwd: runDir,
      env: { PATH: process.env['PATH'], ...etcdEnvironment() },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child = child;
    const exited = exitOf(child);
    const lastLine = forwardLog(child, log);
    if (child.pid !== undefined) await this.recordPid(child.pid);
    // Disposed while it was starting.
    if (this.stopping.signal.aborted) child.kill('SIGKILL');
    const how = await exited;
    if (!this.stopping.signal.aborted) {
      log.error({ how, lastLine: lastLine() }, 'etcd ended; starting it again');
    }
    await rm(join(runDir, PID_FILE), { force: true });
  }

  private async recordPid(pid: number): Promise<void> {
    const startTime = await startTimeOf(pid);
    if (startTime === undefined) return;
    const identity: ProcessIdentity = { pid, startTime };
    const path = join(this.options.runDir, PID_FILE);
    await writeFile(path, stringifyJson(identity), { mode: 0o600 });
  }
}

/** The etcd of a server that was killed. Its start time tells it from a process that took its pid. */
const stopLeftover = async (pidPath: string, { clock, log }: SuperviseEtcdOptions) => {
  const identity = await readIdentity(pidPath);
  if (identity === undefined) return;
  if (await isRunning(identity)) {
    log.warn({ pid: identity.pid }, 'stopping the etcd that an earlier server left behind');
    await stopProcess(identity, clock, STOP_MS);
  }
  await rm(pidPath, { force: true });
};

const readIdentity = async (path: string): Promise<ProcessIdentity | undefined> => {
  try {
    const parsed = parseJson(await readFile(path, 'utf8')) as Partial<ProcessIdentity> | null;
    const { pid, startTime } = parsed ?? {};
    const isSound = Number.isInteger(pid) && (pid ?? 0) > 1 && typeof startTime === 'string';
    return isSound ? (parsed as ProcessIdentity) : undefined;
  } catch {
    // Absent, or cut short by a crash before etcd could take the lock.
    return undefined;
  }
};

/** Who the member is: what a restored one has to be told as well. */
export const memberFlags = (): string[] => [
  `--name=${MEMBER_NAME}`,
  `--initial-advertise-peer-urls=unix://${PEER_SOCKET}`,
  `--initial-cluster=${MEMBER_NAME}=unix://${PEER_SOCKET}`,
];

const etcdFlags = ({ dataDir, quotaBytes = QUOTA_BYTES }: SuperviseEtcdOptions): string[] => {
  const client = `unix://${CLIENT_SOCKET}`;
  const peer = `unix://${PEER_SOCKET}`;
  const flags = [
    ['data-dir', dataDir],
    ['listen-client-urls', client],
    ['advertise-client-urls', client],
    ['listen-peer-urls', peer],
    ['quota-backend-bytes', String(quotaBytes)],
    // Raft keeps this many entries in memory; one member needs none of them for others.
    ['snapshot-count', '5000'],
    ['max-snapshots', '2'],
    ['max-wals', '2'],
    ['logger', 'zap'],
    ['log-outputs', 'stderr'],
    ['log-level', 'warn'],
  ].map(([flag = '', value = '']) => `--${flag}=${value}`);
  return [...memberFlags(), ...flags];
};

/** Collect garbage early: etcd's heap is small, and its memory is mostly the mapped file. */
const etcdEnvironment = () => ({ GOGC: '50', ETCD_UNSUPPORTED_ARCH: process.arch });

const exitOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signalName) => resolve(signalName ?? `exit code ${code ?? -1}`));
  });

/** Returns how to get at the last line, which is where etcd says why it ends. */
const forwardLog = (child: ChildProcess, log: Log): (() => string) => {
  let lastLine = '';
  if (child.stderr === null) return () => lastLine;
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastLine = line.slice(0, LOG_LINE_MAX);
    log.debug({ line: lastLine }, 'etcd');
  });
  return () => lastLine;
};

// etcd takes no absolute socket path: the "host:port" is a file name in its working directory.
const CLIENT_SOCKET = 'etcd-client:0';
const PEER_SOCKET = 'etcd-peer:0';
const MEMBER_NAME = 'dhow';
const PID_FILE = 'etcd.pid.json';
const QUOTA_BYTES = 8 * 1024 ** 3;
const STABLE_MS = 30_000;
const STOP_MS = 5_000;
const LOG_LINE_MAX = 2_000;
const RESTART = { initialMs: 100, maxMs: 10_000 };
