import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClusterNetwork } from '../../api/cluster-network';
import { isNodeKey } from '../../api/node-identity';
import { qualifiedName, SERVICES } from '../../api/resources';
import type { ApiClient } from '../../client/api-client';
import type { NodeConnections } from '../../client/node-connections';
import type { Placements } from '../../client/placements';
import type { VirtualResource } from '../../client/virtual-resource';
import { TaskGroup } from '../../lib/async/task-group';
import { Activities } from '../../lib/activities';
import type { CertificateLife } from '../../lib/certificate-life';
import type { Clock } from '../../lib/clock';
import type { LagHistogram } from '../../lib/event-loop-monitor';
import type { Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import type { Tracing } from '../../lib/tracing/tracing';
import type { Store, Term } from '../store/store';
import type { WatchCaches } from '../store/watch-cache';
import type { AdmissionPlugin } from './admission/admission-plugin';
import type { Auditor } from './audit/auditor';
import { WebhookMetrics, type WebhookCalls } from './admission/webhooks';
import { ApiHandler } from './api-handler';
import { Authorizer } from './auth/authorizer';
import { cachedRoles } from './auth/cached-roles';
import type { TokenAuthenticator } from './auth/token-issuer';
import type { PodReader } from './auth/node-authorizer';
import { nodeNameOf, type User } from './auth/user';
import { serveIssuer } from './auth/issuer';
import { REVIEWS, serveReview } from './auth/reviews';
import { Conversions } from './conversion';
import { CustomKinds } from './custom-resources/custom-kinds';
import { Discovery } from './discovery/discovery';
import { OpenApi } from './discovery/openapi';
import { versionInfo } from './discovery/version';
import type { HealthCheck } from './discovery/health';
import type { ApiRequest, ApiResponse } from './http/exchange';
import { HeavyLane } from './http/heavy-lane';
import { InFlightLimit } from './http/in-flight';
import {
  HttpsListener,
  type ListenAddress,
  type ListenerBudget,
  type TlsMaterial,
} from './http/https-listener';
import { InProcessClient } from './in-process-client';
import { apiServiceKind, LocalApiServices } from './kinds/api-service';
import { ipAddressKind } from './kinds/ip-address';
import { KindRegistry } from './kinds/kind-registry';
import { storeNameOf } from './kinds/served-kind';
import { metricsResponse } from './metrics/metrics';
import { RequestMetrics } from './metrics/request-metrics';
import { createObjectService, type ObjectService } from './objects/object-service';
import { CONNECTION_REVIEWS, serveConnectionReview } from './network/connection-review';
import { ExecGateway, type UpgradingConnection } from './pods/exec';
import { PortForwardGateway } from './pods/port-forward';
import { ProxyGateway } from './proxy/proxy-gateway';
import { DECISION_REPLAYS, serveDecisionReplay } from './pods/decision-replay';
import { SCHEDULER_CAPTURES, serveSchedulerCapture } from './pods/scheduler-capture';
import { PLACEMENT_PLANS, servePlacementPlan } from './pods/placement-plan';
import { REBALANCE_PLANS, serveRebalancePlan } from './pods/rebalance-plan';
import {
  PLACEMENT_REVIEWS,
  servePlacementReview,
  type PlacementReviewDeps,
} from './pods/placement-review';
import { RestApi } from './rest/rest-api';
import { RoundPacer } from '../../lib/async/round-pacer';
import { WatchLimit } from './rest/watch-limit';
import { cachedServices, WebhookClient } from './webhook-client';
import type { Pod } from '../../api/types';
import { issuePodToken, type PodTokenOrder } from './auth/pod-token';
import { IpAddresses } from './services/ip-addresses';
import { ensureSystemObjects } from './system-objects';

export interface ApiServerDeps {
  readonly store: Store;
  readonly caches: WatchCaches;
  readonly tls: TlsMaterial;
  /** PEM of the RSA key that signs the tokens of service accounts. Default: one that is not kept. */
  readonly serviceAccountKey?: () => Promise<string>;
  readonly nodeConnections: NodeConnections;
  readonly virtualResources: readonly VirtualResource[];
  /** Answers placement reviews. Default: they are not served. */
  readonly placements?: Placements;
  /** Answered beside the server's own. Default: none. */
  readonly moreMetrics?: readonly { lines(): readonly string[] }[];
  /** Answers /v2/ for authenticated callers: images for the nodes. */
  readonly registry?: { handle(request: IncomingMessage, response: ServerResponse): void };
  /** Counts of objects that components could not handle, for /metrics. */
  readonly objectFaults?: { series(): readonly (readonly [string, number])[] };
  /** When this server's certificates begin and end, for /metrics. */
  readonly certificates?: () => Readonly<Record<string, CertificateLife>>;
  /** Tells this server from the others that share the store. Default: there are none. */
  readonly serverId?: string;
  /** How long pods stay on a node that is gone, unless they say otherwise. Default 300 s. */
  readonly evictionSeconds?: number;
  /** How long a stream of exec, attach or portforward may carry nothing. Default four hours. */
  readonly streamIdleMs?: number;
  /** Asks webhooks. Default: by HTTPS. */
  readonly webhookCalls?: WebhookCalls;
  /** Where services have their addresses from. Default: as a server's without options. */
  readonly network?: ClusterNetwork;
  /** Rules of other rooms: asked after this room's own. Default: none. */
  readonly admissionPlugins?: readonly AdmissionPlugin[];
  /** Writes down who does what. Default: nobody does. */
  readonly auditor?: Auditor;
  /** Knows users by the tokens of another issuer. Default: there is none. */
  readonly oidc?: TokenAuthenticator;
  /** Are requests without a name for this path answered, as far as roles allow it? Default: none is. */
  readonly takesAnonymous?: (path: string) => boolean;
  /** How much may be kept for clients. Default: enough for a few hundred. */
  readonly budget?: ApiServerBudget;
  /** What this process is at, and how late it runs. Default: not measured. */
  readonly activities?: Activities;
  readonly lag?: () => LagHistogram;
  /** Default: nothing is traced. */
  readonly tracing?: Tracing;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of this program: `0.1.0`. */
  readonly version: string;
}

interface ApiServerBudget extends ListenerBudget {
  readonly watchesMax: number;
  readonly customVersionsMax: number;
  readonly snapshotBytes: number;
  readonly conversionBytes: number;
}

const DEFAULT_BUDGET: ApiServerBudget = {
  watchesMax: 1600,
  customVersionsMax: 500,
  connectionsMax: 2000,
  bodyBytes: 32 * 1024 * 1024,
  unreadBytes: 32 * 1024 * 1024,
  snapshotBytes: 32 * 1024 * 1024,
  conversionBytes: 16 * 1024 * 1024,
};

export interface ApiServer extends AsyncDisposable {
  /** The API for components in this process. Usable at once, without `listen`. */
  readonly client: ApiClient;
  /** The same for what only the leader may do: its writes are refused once the term is over. */
  readonly clientWithin: (term: () => Term) => ApiClient;
  /** What is served, which may change at any time. */
  readonly kinds: KindRegistry;
  /** A token of the pod's account, for the API where no audience is named; it ends with the pod. */
  readonly issueToken: (pod: Pod, order: PodTokenOrder, signal: AbortSignal) => Promise<string>;
  /** One request without a socket, for tests. */
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** A request to upgrade, which a test sees refused. @throws ApiError */
  upgrade(request: ApiRequest, connection: UpgradingConnection): Promise<void>;
  /** Creates the system namespaces, then takes connections. */
  listen(address: ListenAddress): Promise<AddressInfo>;
  /** Uses another server certificate for new connections. */
  renew(tls: TlsMaterial): void;
}

/** The Kubernetes REST API over a store. */
export const createApiServer = (deps: ApiServerDeps): ApiServer => {
  const { random, nodeConnections: nodes, registry, log, budget = DEFAULT_BUDGET } = deps;
  const kinds = new KindRegistry(deps.virtualResources);
  kinds.add(apiServiceKind(new LocalApiServices(kinds, reviewsOf(deps), deps.clock.now())));
  kinds.add(ipAddressKind(new IpAddresses(() => deps.caches.of(qualifiedName(SERVICES)))));
  const authorizer = new Authorizer(cachedRoles(deps.caches), cachedPods(deps.caches));
  const webhooks = webhooksFor(deps);
  const service = createObjectService({ ...deps, ...budget, kinds, authorizer, webhooks });
  const client = new InProcessClient(service, deps.tracing);
  const metrics = new RequestMetrics();
  const background = new TaskGroup();
  followKinds(service, metrics, background);
  const conversions = webhooks.conversionsWithin(budget);
  const customKinds = CustomKinds.start({ ...deps, client }, kinds, conversions, background);
  const isOutdated = outdatedNodes(deps.caches);
  const stopping = new AbortController();
  const heavyLane = new HeavyLane();
  const watchLimit = new WatchLimit(budget.watchesMax);
  const watchPacer = new RoundPacer(deps.clock);
  const gateways = gatewaysOf(deps, service);
  const handler = new ApiHandler({
    kinds,
    authorizer,
    tokens: service.tokens,
    metrics,
    isOutdated,
    takesAnonymous: deps.takesAnonymous ?? (() => false),
    ...askedForIn(deps),
    scrape: () => metricsResponse(metrics, kinds, { ...deps, webhooks: webhooks.metrics }),
    activities: deps.activities ?? new Activities(),
    inFlight: new InFlightLimit(deps.clock),
    rest: new RestApi({ service, nodes, ...gateways, random, heavyLane, watchLimit, watchPacer }),
    ...gateways,
    checks: healthChecks(deps, kinds, stopping.signal),
    ...{ clock: deps.clock, streamIdleMs: deps.streamIdleMs ?? STREAM_IDLE_MS },
    version: versionInfo(deps.version),
    ...besidesObjects(deps, { service, authorizer, heavyLane, client }, kinds),
  });
  const listener = new HttpsListener(
    deps.tls,
    budget,
    {
      handle: (request) => handler.handle(request),
      upgrade: (request, raw, socket, head) => handler.upgrade(request, { raw, socket, head }),
      isOutdated,
      ...(registry === undefined ? {} : { registry: (...args) => registry.handle(...args) }),
    },
    log,
  );
  return {
    client,
    clientWithin: (term) => new InProcessClient(service, deps.tracing, term),
    kinds,
    issueToken: (...args) => issuePodToken(service, ...args),
    handle: (request) => handler.handle(request),
    upgrade: (request, connection) => handler.upgrade(request, connection),
    listen: async (address) => {
      await ensureSystemObjects(client);
      await customKinds.whenSynced();
      return listener.listen(address);
    },
    renew: (tls) => listener.renew(tls),
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await listener[Symbol.asyncDispose]();
      await background[Symbol.asyncDispose]();
      for (const each of webhooks.clients) each[Symbol.dispose]();
    },
  };
};

