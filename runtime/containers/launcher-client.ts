import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { onAbort } from '../../lib/async/on-abort';
import { withDeadline } from '../../lib/async/deadline';
import { SingleFlight } from '../../lib/async/single-flight';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import { killProcess } from '../cgroups/files';
import { RuntimeError } from '../container-runtime';
import { FrameConnection, type ConnectionHandlers } from './connection';
import { decodeError, encodeFrame, FrameType, type Frame } from './frames';
import type { RuntimeLimits } from './limits';
import { launcherProcesses } from './monitor-process';

export interface LauncherClientDeps {
  readonly runDir: string;
  readonly launcherPath: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RuntimeLimits;
}

/** Talks to the node's launcher, and starts one when none answers. */
export class LauncherClient {
  private readonly starts = new SingleFlight<string, void>();
  private spare: FrameConnection | 'opening' | undefined;
  private isDisposed = false;

  constructor(private readonly deps: LauncherClientDeps) {}

  /** A connection for one request; the launcher is started when it is not there. */
  async open(handlers: ConnectionHandlers): Promise<FrameConnection> {
    const connection = this.takeSpare() ?? (await this.connect());
    connection.handlers = handlers;
    return connection;
  }

  /**
   * Opens the next connection while nobody waits for it: the launcher forks for it, and has done so
   * when the next request comes.
   */
  prepare(): void {
    if (this.spare !== undefined) return;
    this.spare = 'opening';
    // First what the caller does next.
    setImmediate(() => {
      FrameConnection.open(this.socketPath, IGNORE).then(
        (connection) => {
          this.spare = connection;
          if (this.isDisposed) connection.close();
        },
        () => (this.spare = undefined),
      );
    });
  }

  [Symbol.dispose](): void {
    this.isDisposed = true;
    this.takeSpare()?.close();
  }

  /**
   * Sends one request and waits for its answer. @throws RuntimeError with the failed step, or when
   * there is no answer in time; a launcher that is stuck altogether is then replaced.
   */
  async request(
    type: number,
    payload: Uint8Array = new Uint8Array(),
    signal?: AbortSignal,
  ): Promise<void> {
    const { clock, limits } = this.deps;
    const deadline = {
      what: 'a request to the launcher',
      limitMs: limits.requestMs,
      clock,
      signal,
    };
    try {
      await withDeadline(deadline, (over) => this.ask(type, payload, over));
    } catch (error) {
      if (!(error instanceof RuntimeError) && signal?.aborted !== true) await this.replaceIfDeaf();
      throw error;
    }
    this.prepare();
  }

  /** Ends a launcher that takes connections and answers none: the next request starts another. */
  replaceIfDeaf(): Promise<void> {
    return this.starts.run('replace', () => this.replaceDeaf());
  }

  private async replaceDeaf(): Promise<void> {
    const { clock, log } = this.deps;
    // Only who was there before the question can be the one that did not answer it.
    const asked = this.launchers();
    const deadline = { what: 'the launcher', limitMs: PING_TIMEOUT_MS, clock };
    try {
      await withDeadline(deadline, (over) => this.ask(FrameType.ping, NOTHING, over, true));
    } catch (err) {
      log.error({ err }, 'the launcher does not answer: replacing it');
      await this.end(asked);
    }
  }

  /**
   * Ends a launcher of another build, which an earlier agent has left, and waits until it is gone: the
   * next request starts ours. Containers and their monitors stay as they are.
   */
  async replaceIfStale(): Promise<void> {
    const { log, launcherPath } = this.deps;
    const stale = this.launchers().filter(
      (pid) => !isSameProgram(`/proc/${pid}/exe`, launcherPath),
    );
    if (stale.length > 0) log.info({ pids: stale }, 'replacing the launcher of another build');
    await this.end(stale);
  }

  private launchers(): readonly number[] {
    return launcherProcesses(this.deps.runDir).filter(isLauncher);
  }

