import type { AttachRequest } from '../../pod-network';
import {
  hasCapability,
  isCapable,
  isSince,
  type CniNetwork,
  type PluginConfig,
} from './network-config';

/** What the runtime tells plugins that ask for it, by capability. @see CONVENTIONS.md of CNI */
export type CapabilityArgs = Readonly<Record<string, unknown>>;

/** Who is attached to a network, as garbage collection is told. */
export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}

interface Additions {
  readonly capabilityArgs?: CapabilityArgs | undefined;
  readonly prevResult?: unknown;
  readonly attachments?: readonly ValidAttachment[];
}

/** Pure: what one plugin of a network reads. */
export const pluginInput = (
  { name, cniVersion }: CniNetwork,
  plugin: PluginConfig,
  { capabilityArgs = {}, prevResult, attachments }: Additions,
): Readonly<Record<string, unknown>> => {
  const runtimeConfig = Object.fromEntries(
    Object.entries(capabilityArgs).filter(([capability]) => isCapable(plugin, capability)),
  );
  return {
    ...plugin,
    ...{ name, cniVersion },
    ...(Object.keys(runtimeConfig).length === 0 ? {} : { runtimeConfig }),
    ...(prevResult === undefined ? {} : { prevResult }),
    ...(attachments === undefined ? {} : { 'cni.dev/valid-attachments': attachments }),
  };
};

/** Only from then on is the result of the ADD told to who undoes it. */
export const prevResultForDel = (network: CniNetwork, result: unknown): unknown =>
  isSince(network, '0.4.0') ? result : undefined;

/**
 * Pure: what is asked of the network for a sandbox. @throws Error when a pod needs what no plugin of the
 * network does: it would go without in silence.
 * @param podCidrs this node's ranges, of which a network that takes `ipRanges` gives addresses
 */
export const capabilityArgsFor = (
  network: CniNetwork,
  { hostPorts = [], limits }: Pick<AttachRequest, 'hostPorts' | 'limits'>,
  podCidrs: readonly string[],
): CapabilityArgs => {
  const bandwidth = bandwidthArg(limits);
  const wanted: Record<string, unknown> = {
    ...(hostPorts.length === 0 ? {} : { portMappings: hostPorts.map(portMapping) }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
  };
  for (const capability of Object.keys(wanted))
    if (!hasCapability(network, capability))
      throw new Error(
        `no plugin of the CNI network "${network.name}" has the capability "${capability}", which ${NEEDED_FOR[capability] ?? 'the pod'} needs`,
      );
  return { ...wanted, ipRanges: podCidrs.map((subnet) => [{ subnet }]) };
};

const NEEDED_FOR: Readonly<Record<string, string>> = {
  portMappings: "the pod's hostPort",
  bandwidth: "the pod's bandwidth annotation",
};

const portMapping = ({
  hostPort,
  podPort,
  protocol,
  hostIp,
}: NonNullable<AttachRequest['hostPorts']>[number]) => ({
  ...{ hostPort, containerPort: podPort, protocol },
  // An address of the wildcard would hold the mapping to its family.
  ...(hostIp === '0.0.0.0' || hostIp === '::' ? {} : { hostIP: hostIp }),
});

const bandwidthArg = (limits: AttachRequest['limits'] = {}) => {
  const { ingressBitsPerSecond: ingress, egressBitsPerSecond: egress } = limits;
  if (ingress === undefined && egress === undefined) return undefined;
  return {
    ...(ingress === undefined ? {} : { ingressRate: ingress, ingressBurst: BURST_BITS }),
    ...(egress === undefined ? {} : { egressRate: egress, egressBurst: BURST_BITS }),
  };
};

/** In effect no limit of its own: upstream's. */
const BURST_BITS = 2 ** 31 - 1;