/** What is there only when the operator asks for it. */
const askedForIn = ({ auditor, oidc, tracing }: ApiServerDeps) => ({
  ...(auditor === undefined ? {} : { auditor }),
  ...(oidc === undefined ? {} : { oidc }),
  ...(tracing === undefined ? {} : { tracing }),
});

/** What leads on to containers. */
const gatewaysOf = (
  { nodeConnections: nodes, clock, random }: ApiServerDeps,
  service: ObjectService,
) => ({
  exec: new ExecGateway({ service, nodes }),
  portForward: new PortForwardGateway({ service, nodes, clock }),
  proxies: new ProxyGateway({ service, nodes, clock, random }),
});

type Parts = Omit<PlacementReviewDeps, 'placements'> & { readonly client: ApiClient };

/** What is answered that is no object: questions, and what describes the API. */
const besidesObjects = (deps: ApiServerDeps, parts: Parts, kinds: KindRegistry) => {
  const { tokens } = parts.service;
  const openApi = new OpenApi(kinds, reviewsOf(deps));
  return {
    discovery: new Discovery(kinds, reviewsOf(deps)),
    reviews: [
      (request: ApiRequest) => serveReview(request, parts.authorizer, { tokens, oidc: deps.oidc }),
      placementReviews(deps, parts),
      placementPlans(deps, parts),
      rebalancePlans(deps, parts),
      decisionReplays(deps, parts),
      schedulerCaptures(deps, parts),
      (request: ApiRequest) => serveConnectionReview(request, parts),
    ],
    paths: [
      (request: ApiRequest) => serveIssuer(request, tokens),
      (request: ApiRequest) => openApi.serve(request),
    ],
  };
};

