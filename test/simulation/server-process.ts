import { ApiError } from '../../api/errors';
import {
  CONFIG_MAPS,
  ENDPOINT_SLICES,
  INGRESS_CLASSES,
  INGRESSES,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  RUNTIME_CLASSES,
  CSI_DRIVERS,
  VOLUME_ATTACHMENTS,
  SECRETS,
  SERVICE_CIDRS,
  SERVICES,
} from '../../api/resources';
import type { ApiClient } from '../../client/api-client';
import { ApiEventRecorder } from '../../client/events';
import { Informers } from '../../client/informers';
import { ObjectFaults } from '../../client/object-faults';
import type { VirtualResource } from '../../client/virtual-resource';
import { createApiServer, type ApiServer } from '../../control-plane/api-server/api-server';
import { createControllers, runControllers } from '../../control-plane/controllers';
import { createNodesServer, type NodesServer } from '../../control-plane/nodes';
import type { openPki } from '../../control-plane/pki/pki';
import { createScheduler, type SchedulerDeps } from '../../control-plane/scheduler';
import { createWatchCaches } from '../../control-plane/store';
import type { Store, Term } from '../../control-plane/store/store';
import type { Clock } from '../../lib/clock';
import { lateBound } from '../../lib/late-bound';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import { Incarnation, ofApi, ofStore, type Death } from './incarnation';

export interface ServerProcessDeps {
  readonly store: Store;
  /** In which its scheduler and controllers write. */
  readonly term: Term;
  readonly clock: Clock;
  readonly seed: number;
  readonly pki: Awaited<ReturnType<typeof openPki>>;
  readonly podMetrics: VirtualResource;
  /** Of the scheduler. Default: the usual one. */
  readonly profiles?: SchedulerDeps['profiles'];
  /** What stands between the components and the API. */
  readonly spoil: (client: ApiClient) => ApiClient;
}

/**
 * One life of the whole control plane: API, scheduler, controllers and the agents' server, as
 * `control-plane/server.ts` puts them together. The store outlives it. Its controllers may also be
 * killed and begun again by themselves.
 */
export class ServerProcess {
  readonly api: ApiServer;
  private readonly life: Incarnation<Store>;
  /** Of the controllers; the last one lives. */
  private readonly controllers: Incarnation<ApiClient>[] = [];
  private readonly shared;
  private readonly spoiled: ApiClient;
  /** Of the scheduler and the controllers. */
  private readonly leaders: ApiClient;
  private readonly scheduler: ReturnType<typeof createScheduler>;
  private readonly caches: ReturnType<typeof createWatchCaches>;
  private nodes: NodesServer | undefined;

  constructor(private readonly deps: ServerProcessDeps) {
    const { store, clock, seed, pki, podMetrics, profiles } = deps;
    this.life = new Incarnation(store, ofStore);
    const base = { random: seededRandom(seed), clock, log: silentLog };
    const late = lateBound<ApiClient>('the API');
    const events = new ApiEventRecorder({ ...base, client: late.proxy, component: 'dhow-server' });
    this.shared = { ...base, faults: new ObjectFaults({ log: silentLog, events }) };
    const { faults } = this.shared;
    this.caches = createWatchCaches({ store: this.life.client, clock, log: silentLog });
    this.scheduler = createScheduler({
      ...{ ...base, client: late.proxy, seed, faults },
      ...(profiles === undefined ? {} : { profiles }),
    });
    this.api = createApiServer({
      ...base,
      store: this.life.client,
      caches: this.caches,
      tls: pki,
      nodeConnections: NO_CONNECTIONS,
      virtualResources: [this.scheduler.decisions, this.scheduler.explanations, podMetrics],
      objectFaults: faults,
      evictionSeconds: 30,
      version: '0.0.0',
    });
    this.spoiled = deps.spoil(this.api.client);
    this.leaders = deps.spoil(this.api.clientWithin(() => deps.term));
    late.bind(this.leaders);
  }

  /** All begin to work; of agents only if there are any. */
  run({ hasAgents }: { readonly hasAgents: boolean }): void {
    this.startControllers();
    this.life.run((signal) => this.scheduler.run(signal));
    if (hasAgents) this.serveAgents();
  }

