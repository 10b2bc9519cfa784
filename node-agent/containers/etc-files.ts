import { isIP } from 'node:net';

import type { Pod } from '../../api/types';

/** What a pod sees in /etc of its network. Pure. */
export interface EtcInput {
  readonly pod: Pod;
  readonly hostname: string;
  readonly podIp: string;
  /** The node's own /etc/hosts and /etc/resolv.conf. */
  readonly hostHosts: string;
  readonly hostResolvConf: string;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
}

/** The host name of a pod: its `hostname`, or its name cut to what a host name may be. */
export const hostnameOf = (pod: Pod, nodeName: string): string => {
  if (pod.spec.hostNetwork === true) return nodeName;
  const name = pod.spec.hostname ?? pod.metadata.name;
  return name.slice(0, 63).replace(/[-.]+$/, '');
};

/** The name under which the cluster's DNS may know a pod; undefined for one without a subdomain. */
const fullNameOf = ({ spec, metadata }: Pod, hostname: string, domain: string) =>
  spec.subdomain === undefined || spec.subdomain === ''
    ? undefined
    : `${hostname}.${spec.subdomain}.${metadata.namespace ?? ''}.svc.${domain}`;

/** What the kernel of a pod calls its host. @throws Error for a name that it does not take */
export const kernelNameOf = (pod: Pod, hostname: string, clusterDomain: string): string => {
  if (pod.spec.setHostnameAsFQDN !== true || pod.spec.hostNetwork === true) return hostname;
  const name = fullNameOf(pod, hostname, clusterDomain) ?? hostname;
  if (name.length > KERNEL_NAME_MAX)
    throw new Error(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${name} is too long ` +
        `(${KERNEL_NAME_MAX} characters is the max, ${name.length} characters requested)`,
    );
  return name;
};

/** Source: uname(2), `nodename`. */
const KERNEL_NAME_MAX = 64;

export const hostsFile = ({ pod, hostname, podIp, hostHosts, clusterDomain }: EtcInput): string => {
  const aliases = (pod.spec.hostAliases ?? []).map(
    ({ ip, hostnames = [] }) => `${ip ?? ''}\t${hostnames.join('\t')}`,
  );
  const extra = aliases.length === 0 ? [] : ['', '# Entries added by HostAliases.', ...aliases];
  if (pod.spec.hostNetwork === true) return [hostHosts.trimEnd(), ...extra, ''].join('\n');
  const fullName = fullNameOf(pod, hostname, clusterDomain);
  const names = fullName === undefined ? hostname : `${fullName}\t${hostname}`;
  return [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...(podIp === '' ? [] : [`${podIp}\t${names}`]),
    ...extra,
    '',
  ].join('\n');
};

const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;

interface Resolver {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export const resolvConf = (input: EtcInput): string => {
  const { spec } = input.pod;
  const base = baseResolver(input);
  const config = spec.dnsConfig ?? {};
  const configured = (config.options ?? []).map(({ name = '', value }) =>
    value === undefined || value === '' ? name : `${name}:${value}`,
  );
  const overridden = new Set(configured.map((option) => option.split(':')[0]));
  const merged = {
    nameservers: [...base.nameservers, ...(config.nameservers ?? [])],
    searches: [...base.searches, ...(config.searches ?? [])],
    options: [
      ...base.options.filter((option) => !overridden.has(option.split(':')[0])),
      ...configured,
    ],
  };
  return formatResolver(merged);
};

const baseResolver = ({ pod, hostResolvConf, clusterDns, clusterDomain }: EtcInput): Resolver => {
  const host = parseResolver(hostResolvConf);
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { nameservers: [], searches: [], options: [] };
  const usesCluster =
    clusterDns.length > 0 &&
    (policy === 'ClusterFirstWithHostNet' ||
      (policy === 'ClusterFirst' && pod.spec.hostNetwork !== true));
  if (!usesCluster) return host;
  const namespace = pod.metadata.namespace ?? '';
  return {
    nameservers: clusterDns,
    searches: [
      `${namespace}.svc.${clusterDomain}`,
      `svc.${clusterDomain}`,
      clusterDomain,
      ...host.searches,
    ],
    options: ['ndots:5'],
  };
};

const parseResolver = (text: string): Resolver => {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const of = (key: string) => lines.filter(([first]) => first === key).map(([, ...rest]) => rest);
  return {
    nameservers: of('nameserver')
      .map(([address = '']) => address)
      .filter((address) => isIP(address.split('%')[0] ?? '') !== 0),
    searches: of('search').at(-1) ?? [],
    options: of('options').flat(),
  };
};

const formatResolver = ({ nameservers, searches, options }: Resolver): string => {
  const search = [...new Set(searches)].slice(0, MAX_SEARCHES);
  return [
    ...(search.length === 0 ? [] : [`search ${search.join(' ')}`]),
    ...[...new Set(nameservers)]
      .slice(0, MAX_NAMESERVERS)
      .map((address) => `nameserver ${address}`),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
    '',
  ].join('\n');
};
