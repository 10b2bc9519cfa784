import { type Clock, systemClock } from '../../lib/clock';
import { type Log } from '../../lib/log';
import { ipOf, rangeOf, type IpAddress, type IpFamily, type IpPrefix } from '../../lib/net/ip';
import { NetworkError } from './errors';
import { isInterfacePrefix } from './names';

export interface PodNetworkOptions {
  /** This node's ranges, as `10.244.3.0/24`: one, or one of each family, the more important first. */
  readonly podCidrs: readonly string[];
  /** Where peers reach this node, one of each family at most. Default: those on the way to the world. */
  readonly nodeAddresses?: readonly string[];
  /** Starts the name of every interface; one to six of `[a-z0-9]`, unique in the network namespace. */
  readonly interfacePrefix: string;
  /** Reached by pods under their own address. Default: this node's ranges and those of its peers. */
  readonly clusterCidrs?: readonly string[];
  /** What is sent to pods of other nodes is encrypted, or not sent. Default: it is not encrypted. */
  readonly encryption?: EncryptionOptions;
  readonly log: Log;
  readonly clock?: Clock;
}

/** This node's end of WireGuard. */
export interface EncryptionOptions {
  /** Of Curve25519, in base64, and clamped: as the kernel gives it back. */
  readonly privateKey: string;
  readonly publicKey: string;
  /** Of UDP, at the node's addresses. */
  readonly port: number;
}

export interface NetworkDeps {
  readonly podCidrs: readonly IpPrefix[];
  readonly families: readonly IpFamily[];
  readonly nodeAddresses: readonly IpAddress[];
  readonly prefix: string;
  readonly clusterCidrs: readonly string[] | undefined;
  readonly encryption: EncryptionOptions | undefined;
  readonly log: Log;
  readonly clock: Clock;
}

/** @throws NetworkError naming the option at fault */
export const parseOptions = (options: PodNetworkOptions): NetworkDeps => {
  const { interfacePrefix, clusterCidrs, encryption } = options;
  const podCidrs = options.podCidrs.map((text) => rangeOption('podCidrs', text));
  const families = podCidrs.map(({ address }) => address.family);
  if (podCidrs.length === 0 || new Set(families).size < families.length)
    throw invalid('podCidrs', options.podCidrs.join(), 'one range, or one of each family');
  const nodeAddresses = (options.nodeAddresses ?? []).map((text) => {
    const address = ipOf(text);
    if (address === undefined) throw invalid('nodeAddresses', text, 'an address');
    return address;
  });
  for (const text of clusterCidrs ?? []) rangeOption('clusterCidrs', text);
  if (!isInterfacePrefix(interfacePrefix)) {
    throw invalid('interfacePrefix', interfacePrefix, 'one to six of [a-z0-9], a letter first');
  }
  const { log, clock = systemClock } = options;
  const prefix = interfacePrefix;
  return { podCidrs, families, nodeAddresses, prefix, clusterCidrs, encryption, log, clock };
};

const rangeOption = (option: string, text: string): IpPrefix => {
  const range = rangeOf(text);
  if (range === undefined) throw invalid(option, text, 'a range');
  return range;
};

const invalid = (option: string, value: string, wanted: string): NetworkError =>
  new NetworkError('options', `${option} ${JSON.stringify(value)} is not ${wanted}`);
