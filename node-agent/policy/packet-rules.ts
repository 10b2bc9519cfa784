import type { Protocol } from '../../api/network-policies';
import type {
  AddressChunk,
  NodePolicy,
  NodePolicyPort,
  NodePolicyRule,
} from '../../api/network-policies/rows';
import type {
  AddressPort,
  PacketPolicy,
  PacketPorts,
  PacketRule,
  SandboxPolicies,
  TransportProtocol,
} from '../../runtime/packet-policies';

/** Pure: a policy as the kernel can hold it. */
export const packetPolicyOf = ({ ingress = [], egress = [] }: NodePolicy): PacketPolicy => ({
  ingress: ingress.map(packetRuleOf),
  egress: egress.map(packetRuleOf),
});

/**
 * Pure: what holds for a pod by its policies. One of them that is not known lets nothing pass, in either
 * direction.
 */
export const sandboxPoliciesOf = (
  keys: readonly string[],
  policy: (key: string) => NodePolicy | undefined,
): SandboxPolicies => {
  const about = (direction: 'ingress' | 'egress') =>
    keys.filter((key) => {
      const known = policy(key);
      return known === undefined || known[direction] !== undefined;
    });
  const [ingress, egress] = [about('ingress'), about('egress')];
  return {
    ...(ingress.length === 0 ? {} : { ingress }),
    ...(egress.length === 0 ? {} : { egress }),
  };
};

/** The ports of sets of ports, whose protocol their policies tell. */
export const addressPortsOf = (
  entries: AddressChunk['entries'],
  protocol: Protocol,
): readonly AddressPort[] =>
  entries.flatMap((entry) => {
    const [address = '', port = ''] = entry.split(' ');
    return port === '' ? [] : [{ address, protocol: transportOf(protocol), port: Number(port) }];
  });

/** By their ids: the sets of ports that a policy speaks of. */
export const portSetsIn = ({ ingress = [], egress = [] }: NodePolicy): [string, Protocol][] =>
  [...ingress, ...egress].flatMap(({ ports = [] }) =>
    ports.flatMap((port): [string, Protocol][] =>
      'set' in port ? [[port.set, port.protocol]] : [],
    ),
  );

const packetRuleOf = ({ peers, ports }: NodePolicyRule): PacketRule => ({
  ...(peers === undefined ? {} : { peers }),
  ...(ports === undefined ? {} : { ports: ports.map(packetPortsOf) }),
});

const packetPortsOf = (ports: NodePolicyPort): PacketPorts => {
  if ('set' in ports) return { portSet: ports.set };
  const protocol = transportOf(ports.protocol);
  const { port: first, endPort: last = first } = ports;
  return first === undefined || last === undefined ? { protocol } : { protocol, first, last };
};

const transportOf = (protocol: Protocol): TransportProtocol =>
  protocol.toLowerCase() as TransportProtocol;
