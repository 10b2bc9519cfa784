import { writeFileSync } from 'node:fs';

import { type HostPort } from '../pod-network';
import { NetworkError } from './errors';
import { familyOf, formatIp, ipOf, type IpAddress, type IpFamily } from '../../lib/net/ip';
import { IP_FAMILIES, nftOf } from './family';
import { addressIn } from './host';
import { sandboxInterfaces } from './names';
import { forgetDatagrams } from './netlink/conntrack';
import { decodeAddress, listAddresses } from './netlink/requests';
import { type NetlinkSocket } from './netlink/socket';
import { nft, type RuleSet } from './rule-set';
import { withoutTable } from './without-table';

interface HostPortsDeps {
  readonly prefix: string;
  readonly rules: RuleSet;
  readonly host: NetlinkSocket;
}

/**
 * Leads ports of the node to pods, for whoever asks: other machines, other pods, the node itself, also
 * by 127.0.0.1, and the pod that has the port. A table of its own, which nothing touches until the first
 * `sync`: what an earlier agent has set up goes on meanwhile.
 */
export class HostPorts {
  /** What datagrams were last led by; before the first `sync` nobody knows. */
  private datagrams: readonly HostPort[] = [];

  constructor(private readonly deps: HostPortsDeps) {}

  /**
   * Makes exactly these ports lead to pods. `interfaceOf`: the host end of the link to an address.
   * @throws NetworkError when there are ports and no nft.
   */
  async sync(
    ports: readonly HostPort[],
    nodeAddresses: readonly IpAddress[],
    interfaceOf: (ip: string) => string | undefined,
  ): Promise<void> {
    const { prefix, rules } = this.deps;
    const isSet = await rules.sync('host ports', hostPortRules(prefix, ports, nodeAddresses));
    if (!isSet && ports.length > 0)
      throw new NetworkError('host ports', 'nft is not installed: ports of the node lead nowhere');
    // Only now: what guards the node's loopback from pods is in the same transaction.
    for (const ip of new Set(ports.map(({ podIp }) => podIp))) allowLoopback(interfaceOf(ip));
    if (isSet) await this.redirectDatagrams(ports.filter(({ protocol }) => protocol === 'udp'));
  }

  /** Clients that have been sending since before the change are led anew. */
  private async redirectDatagrams(ports: readonly HostPort[]): Promise<void> {
    const changed = changedPorts(this.datagrams, ports);
    this.datagrams = ports;
    if (changed.length === 0) return;
    const { host, rules } = this.deps;
    const own = (await host.dump(listAddresses())).map(decodeAddress);
    const addresses = own.flatMap(({ address }) => address ?? []);
    const requests = changed.flatMap(({ hostIp, hostPort }) =>
      (isAny(hostIp) ? addresses : [ipOf(hostIp) ?? []].flat()).map((address) =>
        forgetDatagrams(address, hostPort),
      ),
    );
    await rules.forget(requests);
  }
}

/** Idempotent. */
export const removeHostPorts = async (prefix: string): Promise<void> => {
  await nft(withoutTable(tableNameOf(prefix)));
};

/** Pure. Of two that claim the same port, the first has it. */
export const hostPortRules = (
  prefix: string,
  ports: readonly HostPort[],
  nodeAddresses: readonly IpAddress[],
): string => {
  const table = tableNameOf(prefix);
  return (
    withoutTable(table) +
    IP_FAMILIES.map((family) => {
      const own = ports.filter((port) => isOf(family, port));
      const address = addressIn(nodeAddresses, family);
      return own.length === 0 ? '' : familyTable(prefix, family, own, address);
    }).join('')
  );
};

/** What pods have of a family is reached by the node's addresses of that family. */
const isOf = (family: IpFamily, { hostIp, podIp, protocol }: HostPort): boolean =>
  PROTOCOLS.includes(protocol) &&
  familyOf(podIp) === family &&
  (hostIp === ANY_IP || familyOf(hostIp) === family);

