import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';

import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import { isRunning, type ProcessIdentity } from '../../lib/process-identity';
import { receiveMessages, sendMessage, type ToCompanion } from './messages';
import { controlPath, readRecord, writeRecord } from './record';

/** What a companion is for. */
export interface Service<Settings> {
  useSettings(settings: Settings): void;
  /** Undefined removes it. */
  setRow(resource: string, key: string, value: unknown): void;
  keysOf(resource: string): Iterable<string>;
  /** All that belongs together has been set. */
  settle(): void;
  /** Listens where it should, if it does not yet. What stands in the way of it. */
  serve(): Promise<string | undefined>;
  /** Nobody new from now on. */
  close(): Promise<void>;
  readonly counts: object;
}

export interface CompanionDeps<Settings> {
  readonly service: Service<Settings>;
  /** The tables that the agent tells of. */
  readonly resources: readonly string[];
  readonly directory: string;
  readonly identity: ProcessIdentity;
  readonly version: string;
  /** For those who came before they were led elsewhere. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * A process that outlives its agent: it holds what the last agent has told it. It serves nobody before it has
 * been told all, and ends once another has taken its place, or its folder is gone.
 */
export class Companion<Settings> {
  private settings: Settings | undefined;
  private agent: Socket | undefined;
  /** Keys that the agent has told since it began to tell all; undefined while it does not. */
  private told: ReadonlyMap<string, Set<string>> | undefined;
  private hasAll = false;
  private isServing = false;
  private problem: string | undefined;

  constructor(private readonly deps: CompanionDeps<Settings>) {}

  /** Until it is not wanted any more, or `signal` aborts. @throws when its agent cannot reach it */
  async run(signal: AbortSignal): Promise<void> {
    const { service, directory, identity, drainMs, clock } = this.deps;
    const path = controlPath(directory, identity.pid);
    const control = await this.listenToAgents(path);
    const startMs = clock.monotonicMs();
    let toldMs = startMs;
    try {
      while (!signal.aborted) {
        if (this.hasAll) await this.serve();
        const waitedMs = clock.monotonicMs() - startMs;
        if (await this.isUnwanted(waitedMs)) break;
        if (clock.monotonicMs() - toldMs >= STATE_MS) {
          toldMs = clock.monotonicMs();
          this.tellState();
        }
        await clock.sleep(this.isServing ? LOOK_MS : LOOK_SOON_MS, signal);
      }
      await service.close();
      await clock.sleep(drainMs);
    } finally {
      control.close();
      this.agent?.destroy();
      rmSync(path, { force: true });
    }
  }

  private async listenToAgents(path: string): Promise<Server> {
    const server = createServer((socket) => {
      // Of two, the newer is the one that lives.
      this.agent?.destroy();
      this.agent = socket;
      this.told = undefined;
      socket.on('error', (error) =>
        this.deps.log.warn({ err: describeError(error) }, 'connection of the agent lost'),
      );
      receiveMessages(
        socket,
        (message) => this.take(message as ToCompanion<Settings>),
        () => this.settle(),
      );
      this.tellState();
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    return server;
  }

  private take(message: ToCompanion<Settings>): void {
    switch (message.op) {
      case 'begin':
        this.settings = message.settings;
        this.told = new Map(this.deps.resources.map((resource) => [resource, new Set()]));
        return;
      case 'row': {
        const { resource, key, value } = message;
        this.told?.get(resource)?.add(key);
        this.deps.service.setRow(resource, key, value);
        return;
      }
      case 'end':
        this.sweep();
        if (this.settings !== undefined) this.deps.service.useSettings(this.settings);
        this.hasAll = true;
    }
  }

  /** What was not told again is not there any more. */
  private sweep(): void {
    const { service } = this.deps;
    const told = this.told ?? new Map<string, Set<string>>();
    this.told = undefined;
    for (const [resource, keys] of told)
      for (const key of [...service.keysOf(resource)])
        if (!keys.has(key)) service.setRow(resource, key, undefined);
  }

  /** Half of what there is must not be told for all. */
  private settle(): void {
    if (this.told === undefined) this.deps.service.settle();
  }

  private async serve(): Promise<void> {
    const { service, directory, identity, version } = this.deps;
    const problem = await service.serve();
    const isServing = problem === undefined;
    if (isServing && !this.isServing && readRecord(directory)?.pid !== identity.pid)
      writeRecord(directory, { ...identity, version });
    if (isServing === this.isServing && problem === this.problem) return;
    if (problem !== undefined) this.deps.log.warn({ problem }, 'cannot listen yet');
    this.isServing = isServing;
    this.problem = problem;
    this.tellState();
  }

  private async isUnwanted(waitedMs: number): Promise<boolean> {
    const { directory, identity, log } = this.deps;
    const record = readRecord(directory);
    if (record?.pid === identity.pid) return false;
    if (!this.isServing) return this.agent?.destroyed !== false && waitedMs > ORPHAN_MS;
    if (record !== undefined && !(await isRunning(record))) {
      writeRecord(directory, { ...identity, version: this.deps.version });
      return false;
    }
    log.info({ successor: record?.pid }, 'not wanted any more');
    return true;
  }

  private tellState(): void {
    const { agent, isServing, problem } = this;
    if (agent === undefined || agent.destroyed || agent.writableNeedDrain) return;
    const reason = problem === undefined ? {} : { problem };
    sendMessage(agent, { isServing, ...reason, counts: this.deps.service.counts });
  }
}

const LOOK_MS = 1_000;
const LOOK_SOON_MS = 100;
const STATE_MS = 5_000;
/** An agent that was killed right after it started a companion never speaks to it. */
const ORPHAN_MS = 30_000;
