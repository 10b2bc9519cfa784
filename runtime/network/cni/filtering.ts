import { writeFileSync } from 'node:fs';

import type { CniNetwork } from './network-config';

/**
 * Why what a network's sandboxes send does not pass the node's rules; undefined: it does. Switches on
 * what bridges need for it: between two ports of one, packets are not routed.
 */
export const whyUnfiltered = (network: CniNetwork): string | undefined => {
  const around = network.plugins.find(({ type }) => GO_AROUND.has(type));
  if (around !== undefined)
    return `packets of the CNI plugin "${around.type}" do not pass the rules of the node`;
  const isBridged = network.plugins.some(({ type }) => type === 'bridge');
  if (!isBridged || BRIDGE_FILTERS.every(isOn)) return undefined;
  return 'packets between ports of a bridge do not pass the rules of the node: load the kernel module br_netfilter';
};

/** Their links are ends of the wire, or beside it. */
const GO_AROUND: ReadonlySet<string> = new Set([
  ...['macvlan', 'ipvlan', 'vlan', 'host-device', 'sriov', 'tap'],
]);

const isOn = (file: string): boolean => {
  try {
    writeFileSync(file, '1');
    return true;
  } catch {
    return false;
  }
};

/** Source: Documentation/networking/bridge.rst; there once the module is loaded. */
const BRIDGE_FILTERS = ['iptables', 'ip6tables'].map(
  (name) => `/proc/sys/net/bridge/bridge-nf-call-${name}`,
);