  get isDead(): boolean {
    return this.life.isDead;
  }

  /** The process dies at one of its next writes to the store. */
  dieAt(death: Death): void {
    this.life.dieAt(death);
  }

  kill(): void {
    this.life.kill();
  }

  /** @throws ApiError once the process is dead */
  get agentsServer(): NodesServer {
    if (this.nodes === undefined || this.isDead)
      throw new ApiError('ServiceUnavailable', 'nobody listens');
    return this.nodes;
  }

  killControllers(death: Death): void {
    this.controllers.at(-1)?.dieAt(death);
  }

  get areControllersDead(): boolean {
    return this.controllers.at(-1)?.isDead === true;
  }

  /** The controllers end, if they have not, and others begin, which know what is stored. */
  restartControllers(): void {
    this.controllers.at(-1)?.kill();
    this.startControllers();
  }

  /** Resolves when nothing of it runs any more; the clock has to go on until then. */
  async ended(): Promise<void> {
    this.kill();
    await Promise.all([
      this.life.ended(),
      this.nodes?.[Symbol.asyncDispose](),
      ...this.controllers.map((each) => each.ended()),
    ]);
    // Whatever was done to it: no pod slept though there was room for it.
    expect(this.scheduler.metrics.lines()).toContain('dhow_scheduler_overslept_pods_total 0');
    await this.api[Symbol.asyncDispose]();
    await this.caches[Symbol.asyncDispose]();
  }

  private startControllers(): void {
    const { pki } = this.deps;
    const incarnation = new Incarnation(this.leaders, ofApi, this.life.signal);
    const parts = { ...this.shared, client: incarnation.client };
    const informers = new Informers(parts);
    const eventsFor = (component: string) =>
      new ApiEventRecorder({ ...this.shared, client: this.api.client, component });
    const controllers = createControllers(
      { ...parts, informers, eventsFor },
      {
        served: this.api.kinds,
        caCertificate: () => pki.caCertificate,
        nodeGracePeriodMs: 40_000,
        serviceCidrs: ['10.96.0.0/16'],
      },
    );
    incarnation.run((signal) => informers.run(signal));
    incarnation.run((signal) => runControllers(controllers, this.shared, signal));
    this.controllers.push(incarnation);
  }

  private serveAgents(): void {
    const { pki } = this.deps;
    const informers = new Informers({ ...this.shared, client: this.spoiled });
    this.life.run((signal) => informers.run(signal));
    const { issueToken } = this.api;
    this.nodes = createNodesServer({
      ...{ ...this.shared, client: this.spoiled, pki, issueToken },
      pods: informers.of(PODS),
      nodes: informers.of(NODES),
      secrets: informers.of(SECRETS),
      configMaps: informers.of(CONFIG_MAPS),
      claims: informers.of(PERSISTENT_VOLUME_CLAIMS),
      volumes: informers.of(PERSISTENT_VOLUMES),
      runtimeClasses: informers.of(RUNTIME_CLASSES),
      csiDrivers: informers.of(CSI_DRIVERS),
      attachments: informers.of(VOLUME_ATTACHMENTS),
      services: informers.of(SERVICES),
      ingresses: informers.of(INGRESSES),
      ingressClasses: informers.of(INGRESS_CLASSES),
      serviceCidrs: informers.of(SERVICE_CIDRS),
      endpointSlices: informers.of(ENDPOINT_SLICES),
      namespaces: informers.of(NAMESPACES),
      networkPolicies: informers.of(NETWORK_POLICIES),
      tokens: { verify: () => false },
    });
  }
}

const notHere = () => new ApiError('ServiceUnavailable', 'no agents here');

const NO_CONNECTIONS = {
  isConnected: () => false,
  logs: () => {
    throw notHere();
  },
  exec: () => Promise.reject(notHere()),
  connect: () => Promise.reject(notHere()),
  usage: () => Promise.reject(notHere()),
  metrics: () => Promise.reject(notHere()),
  isolation: () => Promise.reject(notHere()),
};