const familyTable = (
  prefix: string,
  family: IpFamily,
  ports: readonly HostPort[],
  nodeAddress: IpAddress | undefined,
): string => {
  const { word, type, loopback } = nftOf(family);
  const keyOf = ({ protocol, hostPort }: HostPort): string => `${protocol} . ${hostPort}`;
  const targetOf = ({ podIp, podPort }: HostPort): string => `${podIp} . ${podPort}`;
  const everywhere = elements(
    ports.filter(({ hostIp }) => isAny(hostIp)),
    keyOf,
    targetOf,
  );
  const atAddress = elements(
    ports.filter(({ hostIp }) => !isAny(hostIp)),
    (port) => `${port.hostIp} . ${keyOf(port)}`,
    targetOf,
  );
  const pods = [...new Set(ports.map(({ podIp }) => podIp))].sort();
  // An address that the answer comes back to: neither loopback nor the pod's own would.
  const hide = nodeAddress === undefined ? 'masquerade' : `snat to ${formatIp(nodeAddress)}`;
  return `
table ${word} ${tableNameOf(prefix)} {
  map at_address {
    type ${type} . inet_proto . inet_service : ${type} . inet_service
    ${atAddress}
  }
  map everywhere {
    type inet_proto . inet_service : ${type} . inet_service
    ${everywhere}
  }
  set own {
    type ${type} . ${type}
    elements = { ${pods.map((ip) => `${ip} . ${ip}`).join(', ')} }
  }
  chain lead {
    meta l4proto { tcp, udp, sctp } dnat ${word} to ${word} daddr . meta l4proto . th dport map @at_address
    meta l4proto { tcp, udp, sctp } dnat ${word} to meta l4proto . th dport map @everywhere
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump lead
  }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump lead
  }
  chain postrouting {
    type nat hook postrouting priority srcnat - 1; policy accept;
    oifname != "${sandboxInterfaces(prefix)}" accept
    ct status dnat ${word} saddr ${loopback} ${hide}
    ct status dnat ${word} saddr . ${word} daddr @own ${hide}
  }
}
`;
};

/** Pure: the ports that lead elsewhere than before, or no longer anywhere. */
export const changedPorts = (
  before: readonly HostPort[],
  now: readonly HostPort[],
): readonly HostPort[] => {
  const textOf = ({ hostIp, hostPort, podIp, podPort }: HostPort): string =>
    [hostIp, hostPort, podIp, podPort].join(' ');
  const [old, current] = [new Set(before.map(textOf)), new Set(now.map(textOf))];
  return [
    ...before.filter((port) => !current.has(textOf(port))),
    ...now.filter((port) => !old.has(textOf(port))),
  ];
};

const elements = (
  ports: readonly HostPort[],
  keyOf: (port: HostPort) => string,
  targetOf: (port: HostPort) => string,
): string => {
  const byKey = new Map<string, string>();
  for (const port of ports) if (!byKey.has(keyOf(port))) byKey.set(keyOf(port), targetOf(port));
  const list = [...byKey].map(([key, target]) => `${key} : ${target}`).sort();
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} }`;
};

/**
 * Lets packets of the node from 127.0.0.1 out on this link, and their answers in. What a pod itself
 * sends to the node's loopback is dropped by the firewall.
 */
const allowLoopback = (interfaceName: string | undefined): void => {
  if (interfaceName === undefined) return;
  try {
    writeFileSync(`/proc/sys/net/ipv4/conf/${interfaceName}/route_localnet`, '1');
  } catch {
    // /proc/sys is read-only, or the link has just gone: then all other ways in work.
  }
};

const tableNameOf = (prefix: string): string => `dhow-${prefix}-ports`;

const PROTOCOLS = ['tcp', 'udp', 'sctp'];
/** Of both families; the other of IPv6 alone. */
const ANY_IP = '0.0.0.0';
const isAny = (hostIp: string): boolean => hostIp === ANY_IP || hostIp === '::';
