import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';

import type { EndpointSlice, Service } from '../../../api/types';
import type { Clock } from '../../../lib/clock';
import { describeError, type Log } from '../../../lib/log';
import { isRunning, type ProcessIdentity } from '../../../lib/process-identity';
import { RecordTable } from '../records/record-table';
import { DnsCounters } from '../serving/counters';
import { Listeners } from '../serving/listeners';
import { NameServer } from '../serving/name-server';
import type { UpstreamAddress } from '../upstream/exchange';
import { Forwarder } from '../upstream/forwarder';
import { readNodeResolvConf } from '../../resolv-conf';
import { upstreamsOf } from '../upstream/upstreams';
import {
  receiveMessages,
  sendMessage,
  type NamedResource,
  type ResolverSettings,
  type ToResolver,
} from './messages';
import { controlPath, readRecord, writeRecord } from './record';

export interface ResolverDeps {
  readonly directory: string;
  readonly identity: ProcessIdentity;
  readonly version: string;
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * A node's resolver, a process that outlives its agent: it holds what the last agent has told it. It answers
 * nothing before it has been told all, and ends once another has taken its place, or its folder is gone.
 */
export class Resolver {
  private readonly counters = new DnsCounters();
  private readonly table: RecordTable;
  private readonly names: NameServer;
  private readonly listeners: Listeners;
  private settings: ResolverSettings = { domain: '', addresses: [], ranges: [], resolvConf: '' };
  private upstreams: readonly UpstreamAddress[] = [];
  private agent: Socket | undefined;
  /** Keys that the agent has told since it began to tell all; undefined while it does not. */
  private told: Record<NamedResource, Set<string>> | undefined;
  private hasAll = false;
  private isServing = false;
  private problem: string | undefined;

  constructor(private readonly deps: ResolverDeps) {
    const { clock, log, port } = deps;
    this.table = new RecordTable(this.settings, log);
    const forwarder = new Forwarder({
      servers: () => this.upstreams,
      count: (what) => this.counters.forwarded(what),
      clock,
    });
    this.names = new NameServer({ table: this.table, forwarder, counters: this.counters, clock });
    this.listeners = new Listeners({ names: this.names, port, clock });
  }

  /** Until it is not wanted any more, or `signal` aborts. @throws when its agent cannot reach it */
  async run(signal: AbortSignal): Promise<void> {
    const { directory, identity, clock } = this.deps;
    const path = controlPath(directory, identity.pid);
    const control = await this.listenToAgents(path);
    const startMs = clock.monotonicMs();
    let toldMs = startMs;
    try {
      while (!signal.aborted) {
        this.readUpstreams();
        if (this.hasAll) await this.serve();
        const waitedMs = clock.monotonicMs() - startMs;
        if (await this.isUnwanted(waitedMs)) break;
        if (clock.monotonicMs() - toldMs >= STATE_MS) {
          toldMs = clock.monotonicMs();
          this.tellState();
        }
        await clock.sleep(this.isServing ? LOOK_MS : LOOK_SOON_MS, signal);
      }
      await this.listeners.listenAt([]);
      await clock.sleep(DRAIN_MS);
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
        (message) => this.take(message as ToResolver),
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

  private take(message: ToResolver): void {
    switch (message.op) {
      case 'begin':
        this.settings = message.settings;
        this.told = { services: new Set(), endpointslices: new Set() };
        return;
      case 'row': {
        const { resource, key, value } = message;
        this.told?.[resource].add(key);
        if (resource === 'services') this.table.setService(key, value as Service | undefined);
        else this.table.setSlice(key, value as EndpointSlice | undefined);
        return;
      }
      case 'end':
        this.sweep();
        this.table.useSettings(this.settings);
        this.hasAll = true;
    }
  }

  /** What was not told again is not there any more. */
  private sweep(): void {
    const { told } = this;
    this.told = undefined;
    if (told === undefined) return;
    for (const key of [...this.table.serviceKeys])
      if (!told.services.has(key)) this.table.setService(key, undefined);
    for (const key of [...this.table.sliceKeys])
      if (!told.endpointslices.has(key)) this.table.setSlice(key, undefined);
  }

  /** Half of what there is must not be told for all. */
  private settle(): void {
    if (this.told !== undefined) return;
    this.table.flush();
    this.names.changed(this.settings.domain);
  }

  private async serve(): Promise<void> {
    const { directory, identity, version } = this.deps;
    const problem = await this.listeners.listenAt(this.settings.addresses);
    const isServing = problem === undefined;
    if (isServing && readRecord(directory)?.pid !== identity.pid && !this.isServing)
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
    const { agent, isServing, problem, counters } = this;
    if (agent === undefined || agent.destroyed || agent.writableNeedDrain) return;
    const reason = problem === undefined ? {} : { problem };
    sendMessage(agent, { isServing, ...reason, counts: counters.counts });
  }

  private readUpstreams(): void {
    const { resolvConf, addresses } = this.settings;
    if (resolvConf !== '') this.upstreams = upstreamsOf(readNodeResolvConf(resolvConf), addresses);
  }
}

const LOOK_MS = 1_000;
const LOOK_SOON_MS = 100;
const STATE_MS = 5_000;
/** For those who asked before they were led elsewhere. */
const DRAIN_MS = 500;
/** An agent that was killed right after it started a resolver never speaks to it. */
const ORPHAN_MS = 30_000;
