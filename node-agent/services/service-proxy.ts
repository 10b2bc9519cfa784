import { CLUSTER_KEY } from '../../api/assignment-rows';
import { SlicesByService } from '../../api/slices-by-service';
import { keyOf } from '../../api/types';
import { Alarm } from '../../lib/async/alarm';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { PodNetwork } from '../../runtime/pod-network';
import type { ServiceNetwork, ServicePort } from '../../runtime/service-network';
import { nodeObject, type EventSink } from '../outbox/event-outbox';
import type { NetworkView } from '../session/network-tables';
import type { AgentSettings } from '../settings';
import { HealthChecks } from './health-checks';
import { wantedService, type HealthCheck } from './wanted-ports';

interface ServiceProxyDeps {
  readonly view: NetworkView;
  readonly whenOpen: (signal: AbortSignal) => Promise<PodNetwork>;
  readonly nodeName: string;
  /** Labels of the node; undefined until the server has said. */
  readonly labels: () => Readonly<Record<string, string>> | undefined;
  readonly nodePortAddresses: readonly string[];
  readonly events: EventSink;
  readonly settings: AgentSettings;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ServiceCounts {
  /** Ports of services that have been put in, changed or taken out. */
  readonly changeCount: number;
  /** How often somebody else had changed the rules. */
  readonly restoredCount: number;
}

/**
 * Keeps the kernel's services as the cluster has them. Before it is known what there is, nothing is
 * touched: what the agent before has set up goes on. The first of several changes goes in at once, the
 * others together a moment later.
 */
export class ServiceProxy {
  private readonly dirty = new Set<string>();
  private readonly slices = new SlicesByService();
  /** Names of the ports that the kernel has, by Service. */
  private readonly applied = new Map<string, readonly string[]>();
  private readonly healthChecks = new Map<string, HealthCheck>();
  private zone: string | undefined;
  /** All that there is has been in the kernel once. */
  private isStarted = false;
  private checkedMs = 0;
  private problem = '';
  private readonly alarm: Alarm;
  private changeCount = 0;
  private restoredCount = 0;

  constructor(private readonly deps: ServiceProxyDeps) {
    this.alarm = new Alarm(deps.clock);
  }

  /** Since this agent began. */
  get counts(): ServiceCounts {
    return { changeCount: this.changeCount, restoredCount: this.restoredCount };
  }

  /** Until `signal` aborts; what is set up goes on. */
  async run(signal: AbortSignal): Promise<void> {
    const { view, clock, settings } = this.deps;
    await using servers = new HealthChecks(this.deps.log);
    const undo = [
      view.services.onChange((keys) => this.mark(keys)),
      view.endpointSlices.onChange((keys) => this.markSlices(keys)),
      view.clusterNetwork.onChange(() => this.markAll()),
    ];
    try {
      const { services: network } = await this.deps.whenOpen(signal);
      while (!view.isKnown && !signal.aborted) await view.whenKnown(settings.retryMs, signal);
      this.markAll();
      while (!signal.aborted) {
        const isFine = await this.settle(network, servers);
        await clock.sleep(isFine ? HOLD_MS : settings.retryMs, signal);
        if (isFine && this.dirty.size === 0)
          await this.alarm.sleep(settings.serviceCheckMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      for (const one of undo) one();
    }
  }

  /** False: it is to be tried again after a while. */
  private async settle(network: ServiceNetwork, servers: HealthChecks): Promise<boolean> {
    const taken = [...this.dirty];
    this.dirty.clear();
    try {
      await this.configure(network);
      const changes = this.changesOf(taken);
      if (changes.size > 0 || !this.isStarted) this.tellHealed(await network.apply(changes));
      this.changeCount += changes.size;
      this.isStarted = true;
      await this.check(network);
      servers.setHealthy(true);
      this.problem = '';
      await servers.sync(this.healthChecks.values());
      return true;
    } catch (error) {
      for (const key of taken) this.dirty.add(key);
      servers.setHealthy(false);
      this.tellProblem(describeError(error));
      return false;
    }
  }

  /** Also while changes come all the time. */
  private async check(network: ServiceNetwork): Promise<void> {
    const { clock, settings } = this.deps;
    if (clock.monotonicMs() - this.checkedMs < settings.serviceCheckMs) return;
    this.tellHealed(await network.check());
    this.checkedMs = clock.monotonicMs();
  }

  private async configure(network: ServiceNetwork): Promise<void> {
    const cluster = this.deps.view.clusterNetwork.get(CLUSTER_KEY);
    if (cluster === undefined) return;
    const zone = this.deps.labels()?.[ZONE_LABEL];
    if (zone !== this.zone) this.markAll();
    this.zone = zone;
    await network.configure({
      serviceCidrs: cluster.serviceCidrs,
      podCidrs: cluster.podCidrs,
      dnsAddresses: cluster.clusterDns,
      nodePortAddresses: this.deps.nodePortAddresses,
    });
  }

  private changesOf(keys: readonly string[]): ReadonlyMap<string, ServicePort | undefined> {
    const { view, nodeName } = this.deps;
    const node = {
      name: nodeName,
      zone: this.zone,
      dnsAddresses: view.clusterNetwork.get(CLUSTER_KEY)?.clusterDns ?? [],
    };
    const changes = new Map<string, ServicePort | undefined>();
    for (const key of keys) {
      const service = view.services.get(key);
      const { ports, healthCheck } =
        service === undefined
          ? { ports: new Map<string, ServicePort>(), healthCheck: undefined }
          : wantedService(service, this.slices.of(key), node);
      const names = [...ports.keys()].map((port) => `${key}:${port}`);
      for (const name of this.applied.get(key) ?? []) changes.set(name, undefined);
      for (const [port, wanted] of ports) changes.set(`${key}:${port}`, wanted);
      if (names.length === 0) this.applied.delete(key);
      else this.applied.set(key, names);
      if (healthCheck === undefined) this.healthChecks.delete(key);
      else this.healthChecks.set(key, healthCheck);
    }
    return changes;
  }

  private markAll(): void {
    const { view } = this.deps;
    this.mark([...view.services.list()].map(keyOf));
    this.markSlices([...view.endpointSlices.list()].map(keyOf));
  }

  private mark(keys: Iterable<string>): void {
    for (const key of keys) this.dirty.add(key);
    this.alarm.wake();
  }

  private markSlices(keys: Iterable<string>): void {
    for (const key of keys) this.mark(this.slices.set(key, this.deps.view.endpointSlices.get(key)));
  }

  private tellHealed(fault: string | undefined): void {
    if (fault === undefined) return;
    this.restoredCount++;
    this.deps.log.warn({ fault }, 'service rules were put back');
    const message = `Service rules of the node had been changed and were put back: ${fault}`;
    const event = { type: 'Warning', reason: 'ServiceRulesRestored', message } as const;
    this.deps.events.emit(nodeObject(this.deps.nodeName), event);
  }

  private tellProblem(problem: string): void {
    if (problem !== this.problem) this.deps.log.error({ err: problem }, 'cannot serve services');
    this.problem = problem;
  }
}

const ZONE_LABEL = 'topology.kubernetes.io/zone';
/** Changes that follow one another so closely go in together. */
const HOLD_MS = 15;
