import type { Pod } from '../../api/types';
import { nameOf, uidOf } from '../../api/types';
import type { EventReport } from '../outbox/event-outbox';
import { parseResolvConf, type ResolverConfig } from '../resolv-conf';

/** Whom pods ask for names, and how the cluster's names end. */
export interface ClusterNames {
  /** Empty: the cluster has no DNS. */
  readonly servers: readonly string[];
  readonly domain: string;
}

export interface PodDnsInput {
  readonly pod: Pod;
  /** The node's own resolv.conf. */
  readonly nodeResolvConf: string;
  readonly cluster: ClusterNames;
}

export interface PodDns {
  /** The pod's resolv.conf. */
  readonly text: string;
  /** What it does not have though it asked for it. */
  readonly events: readonly EventReport[];
}

/** How the containers of a pod find names. Pure. Source: the kubelet's `network/dns/dns.go`. */
export const podDnsOf = (input: PodDnsInput): PodDns => {
  const { config, events } = baseOf(input);
  const own = input.pod.spec.dnsConfig;
  const merged =
    own === undefined
      ? config
      : {
          nameservers: unique([...config.nameservers, ...(own.nameservers ?? [])]),
          searches: unique([...config.searches, ...(own.searches ?? [])]),
          options: mergeOptions(config.options, own.options ?? []),
        };
  const servers = fitNameservers(merged.nameservers);
  const searches = fitSearches(merged.searches);
  const { options } = merged;
  return {
    text: format({ nameservers: servers.kept, searches: searches.kept, options }),
    events: [...events, ...servers.events, ...searches.events],
  };
};

interface Base {
  readonly config: ResolverConfig;
  readonly events: readonly EventReport[];
}

const baseOf = ({ pod, nodeResolvConf, cluster }: PodDnsInput): Base => {
  const { dnsPolicy = 'ClusterFirst', hostNetwork } = pod.spec;
  if (dnsPolicy === 'None')
    return { config: { nameservers: [], searches: [], options: [] }, events: [] };
  const node = parseResolvConf(nodeResolvConf);
  const asksCluster =
    dnsPolicy === 'ClusterFirstWithHostNet' ||
    (dnsPolicy === 'ClusterFirst' && hostNetwork !== true);
  if (!asksCluster) return { config: node, events: [] };
  if (cluster.servers.length === 0) return { config: node, events: [missingDns(pod)] };
  const { namespace = '' } = pod.metadata;
  const { servers, domain } = cluster;
  const own = [`${namespace}.svc.${domain}`, `svc.${domain}`, domain];
  return {
    config: {
      nameservers: servers,
      searches: unique([...own, ...node.searches]),
      options: ['ndots:5'],
    },
    events: [],
  };
};

const missingDns = (pod: Pod): EventReport => {
  const { namespace, name } = nameOf(pod);
  return {
    type: 'Warning',
    reason: 'MissingClusterDNS',
    message:
      `pod: "${name}_${namespace}(${uidOf(pod)})". kubelet does not have ClusterDNS IP configured ` +
      'and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.',
  };
};

type PodOption = NonNullable<NonNullable<Pod['spec']['dnsConfig']>['options']>[number];

/** By name, the pod's own before the others. */
const mergeOptions = (options: readonly string[], own: readonly PodOption[]): readonly string[] => {
  const merged = new Map<string, string>();
  for (const option of options) {
    const [name = '', ...value] = option.split(':');
    merged.set(name, value.join(':'));
  }
  for (const { name = '', value = '' } of own) merged.set(name, value);
  return [...merged].map(([name, value]) => (value === '' ? name : `${name}:${value}`));
};

interface Fitted {
  readonly kept: readonly string[];
  readonly events: readonly EventReport[];
}

const fitNameservers = (nameservers: readonly string[]): Fitted => {
  if (nameservers.length <= NAMESERVERS_MAX) return { kept: nameservers, events: [] };
  const kept = nameservers.slice(0, NAMESERVERS_MAX);
  const what = 'Nameserver limits were exceeded, some nameservers have been omitted';
  return { kept, events: [omitted(`${what}, the applied nameserver line is: ${kept.join(' ')}`)] };
};

const fitSearches = (searches: readonly string[]): Fitted => {
  // A longer one makes some C libraries abort the program.
  const sound = searches
    .slice(0, SEARCHES_MAX)
    .filter((domain) => domain.length <= SEARCH_DOMAIN_MAX);
  const kept = [...sound];
  while (kept.join(' ').length > SEARCH_LINE_MAX) kept.pop();
  if (kept.length === searches.length) return { kept, events: [] };
  const what = 'Search Line limits were exceeded, some search paths have been omitted';
  return { kept, events: [omitted(`${what}, the applied search line is: ${kept.join(' ')}`)] };
};

const omitted = (message: string): EventReport => ({
  ...{ type: 'Warning', reason: 'DNSConfigForming' },
  message,
});

const unique = (values: readonly string[]): readonly string[] => [...new Set(values)];

/** In the order in which a container runtime writes it. */
const format = ({ nameservers, searches, options }: ResolverConfig): string =>
  [
    ...(searches.length === 0 ? [] : [`search ${searches.join(' ')}`]),
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
    '',
  ].join('\n');

/** Source: the limits of `pkg/apis/core/validation`. */
const NAMESERVERS_MAX = 3;
const SEARCHES_MAX = 32;
const SEARCH_LINE_MAX = 2048;
const SEARCH_DOMAIN_MAX = 253;
