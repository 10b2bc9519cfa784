import type { EndpointSlice, Service } from '../../../api/types';
import type { Clock } from '../../../lib/clock';
import type { Log } from '../../../lib/log';
import type { Service as CompanionService } from '../../companion/companion';
import { readNodeResolvConf } from '../../resolv-conf';
import { RecordTable } from '../records/record-table';
import { DnsCounters } from '../serving/counters';
import { Listeners } from '../serving/listeners';
import { NameServer } from '../serving/name-server';
import type { UpstreamAddress } from '../upstream/exchange';
import { Forwarder } from '../upstream/forwarder';
import { upstreamsOf } from '../upstream/upstreams';

/** What a resolver needs to know besides names. */
export interface ResolverSettings {
  readonly domain: string;
  readonly addresses: readonly string[];
  readonly ranges: readonly string[];
  /** The node's own, which names the servers of all other names. */
  readonly resolvConf: string;
}

export interface ResolverDeps {
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Answers for the cluster's names, and asks others for the rest. */
export class Resolver implements CompanionService<ResolverSettings> {
  private readonly counters = new DnsCounters();
  private readonly table: RecordTable;
  private readonly names: NameServer;
  private readonly listeners: Listeners;
  private settings: ResolverSettings = { domain: '', addresses: [], ranges: [], resolvConf: '' };
  private upstreams: readonly UpstreamAddress[] = [];

  constructor({ clock, log, port }: ResolverDeps) {
    this.table = new RecordTable(this.settings, log);
    const forwarder = new Forwarder({
      servers: () => this.upstreams,
      count: (what) => this.counters.forwarded(what),
      clock,
    });
    this.names = new NameServer({ table: this.table, forwarder, counters: this.counters, clock });
    this.listeners = new Listeners({ names: this.names, port, clock });
  }

  get counts(): object {
    return this.counters.counts;
  }

  useSettings(settings: ResolverSettings): void {
    this.settings = settings;
    this.table.useSettings(settings);
  }

  setRow(resource: string, key: string, value: unknown): void {
    if (resource === 'services') this.table.setService(key, value as Service | undefined);
    else if (resource === 'endpointslices')
      this.table.setSlice(key, value as EndpointSlice | undefined);
  }

  keysOf(resource: string): Iterable<string> {
    return resource === 'services' ? this.table.serviceKeys : this.table.sliceKeys;
  }

  settle(): void {
    this.table.flush();
    this.names.changed(this.settings.domain);
  }

  async serve(): Promise<string | undefined> {
    const { resolvConf, addresses } = this.settings;
    if (resolvConf !== '') this.upstreams = upstreamsOf(readNodeResolvConf(resolvConf), addresses);
    return this.listeners.listenAt(addresses);
  }

  async close(): Promise<void> {
    await this.listeners.listenAt([]);
  }
}