  /** Waits until they are gone: one that is dying still takes connections, and answers none. */
  private async end(pids: readonly number[]): Promise<void> {
    const { clock } = this.deps;
    for (const pid of pids) killProcess(pid);
    const giveUpMs = clock.monotonicMs() + START_TIMEOUT_MS;
    while (pids.some(isLauncher) && clock.monotonicMs() < giveUpMs) await clock.sleep(5);
  }

  private async ask(
    type: number,
    payload: Uint8Array,
    signal: AbortSignal,
    isFresh = false,
  ): Promise<void> {
    let answer: RuntimeError | 'ok' | undefined;
    const { promise, resolve } = deferred();
    const handlers = {
      onFrame: (frame: Frame) => {
        answer ??= answerOf(frame);
        resolve();
      },
      onClose: resolve,
    };
    const connection = isFresh
      ? await FrameConnection.open(this.socketPath, handlers)
      : await this.open(handlers);
    const giveUp = () => connection.close();
    onAbort(signal, giveUp);
    if (signal.aborted) giveUp();
    void connection.send(encodeFrame(type, payload));
    await promise;
    signal.removeEventListener('abort', giveUp);
    connection.close();
    if (answer === undefined) throw new RuntimeError('launcher', 'the launcher did not answer');
    if (answer !== 'ok') throw answer;
  }

  private takeSpare(): FrameConnection | undefined {
    const { spare } = this;
    if (spare === 'opening' || spare === undefined) return undefined;
    this.spare = undefined;
    return spare.isClosed ? undefined : spare;
  }

  private async connect(): Promise<FrameConnection> {
    try {
      return await FrameConnection.open(this.socketPath, IGNORE);
    } catch {
      await this.starts.run('start', () => this.start());
      return FrameConnection.open(this.socketPath, IGNORE);
    }
  }

  private async start(): Promise<void> {
    const { clock, log, launcherPath, runDir } = this.deps;
    log.info({ launcherPath }, 'starting the launcher');
    const output = openSync(join(runDir, 'launcher.log'), 'a', 0o600);
    try {
      // Once per node, never per container. Its own session: it outlives this process.
      const child = spawn(launcherPath, [runDir], {
        argv0: 'dhow-launcher',
        detached: true,
        stdio: ['ignore', output, output],
        env: {},
        cwd: '/',
      });
      child.on('error', (err) => log.error({ err }, 'cannot start the launcher'));
      child.unref();
    } finally {
      closeSync(output);
    }
    const giveUpMs = clock.monotonicMs() + START_TIMEOUT_MS;
    while (clock.monotonicMs() < giveUpMs) {
      try {
        const probe = await FrameConnection.open(this.socketPath, IGNORE);
        probe.close();
        return;
      } catch {
        await clock.sleep(5);
      }
    }
    throw new RuntimeError('launcher', `${launcherPath} does not answer`);
  }

  private get socketPath(): string {
    return join(this.deps.runDir, 'launcher.sock');
  }
}

const deferred = () => {
  let resolve: () => void = () => undefined;
  // eslint-disable-next-line no-restricted-syntax -- its user's deadline closes the connection
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
};

const answerOf = (frame: Frame): RuntimeError | 'ok' => {
  if (frame.type !== FrameType.error) return 'ok';
  const { step, message } = decodeError(frame.payload);
  return new RuntimeError(step, message);
};

/** False also when one of them cannot be read. */
const isSameProgram = (first: string, second: string): boolean => {
  try {
    return readFileSync(first).equals(readFileSync(second));
  } catch {
    return false;
  }
};

/** Not one of the monitors, which bear the same command line. */
const isLauncher = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'dhow-launcher';
  } catch {
    return false;
  }
};

const NOTHING = new Uint8Array();
const PING_TIMEOUT_MS = 5_000;
const IGNORE: ConnectionHandlers = { onFrame: () => undefined, onClose: () => undefined };
const START_TIMEOUT_MS = 10_000;