const webhooksFor = ({ clock, random, caches, webhookCalls }: ApiServerDeps) => {
  const resolveService = cachedServices(caches, random);
  const admission = new WebhookClient({ clock, resolveService });
  // Apart from the others: what converts may be silent without keeping what admits from its calls.
  const limits = { answerBytesPerByte: 4 };
  const conversion = new WebhookClient({ clock, resolveService, limits });
  const converting = webhookCalls ?? conversion;
  return {
    clients: [admission, conversion],
    calls: webhookCalls ?? admission,
    metrics: new WebhookMetrics(),
    conversionsWithin: ({ conversionBytes: bytesMax }: ApiServerBudget) =>
      new Conversions({ call: (...asked) => converting.call(...asked), clock, bytesMax }),
  };
};

/** Caches of all that is stored, and no more of what is not. */
const followKinds = (
  { kinds, reader }: ObjectService,
  metrics: RequestMetrics,
  background: TaskGroup,
): void => {
  // A cache remembers only what came after its start: begin before the first client does.
  for (const kind of kinds.stored()) reader.cacheOf(kind);
  kinds.onChange(({ added, removed }) => {
    for (const kind of added) if (kind.virtual === undefined) reader.cacheOf(kind);
    for (const kind of removed) {
      // Another version of it may go on.
      if (isStored(kinds, storeNameOf(kind))) continue;
      metrics.forget(storeNameOf(kind));
      background.run(() => reader.forget(kind));
    }
  });
};

