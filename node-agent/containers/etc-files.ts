import { hostnameOverrideOf } from '../../api/pods';
import type { Pod } from '../../api/types';

/** What a pod sees in /etc/hosts. Pure. */
export interface EtcInput {
  readonly pod: Pod;
  readonly hostname: string;
  readonly podIps: readonly string[];
  /** The node's own /etc/hosts. */
  readonly hostHosts: string;
  readonly clusterDomain: string;
}

/** The host name of a pod: its `hostname`, or its name cut to what a host name may be. Overridden: KEP-4762. */
export const hostnameOf = (pod: Pod, nodeName: string): string => {
  if (pod.spec.hostNetwork === true) return nodeName;
  if (isOverridden(pod)) return hostnameOverrideOf(pod.spec);
  const name = pod.spec.hostname ?? pod.metadata.name;
  return name.slice(0, 63).replace(/[-.]+$/, '');
};

/** The name under which the cluster's DNS may know a pod; undefined for one without a subdomain. */
const fullNameOf = (pod: Pod, hostname: string, domain: string) => {
  const { spec, metadata } = pod;
  return spec.subdomain === undefined || spec.subdomain === '' || isOverridden(pod)
    ? undefined
    : `${hostname}.${spec.subdomain}.${metadata.namespace ?? ''}.svc.${domain}`;
};

const isOverridden = ({ spec }: Pod): boolean => hostnameOverrideOf(spec) !== '';

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

export const hostsFile = ({
  pod,
  hostname,
  podIps,
  hostHosts,
  clusterDomain,
}: EtcInput): string => {
  const aliases = (pod.spec.hostAliases ?? []).map(
    ({ ip, hostnames = [] }) => `${ip ?? ''}\t${hostnames.join('\t')}`,
  );
  const extra = aliases.length === 0 ? [] : ['', '# Entries added by HostAliases.', ...aliases];
  if (pod.spec.hostNetwork === true)
    return [
      '# Kubernetes-managed hosts file (host network).',
      hostHosts.trimEnd(),
      ...extra,
      '',
    ].join('\n');
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
    ...podIps.map((ip) => `${ip}\t${names}`),
    ...extra,
    '',
  ].join('\n');
};
