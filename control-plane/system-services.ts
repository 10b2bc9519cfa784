import { familyOf } from '../lib/net/ip';
import { apiAddressOf, type ClusterNetwork } from '../api/cluster-network';
import { hasReason } from '../api/errors';
import { jsonEqual } from '../api/json-value';
import {
  apiVersionOf,
  ENDPOINT_SLICES,
  ENDPOINTS,
  SERVICES,
  type Resource,
} from '../api/resources';
import { isHeadless, needsAddress } from '../api/service-fields';
import { nameOf, type ApiObject, type Service } from '../api/types';
import type { ApiClient, DraftOf } from '../client/api-client';
import { validateNonSpecialIp } from '../api/validation/addresses';
import { Alarm } from '../lib/async/alarm';
import type { Clock } from '../lib/clock';
import type { Log } from '../lib/log';
import type { Servers } from './store';

export interface SystemServicesDeps {
  readonly client: ApiClient;
  readonly network: ClusterNetwork;
  /** Where this server is reached by nodes and pods. Without one nobody is led to it. */
  readonly apiAddress: string | undefined;
  readonly apiPort: number;
  /** Where the API is: of all servers that live, this one among them or not. */
  readonly servers: Pick<Servers, 'live' | 'onChange'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The services by which pods reach the API and their resolver, as upstream's: made, and made good again
 * when somebody has changed or deleted them. Runs until `signal` aborts.
 */
export const keepSystemServices = async (
  deps: SystemServicesDeps,
  signal: AbortSignal,
): Promise<void> => {
  const alarm = new Alarm(deps.clock);
  const ignore = deps.servers.onChange(() => alarm.wake());
  try {
    while (!signal.aborted) {
      const { wakes } = alarm;
      await ensureSystemServices(deps, signal);
      await alarm.sleep(INTERVAL_MS, signal, wakes);
    }
  } finally {
    ignore();
  }
};

/** One round. What cannot be made now is said in the log, and tried again in the next. */
export const ensureSystemServices = async (
  deps: SystemServicesDeps,
  signal?: AbortSignal,
): Promise<void> => {
  for (const step of [keepApiService, keepApiEndpoints, keepDnsService, giveAddresses])
    try {
      await step(deps, signal);
    } catch (error) {
      if (signal?.aborted === true) return;
      deps.log.error({ err: error }, 'a system service is not as it should be');
    }
};

const keepApiService = (deps: SystemServicesDeps, signal?: AbortSignal): Promise<void> =>
  keepService(
    deps,
    serviceOf(API_NAME, [apiAddressOf(deps.network)], API_LABELS, [
      { name: 'https', port: 443, protocol: 'TCP', targetPort: deps.apiPort },
    ]),
    signal,
  );

const keepDnsService = async (deps: SystemServicesDeps, signal?: AbortSignal): Promise<void> => {
  if (deps.network.clusterDns.length > 0)
    await keepService(
      deps,
      // No selector: each node answers by itself.
      serviceOf(DNS_NAME, deps.network.clusterDns, { 'k8s-app': DNS_NAME.name }, [
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
        { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
      ]),
      signal,
    );
};

const keepApiEndpoints = async (deps: SystemServicesDeps, signal?: AbortSignal): Promise<void> => {
  const { client, apiPort } = deps;
  const addresses = apiAddressesOf(deps);
  const [first] = addresses;
  if (first === undefined) {
    await orMissing(client.delete(ENDPOINT_SLICES, API_NAME, {}, signal));
    await orMissing(client.delete(ENDPOINTS, API_NAME, {}, signal));
    return;
  }
  const ports = [{ name: 'https', port: apiPort, protocol: 'TCP' }];
  await keep(
    client,
    ENDPOINT_SLICES,
    {
      ...headOf(ENDPOINT_SLICES, API_NAME, { 'kubernetes.io/service-name': API_NAME.name }),
      addressType: familyOf(first) === 6 ? 'IPv6' : 'IPv4',
      endpoints: addresses.map((each) => ({ addresses: [each], conditions: { ready: true } })),
      ports,
    },
    signal,
  );
  await keep(
    client,
    ENDPOINTS,
    {
      ...headOf(ENDPOINTS, API_NAME, { 'endpointslice.kubernetes.io/skip-mirror': 'true' }),
      subsets: [{ addresses: addresses.map((ip) => ({ ip })), ports }],
    },
    signal,
  );
};

/** Those of one family and port, which the service has one of: that of this server where it has any. */
const apiAddressesOf = ({
  apiAddress,
  apiPort,
  servers,
}: SystemServicesDeps): readonly string[] => {
  const others = servers
    .live()
    .filter(({ api }) => api.port === apiPort && isReachable(api.host))
    .map(({ api }) => api.host);
  const all = [...(apiAddress === undefined ? [] : [apiAddress]), ...others];
  const [first = ''] = all;
  const family = familyOf(first);
  return [...new Set(all.filter((each) => familyOf(each) === family))].sort();
};

/** By others than this machine: an address that an Endpoints object may name. */
export const isReachable = (address: string): boolean =>
  familyOf(address) !== undefined && validateNonSpecialIp(address, '').length === 0;

/** To services that were stored before there were any. An update that changes nothing is enough. */
const giveAddresses = async ({ client }: SystemServicesDeps, signal?: AbortSignal) => {
  for (const service of (await client.list(SERVICES, {}, signal)).items)
    if (lacksAddress(service))
      await orMissing(client.patch(SERVICES, nameOf(service), 'merge', {}, {}, signal));
};

const lacksAddress = ({ spec }: Service): boolean =>
  spec !== undefined &&
  needsAddress(spec) &&
  !isHeadless(spec) &&
  (spec.clusterIPs ?? []).length === 0;

/** An address cannot be changed: with another range it is another service of the name. */
const keepService = async (
  { client }: SystemServicesDeps,
  wanted: Wanted,
  signal?: AbortSignal,
): Promise<void> => {
  const current = await orMissing(client.get(SERVICES, nameOf(wanted as ApiObject), signal));
  const address = (wanted['spec'] as { readonly clusterIP: string }).clusterIP;
  if (current !== undefined && current.spec?.clusterIP !== address) {
    const { uid } = current.metadata;
    const preconditions = uid === undefined ? {} : { uid };
    await client.delete(SERVICES, nameOf(current), { preconditions }, signal);
  }
  await keep(client, SERVICES, wanted, signal);
};

const keep = async <T extends ApiObject>(
  client: ApiClient,
  resource: Resource<T>,
  wanted: Wanted,
  signal?: AbortSignal,
): Promise<void> => {
  const name = nameOf(wanted);
  const current = await orMissing(client.get(resource, name, signal));
  if (current === undefined)
    await client.create(resource, wanted as unknown as DraftOf<T>, {}, signal);
  else if (!covers(current, wanted))
    await client.patch(resource, name, 'merge', wanted, {}, signal);
};

/** Has it all that is wanted? What else it has is somebody else's; null: there must be none. */
const covers = (current: unknown, wanted: unknown): boolean => {
  if (wanted === null) return current === undefined;
  if (typeof wanted !== 'object' || Array.isArray(wanted)) return jsonEqual(current, wanted);
  const members = (current ?? {}) as Readonly<Record<string, unknown>>;
  return Object.entries(wanted).every(([field, value]) => covers(members[field], value));
};

const serviceOf = (
  name: ObjectNames,
  clusterIPs: readonly string[],
  labels: Readonly<Record<string, string>>,
  ports: readonly object[],
): Wanted => ({
  ...headOf(SERVICES, name, labels),
  spec: {
    ...{ type: 'ClusterIP', clusterIP: clusterIPs[0] ?? '', clusterIPs, ports },
    ipFamilies: clusterIPs.map((ip) => (familyOf(ip) === 6 ? 'IPv6' : 'IPv4')),
    ipFamilyPolicy: clusterIPs.length > 1 ? 'RequireDualStack' : 'SingleStack',
    ...{ selector: null, sessionAffinity: 'None' },
  },
});

const headOf = (
  resource: Resource,
  name: ObjectNames,
  labels: Readonly<Record<string, string>>,
) => ({
  ...{ apiVersion: apiVersionOf(resource), kind: resource.kind },
  metadata: { ...name, labels },
});

const orMissing = async <T>(asked: Promise<T>): Promise<T | undefined> => {
  try {
    return await asked;
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined;
    throw error;
  }
};

interface ObjectNames {
  readonly namespace: string;
  readonly name: string;
}

type Wanted = ReturnType<typeof headOf> & Readonly<Record<string, unknown>>;

const API_NAME: ObjectNames = { namespace: 'default', name: 'kubernetes' };
const API_LABELS = { component: 'apiserver', provider: 'kubernetes' };
const DNS_NAME: ObjectNames = { namespace: 'kube-system', name: 'kube-dns' };
/** Upstream's. */
const INTERVAL_MS = 10_000;