const isStored = (kinds: KindRegistry, name: string): boolean =>
  kinds.stored().some((kind) => storeNameOf(kind) === name);

/** What one can only ask. */
const reviewsOf = ({ placements }: ApiServerDeps) =>
  placements === undefined
    ? [...REVIEWS, CONNECTION_REVIEWS]
    : [
        ...[...REVIEWS, CONNECTION_REVIEWS, PLACEMENT_REVIEWS, PLACEMENT_PLANS],
        ...[REBALANCE_PLANS, DECISION_REPLAYS, SCHEDULER_CAPTURES],
      ];

const placementReviews =
  ({ placements }: ApiServerDeps, parts: Parts) =>
  async (request: ApiRequest): Promise<ApiResponse | undefined> =>
    placements && servePlacementReview(request, { ...parts, placements });

const placementPlans =
  ({ placements }: ApiServerDeps, parts: Parts) =>
  async (request: ApiRequest): Promise<ApiResponse | undefined> =>
    placements && servePlacementPlan(request, { ...parts, placements });

const rebalancePlans =
  ({ placements }: ApiServerDeps, { authorizer }: Parts) =>
  async (request: ApiRequest): Promise<ApiResponse | undefined> =>
    placements && serveRebalancePlan(request, { authorizer, placements });

const decisionReplays =
  ({ placements }: ApiServerDeps, { authorizer }: Parts) =>
  async (request: ApiRequest): Promise<ApiResponse | undefined> =>
    placements && serveDecisionReplay(request, { authorizer, placements });

const schedulerCaptures =
  ({ placements }: ApiServerDeps, { authorizer }: Parts) =>
  async (request: ApiRequest): Promise<ApiResponse | undefined> =>
    placements && serveSchedulerCapture(request, { authorizer, placements });

const cachedPods = (caches: WatchCaches): PodReader => ({
  pod: (namespace, name) => caches.of('pods').get(namespace, name)?.object,
  podsIn: (namespace) =>
    caches
      .of('pods')
      .list(namespace)
      .items.map(({ object }) => object),
});

/** A node's certificate is of the Node for which it was made: deleting that takes the machine out. */
const outdatedNodes =
  (caches: WatchCaches) =>
  (user: User): boolean => {
    const nodeName = nodeNameOf(user);
    if (nodeName === undefined || user.keyHash === undefined) return false;
    return !isNodeKey(caches.of('nodes').get('', nodeName)?.object, user.keyHash);
  };

/** By upstream's names, where upstream has them. */
const healthChecks = (
  { store, caches }: ApiServerDeps,
  kinds: KindRegistry,
  stopping: AbortSignal,
): readonly HealthCheck[] => [
  { name: 'ping', endpoints: ['livez', 'readyz', 'healthz'], check: async () => undefined },
  {
    name: 'etcd',
    endpoints: ['readyz', 'healthz'],
    check: (signal) => store.currentVersion(signal),
  },
  {
    name: 'informer-sync',
    endpoints: ['readyz'],
    check: (signal) =>
      Promise.all(kinds.stored().map((kind) => caches.of(storeNameOf(kind)).ready(signal))),
  },
  {
    name: 'shutdown',
    endpoints: ['readyz'],
    check: async () => {
      if (stopping.aborted) throw new Error('process is shutting down');
    },
  },
];

const STREAM_IDLE_MS = 4 * 3_600_000;
