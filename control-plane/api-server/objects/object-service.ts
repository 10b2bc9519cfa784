import { randomUUID } from 'node:crypto';
import {
  clusterNetworkOf,
  DEFAULT_CLUSTER_NETWORK,
  type ClusterNetwork,
} from '../../../api/cluster-network';
import { NODES, qualifiedName, SERVICE_CIDRS, SERVICES } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import { Turns } from '../../../lib/async/turns';
import type { Clock } from '../../../lib/clock';
import type { Log } from '../../../lib/log';
import type { Random } from '../../../lib/random';
import type { Tracing } from '../../../lib/tracing/tracing';
import { makeSigningKey } from '../../../lib/signing-key';
import type { Store } from '../../store/store';
import type { WatchCache, WatchCaches } from '../../store/watch-cache';
import { AdmissionChain } from '../admission/admission-chain';
import type { AdmissionPlugin } from '../admission/admission-plugin';
import type { AdmissionReader } from '../admission/admission-reader';
import { RequestMatcher } from '../admission/matching';
import { admissionPlugins } from '../admission/plugins';
import { resourceQuota } from '../admission/quota/resource-quota';
import { storedQuotas } from '../admission/quota/stored-quotas';
import {
  HookCaller,
  mutatingHooks,
  convertObject,
  validatingHooks,
  type WebhookCalls,
  type WebhookMetrics,
  type WebhooksDeps,
} from '../admission/webhooks';
import type { Authorizer } from '../auth/authorizer';
import { ServiceAccountTokens } from '../auth/service-account-tokens';
import type { KindRegistry } from '../kinds/kind-registry';
import { serviceRanges } from '../services/service-ranges';
import { serviceAllocation } from '../services/service-allocation';
import { nodeRanges } from '../allocation/node-ranges';
import { AuthorizedStore } from './authorized-store';
import { ObjectDeleter } from './object-deleter';
import { ObjectReader } from './object-reader';
import { ObjectWatcher } from './object-watcher';
import { ObjectWriter } from './object-writer';

/** Everything that can be done with objects, behind both the REST API and the in-process client. */
export interface ObjectService {
  readonly kinds: KindRegistry;
  readonly reader: ObjectReader;
  readonly watcher: ObjectWatcher;
  readonly writer: ObjectWriter;
  readonly deleter: ObjectDeleter;
  /** For what is asked of objects without being stored: what is, meets it in the writer and deleter. */
  readonly admission: AdmissionChain;
  readonly tokens: ServiceAccountTokens;
  /** What rules look up: cached, or the newest state when the cache has none. */
  readonly find: AdmissionReader['find'];
  /** Of those who take from one object: at once, they would only make each other try again. */
  readonly turns: Turns;
  readonly clock: Clock;
}

export interface ObjectServiceDeps {
  readonly kinds: KindRegistry;
  readonly authorizer: Authorizer;
  readonly store: Store;
  readonly caches: WatchCaches;
  readonly clock: Clock;
  readonly random: Random;
  /** What the lists behind continue tokens may take up. */
  readonly snapshotBytes: number;
  /** How many versions of users' kinds may be served. */
  readonly customVersionsMax: number;
  readonly serviceAccountKey?: () => Promise<string>;
  /** Tells this server from the others that share the store. Default: there are none. */
  readonly serverId?: string;
  /** How long a pod stays on a node that is gone, unless it says otherwise. Default 300 s. */
  readonly evictionSeconds?: number;
  /** Asks the webhooks that configurations name. */
  readonly webhooks: { readonly calls: WebhookCalls; readonly metrics: WebhookMetrics };
  readonly log: Log;
  /** Where services have their addresses from. Default: as a server's without options. */
  readonly network?: ClusterNetwork;
  /** Rules of other rooms: asked after this room's own. Default: none. */
  readonly admissionPlugins?: readonly AdmissionPlugin[];
  /** Default: nothing is traced. */
  readonly tracing?: Tracing;
}

export const createObjectService = (deps: ObjectServiceDeps): ObjectService => {
  const { kinds, clock, network = clusterNetworkOf(DEFAULT_CLUSTER_NETWORK) } = deps;
  const reader = new ObjectReader(deps);
  const found = admissionReader(deps);
  const store = new AuthorizedStore(deps.store);
  const allocator = { server: deps.serverId ?? 'only', instance: randomUUID() };
  const allocating = { store: deps.store, allocator, clock };
  const admission = new AdmissionChain([
    ...admissionPlugins(
      found,
      { evictionSeconds: 300, ...deps },
      {
        webhooks: webhooksOf(deps, found),
        policies: { kinds, judge: deps.authorizer },
        random: deps.random,
      },
    ),
    serviceRanges({ network, reader: found }),
    nodeRanges({ cache: () => deps.caches.of(NODES.plural), ...allocating }),
    serviceAllocation({
      network,
      cache: () => deps.caches.of(SERVICES.plural),
      rangeCache: () => deps.caches.of(qualifiedName(SERVICE_CIDRS)),
      ...allocating,
      random: deps.random,
    }),
    ...(deps.admissionPlugins ?? []),
    // The last of all: nothing is taken for what another would still refuse.
    resourceQuota({
      ...deps,
      reader: found,
      store: storedQuotas({ ...deps, store, reader: found }),
    }),
  ]);
  const writer = new ObjectWriter({ ...deps, store, reader, admission });
  return {
    kinds,
    reader,
    watcher: new ObjectWatcher(reader, clock),
    writer,
    deleter: new ObjectDeleter({ reader, writer, admission, clock }),
    admission,
    tokens: new ServiceAccountTokens({
      signingKey: deps.serviceAccountKey ?? makeSigningKey,
      find: found.find,
      clock,
    }),
    find: found.find,
    turns: new Turns(),
    clock,
  };
};

const webhooksOf = (deps: ObjectServiceDeps, reader: AdmissionReader): WebhooksDeps => {
  const { caches, kinds, clock, log, webhooks, authorizer: judge } = deps;
  return {
    mutating: mutatingHooks(caches),
    validating: validatingHooks(caches),
    matcher: new RequestMatcher({ reader, kinds }),
    caller: new HookCaller({ ...webhooks, clock, log }),
    ...{ judge, convert: convertObject },
  };
};

/** The cache may lag behind a create, so what it lacks is looked up. */
const admissionReader = ({ store, caches }: ObjectServiceDeps): AdmissionReader => ({
  find: async (resource, namespace, name, signal) => {
    const cached = caches.of(resource).get(namespace, name);
    const found = cached ?? (await store.get({ resource, namespace, name }, signal));
    return found?.object;
  },
  findNewest: async (resource, namespace, name, signal) =>
    (await store.get({ resource, namespace, name }, signal))?.object,
  ready: (resource, signal) => caches.of(resource).ready(signal),
  list: (resource, namespace) => listed(caches.of(resource), namespace),
  listFresh: async (resource, namespace, signal) => {
    const cache = caches.of(resource);
    await cache.ready(signal);
    await cache.waitFresh(signal);
    return listed(cache, namespace);
  },
});

const listed = (cache: WatchCache, namespace?: string): readonly ApiObject[] =>
  cache.list(namespace).items.map(({ object }) => object);
