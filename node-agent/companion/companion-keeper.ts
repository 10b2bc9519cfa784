import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';

import { backoffMs } from '../../lib/async/backoff';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import {
  isRunning,
  startTimeOf,
  stopProcess,
  type ProcessIdentity,
} from '../../lib/process-identity';
import type { Random } from '../../lib/random';
import type { NetworkView } from '../session/network-tables';
import { feedCompanion, type Feed } from './companion-link';
import type { CompanionState } from './messages';
import { controlledPids, controlPath, readRecord } from './record';

export interface CompanionKeeperDeps<Settings> {
  /** What it is, for the log: `resolver`. */
  readonly name: string;
  readonly directory: string;
  /** Its bundle, and what it is told at start besides its folder and version. */
  readonly program: string;
  readonly args: readonly string[];
  readonly heapMaxMb: number;
  readonly network: Pick<NetworkView, 'isKnown' | 'whenKnown'>;
  readonly feed: Feed<Settings>;
  /** Called with each problem once, when it begins. */
  readonly onProblem?: (problem: string) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * Sees to it that a companion runs on this node, a process that serves pods and outlives its agent: takes over the
 * one that an earlier agent has left, or has another follow it when its program is another; begins one anew that has
 * ended or hangs.
 */
export class CompanionKeeper<Settings> {
  private state: CompanionState | undefined;

  constructor(private readonly deps: CompanionKeeperDeps<Settings>) {}

  /** What the one that runs has counted since it began; undefined until it has said. */
  get counts(): object | undefined {
    return this.state?.counts;
  }

  /** Until `signal` aborts; one that serves runs on. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, network, clock, random, log } = this.deps;
    for (let failures = 0; !signal.aborted;) {
      if (!network.isKnown) {
        await network.whenKnown(LOOK_MS, signal);
        continue;
      }
      const startMs = clock.monotonicMs();
      try {
        await this.keep(signal);
        if (isAborted(signal)) return;
        log.warn({ companion: name }, 'a companion has ended');
      } catch (error) {
        if (isAborted(signal)) return;
        log.error({ companion: name, err: describeError(error) }, 'a companion does not answer');
      }
      if (clock.monotonicMs() - startMs > STEADY_MS) failures = 0;
      await clock.sleep(backoffMs(failures++, BACKOFF, random), signal);
    }
  }

  /** Feeds one until it ends. */
  private async keep(signal: AbortSignal): Promise<void> {
    const { directory } = this.deps;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    await this.removeTraces();
    const identity = (await this.running()) ?? (await this.start(signal));
    this.state = undefined;
    try {
      const path = controlPath(directory, identity.pid);
      await feedCompanion(path, { ...this.deps, onState: (state) => this.note(state) }, signal);
    } finally {
      // One that hangs, or that nobody has been led to yet, is of no use to those who come after us.
      const isOurs = readRecord(directory)?.pid === identity.pid;
      if (!isOurs || !signal.aborted) await stopProcess(identity, this.deps.clock, STOP_GRACE_MS);
    }
  }

  private async running(): Promise<ProcessIdentity | undefined> {
    const record = readRecord(this.deps.directory);
    if (record === undefined || record.version !== this.version()) return undefined;
    return (await isRunning(record)) ? record : undefined;
  }

  private async start(signal: AbortSignal): Promise<ProcessIdentity> {
    const { name, directory, program, args, heapMaxMb, clock } = this.deps;
    const output = openSync(this.logFile(), 'a', 0o600);
    const child = spawn(
      process.execPath,
      [`--max-old-space-size=${heapMaxMb}`, program, directory, this.version(), ...args],
      // A session of its own: it is not to end with the agent.
      { detached: true, stdio: ['ignore', output, output], cwd: '/' },
    );
    closeSync(output);
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid ?? 0));
      child.once('error', reject);
    });
    child.unref();
    const identity = { pid, startTime: (await startTimeOf(pid)) ?? '' };
    const endMs = clock.monotonicMs() + START_MAX_MS;
    while (!existsSync(controlPath(directory, pid))) {
      if (signal.aborted || clock.monotonicMs() > endMs || !(await isRunning(identity))) {
        await stopProcess(identity, clock, STOP_GRACE_MS);
        throw new Error(`the ${name} did not start; ${this.logFile()} says why`);
      }
      await clock.sleep(POLL_MS, signal);
    }
    return identity;
  }

  private note(state: CompanionState): void {
    const { name: companion, log, onProblem } = this.deps;
    const before = this.state;
    this.state = state;
    if (state.isServing && before?.isServing !== true) log.info({ companion }, 'companion serves');
    const { problem } = state;
    if (problem !== undefined && problem !== before?.problem) {
      log.warn({ companion, problem }, 'companion does not serve as it should');
      onProblem?.(problem);
    }
    log.debug({ companion, ...state.counts }, 'served so far');
  }

  /** Of those that were killed. */
  private async removeTraces(): Promise<void> {
    const { directory } = this.deps;
    for (const pid of controlledPids(directory))
      if ((await startTimeOf(pid)) === undefined)
        rmSync(controlPath(directory, pid), { force: true });
  }

  /** Starts anew when it has become long: a companion says little. */
  private logFile(): string {
    const path = join(this.deps.directory, `${this.deps.name}.log`);
    const isLong = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_MAX_BYTES;
    if (isLong) rmSync(path, { force: true });
    return path;
  }

  private version(): string {
    return createHash('sha256').update(readFileSync(this.deps.program)).digest('hex').slice(0, 16);
  }
}

// Behind a call, so that the compiler does not take an earlier look for the present one.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

/** The first time almost at once: nobody on this node is served. */
const BACKOFF = { initialMs: 100, maxMs: 10_000 };
const STEADY_MS = 60_000;
const LOOK_MS = 60_000;
const POLL_MS = 20;
const START_MAX_MS = 20_000;
const STOP_GRACE_MS = 2_000;
const LOG_MAX_BYTES = 1024 * 1024;
