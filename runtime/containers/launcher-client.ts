import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

import { SingleFlight } from '../../lib/async/single-flight';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import { RuntimeError } from '../container-runtime';
import { FrameConnection, type ConnectionHandlers } from './connection';
import { decodeError, encodeFrame, FrameType } from './frames';

export interface LauncherClientDeps {
  readonly runDir: string;
  readonly launcherPath: string;
  readonly clock: Clock;
  readonly log: Log;
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

  /** Sends one request and waits for its answer. @throws RuntimeError with the failed step. */
  async request(type: number, payload: Uint8Array = new Uint8Array()): Promise<void> {
    let answer: RuntimeError | 'ok' | undefined;
    const { promise, resolve } = deferred();
    const connection = await this.open({
      onFrame: (frame) => {
        if (frame.type === FrameType.error) {
          const { step, message } = decodeError(frame.payload);
          answer ??= new RuntimeError(step, message);
        } else {
          answer ??= 'ok';
        }
        resolve();
      },
      onClose: resolve,
    });
    void connection.send(encodeFrame(type, payload));
    await promise;
    connection.close();
    this.prepare();
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
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
};

const IGNORE: ConnectionHandlers = { onFrame: () => undefined, onClose: () => undefined };
const START_TIMEOUT_MS = 10_000;
