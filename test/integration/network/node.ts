/** Holds a pod network in the namespace it is started in; takes calls as JSON lines on stdin. */
import { createInterface } from 'node:readline';
import {
  createCniNetwork,
  createPodNetwork,
  destroyNetwork,
  requireWireguard,
  type EncryptionOptions,
} from '../../../runtime/network';
import type { PacketPolicies } from '../../../runtime/packet-policies';
import { describeError, silentLog, type Log } from '../../../lib/log';
import { type ServiceNetworkFacts, type ServicePort } from '../../../runtime/service-network';
import {
  type AttachRequest,
  type HostPort,
  type NetworkPeer,
  type PodNetwork,
} from '../../../runtime/pod-network';

export interface NodeOptions {
  readonly podCidrs: readonly string[];
  readonly nodeAddresses?: readonly string[];
  readonly interfacePrefix: string;
  readonly clusterCidrs?: readonly string[];
  readonly encryption?: EncryptionOptions;
  /** Then plugins make the links. */
  readonly cni?: {
    readonly configDir: string;
    readonly pluginPath: readonly string[];
    readonly recordDir: string;
    readonly pluginTimeoutMs?: number;
  };
}

type Maps<T> = {
  readonly [K in keyof T]: T[K] extends ReadonlyMap<string, infer V> ? Record<string, V> : T[K];
};

/** As they come over a pipe. */
export type WirePolicies = Maps<PacketPolicies>;

const policiesOf = (policies: WirePolicies): PacketPolicies => ({
  sandboxes: new Map(Object.entries(policies.sandboxes)),
  policies: new Map(Object.entries(policies.policies)),
  addressSets: new Map(Object.entries(policies.addressSets)),
  portSets: new Map(Object.entries(policies.portSets)),
  guardedAddresses: policies.guardedAddresses,
});

const warnings: unknown[] = [];
const log: Log = { ...silentLog, warn: (fields, message) => warnings.push({ message, ...fields }) };

const handlersOf = (network: PodNetwork, { interfacePrefix }: NodeOptions) => ({
  attach: (request: AttachRequest) => network.attach(request),
  attachAll: (requests: AttachRequest[]) => Promise.all(requests.map((one) => network.attach(one))),
  release: (sandboxId: string) => network.release(sandboxId),
  detach: (sandboxId: string) => network.detach(sandboxId),
  syncPeers: (peers: NetworkPeer[]) => network.syncPeers(peers),
  syncHostPorts: (ports: HostPort[]) => network.syncHostPorts(ports),
  syncPolicies: (policies: WirePolicies) => network.syncPolicies(policiesOf(policies)),
  configureServices: (facts: ServiceNetworkFacts) => network.services.configure(facts),
  applyServices: (changes: [string, ServicePort | null][]) =>
    network.services.apply(new Map(changes.map(([name, port]) => [name, port ?? undefined]))),
  checkServices: () => network.services.check(),
  attachments: () => Promise.resolve(network.attachments()),
  linkChanges: () => network.linkChanges(),
  memory: () => Promise.resolve(process.memoryUsage()),
  mtu: () => Promise.resolve(network.mtu),
  refusedPeers: () => Promise.resolve(network.refusedPeers),
  foreignDrops: () => network.foreignDrops(),
  peerWays: () => Promise.resolve(network.peerWays),
  requireWireguard,
  warnings: () => Promise.resolve(warnings),
  destroy: () => destroyNetwork(interfacePrefix),
});
export type NodeMethod = keyof ReturnType<typeof handlersOf>;

const main = async (): Promise<void> => {
  const options = JSON.parse(process.argv[2] ?? '{}') as NodeOptions;
  const { cni } = options;
  await using network = await (cni === undefined
    ? createPodNetwork({ ...options, log })
    : createCniNetwork({ ...options, ...cni, log }));
  const handlers = handlersOf(network, options) as Record<
    string,
    (argument: unknown) => Promise<unknown>
  >;
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const { method, argument } = JSON.parse(line) as { method: NodeMethod; argument: unknown };
    try {
      console.log(JSON.stringify({ value: (await handlers[method]?.(argument)) ?? null }));
    } catch (error) {
      console.log(JSON.stringify({ error: describeError(error) }));
    }
  }
};

main().catch((error: unknown) => {
  console.log(JSON.stringify({ error: describeError(error) }));
  process.exitCode = 1;
});
