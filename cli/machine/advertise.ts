import { cidrContains, familyOf, ipOf, isLinkLocal } from '../../lib/net/ip';

/** An address of this machine, in the order in which the kernel has its interfaces. */
export interface LocalAddress {
  readonly interfaceName: string;
  readonly address: string;
}

export interface AddressChoice {
  readonly address: string;
  /** Why this one, in words for whoever has to judge it. */
  readonly reason: string;
}

/**
 * Pure: by which address others are to reach this machine. That of the way out, unless it is one that every virtual
 * machine has behind the NAT of its host: then another private one. Undefined where there is none at all.
 * @param outward what packets to the outside bear as their source, if there is a way out
 */
export const chooseAddress = (
  addresses: readonly LocalAddress[],
  outward: string | undefined,
): AddressChoice | undefined => {
  const usable = addresses.filter(isUsable);
  const ofWayOut = usable.find(({ address }) => address === outward);
  const others = usable.filter((each) => each !== ofWayOut && !isBehindNat(each.address));
  if (ofWayOut !== undefined && !isBehindNat(ofWayOut.address))
    return chosen(ofWayOut, 'the way out of this machine is by it');
  // Machines of a lab have a network of their own beside the way out; others have IPv4 before IPv6.
  const [other] = [...others].sort((a, b) => rankOf(a.address) - rankOf(b.address));
  if (other !== undefined) {
    const instead =
      ofWayOut === undefined
        ? 'there is no way out of this machine'
        : `${ofWayOut.address} of ${ofWayOut.interfaceName}, by which the way out is, is that of ` +
          'every machine behind such a NAT';
    const rest = others.filter((each) => each !== other).map(({ address }) => address);
    const also = rest.length === 0 ? '' : `; there are also ${rest.join(', ')}`;
    return chosen(other, instead + also);
  }
  if (ofWayOut === undefined) return undefined;
  return chosen(ofWayOut, 'there is no other, though other machines behind such a NAT have it too');
};

const chosen = ({ address, interfaceName }: LocalAddress, why: string): AddressChoice => ({
  address,
  reason: `of ${interfaceName}: ${why}`,
});

const isUsable = ({ interfaceName, address }: LocalAddress): boolean => {
  const ip = ipOf(address);
  return ip !== undefined && !isLinkLocal(ip) && !isLoopback(address) && !INNER.test(interfaceName);
};

const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';

const isBehindNat = (address: string): boolean =>
  NAT_RANGES.some((range) => cidrContains(range, address));

/** The lower, the likelier other machines are there. */
const rankOf = (address: string): number => {
  const isPrivate = PRIVATE_RANGES.some((range) => cidrContains(range, address));
  return (familyOf(address) === 4 ? 0 : 2) + (isPrivate ? 0 : 1);
};

/** Of VirtualBox and of QEMU's user network: the same in every machine. */
const NAT_RANGES = ['10.0.2.0/24', 'fec0::/64', 'fd17:625c:f037:2::/64'];
const PRIVATE_RANGES = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
];
/** Made for containers and virtual machines, Dhow's own among them: others do not reach them. */
const INNER =
  /^(lo|docker|br-|virbr|lxcbr|lxdbr|podman|veth|cni|flannel|cali|cilium|kube|vxlan|nodelocaldns|dh(v|i|wg|svc))/;
