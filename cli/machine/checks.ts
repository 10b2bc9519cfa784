import { DEFAULT_CLUSTER_NETWORK } from '../../api/cluster-network';
import { networkOf, prefixesOverlap } from '../../lib/net/ip';
import type { MachineFacts, Reached } from './facts';
import type { Finding } from '../output/findings';

/** As what a machine is to serve. */
export interface Role {
  /** Undefined: it is not to be a server. */
  readonly server?: { readonly ports: readonly number[] };
  /** Undefined: it is not to be a node. */
  readonly agent?: { readonly nodeName: string; readonly ingressPorts: readonly number[] };
  readonly podCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
}

/** Pure: what is right and wrong with a machine for what it is to be. Each check says something, and once. */
export const checkMachineFor = (facts: MachineFacts, role: Role): readonly Finding[] => [
  checkRoot(facts),
  checkSystemd(facts),
  ...(role.agent === undefined
    ? []
    : [
        checkOverlay(facts),
        checkNamespaces(facts),
        checkSeccomp(facts),
        checkCgroups(facts),
        checkNftables(facts),
        checkPrograms(facts),
        checkSwap(facts),
        checkName(role.agent.nodeName),
        checkForwarding(facts),
        checkLeftovers(facts),
        checkNetworks(facts, role),
      ]),
  ...(role.server === undefined ? [] : [checkEtcd(facts)]),
  checkPorts(facts, role),
  checkMemory(facts, role),
  checkDiskSpace(facts),
  checkDiskSpeed(facts, role),
];

const ok = (check: string, message: string): Finding => ({ check, severity: 'ok', message });
const warning = (check: string, message: string, remedy?: string): Finding => ({
  ...{ check, severity: 'warning', message },
  ...(remedy === undefined ? {} : { remedy }),
});
const error = (check: string, message: string, remedy?: string): Finding => ({
  ...{ check, severity: 'error', message },
  ...(remedy === undefined ? {} : { remedy }),
});

const checkRoot = ({ isRoot }: MachineFacts): Finding =>
  isRoot ? ok('root', 'yes') : error('root', 'this user is not root', 'use sudo');

const checkSystemd = ({ hasSystemd }: MachineFacts): Finding =>
  hasSystemd
    ? ok('systemd', 'runs this machine')
    : warning(
        'systemd',
        'does not run this machine: services are to be started by hand',
        'dhow server --config FILE, dhow agent --config FILE',
      );

const checkOverlay = ({ fileSystems, kernel }: MachineFacts): Finding =>
  fileSystems.includes('overlay')
    ? ok('overlayfs', 'there')
    : error(
        'overlayfs',
        `kernel ${kernel} has no overlayfs`,
        'modprobe overlay, or another kernel',
      );

const checkNamespaces = ({ namespaces, kernel }: MachineFacts): Finding => {
  const missing = NEEDED_NAMESPACES.filter((name) => !namespaces.includes(name));
  return missing.length === 0
    ? ok('namespaces', 'there')
    : error(
        'namespaces',
        `kernel ${kernel} has none of kind ${missing.join(', ')}`,
        'another kernel',
      );
};

const checkSeccomp = ({ hasSeccomp, kernel }: MachineFacts): Finding =>
  hasSeccomp
    ? ok('seccomp', 'there')
    : error('seccomp', `kernel ${kernel} has no filters of system calls`, 'another kernel');

const checkCgroups = ({ cgroups: { version, controllers } }: MachineFacts): Finding => {
  const missing = NEEDED_CONTROLLERS[version].filter((name) => !controllers.includes(name));
  if (missing.length === 0) return ok('cgroups', `version ${version}: ${controllers.join(', ')}`);
  const message = `version ${version} is without ${missing.join(', ')}: such limits of pods are not kept`;
  const remedy = missing.includes('memory')
    ? 'add cgroup_enable=memory to the command line of the kernel, and restart the machine'
    : 'mount them below /sys/fs/cgroup, or restart with systemd.unified_cgroup_hierarchy=1';
  // A pod without its share of the processors is slow; one without its limit of memory takes the machine along.
  return missing.every((name) => name === 'cpu')
    ? warning('cgroups', message, remedy)
    : error('cgroups', message, remedy);
};

const checkNftables = ({ nftProblem }: MachineFacts): Finding =>
  nftProblem === undefined
    ? ok('nftables', 'there')
    : error('nftables', `cannot be used: ${nftProblem}`, 'modprobe nf_tables');

const checkPrograms = ({ missingPrograms }: MachineFacts): Finding =>
  missingPrograms.length === 0
    ? ok('programs', 'there')
    : error(
        'programs',
        `missing: ${missingPrograms.join(', ')}`,
        `apt-get install -y ${missingPrograms.map((name) => PACKAGE_OF[name] ?? name).join(' ')}`,
      );

const checkSwap = ({ swapBytes }: MachineFacts): Finding =>
  swapBytes === 0
    ? ok('swap', 'none')
    : warning(
        'swap',
        `${mebibytes(swapBytes)} of it are on: pods may be slow where they should be told of their limit`,
        'swapoff -a, and take it out of /etc/fstab',
      );

const checkName = (name: string): Finding => {
  if (name === 'localhost')
    return error(
      'node-name',
      'this machine is named localhost, as every other may be',
      'hostnamectl set-hostname NAME, or --node-name NAME',
    );
  return NODE_NAME.test(name) && name.length <= NODE_NAME_MAX
    ? ok('node-name', name)
    : error(
        'node-name',
        `"${name}" is none: letters a-z, digits, "-" and "." between them, at most ${NODE_NAME_MAX}`,
        '--node-name NAME',
      );
};

const checkForwarding = ({ foreign: { drops } }: MachineFacts): Finding =>
  drops.length === 0
    ? ok('forwarding', "no others' rules drop packets of pods")
    : warning('forwarding', ...sentences(drops.join(' ')));

/** Who drops, and the command that helps. */
const sentences = (told: string): readonly [string, string?] => {
  const at = told.indexOf(' To let them pass: ');
  return at < 0 ? [told] : [told.slice(0, at), told.slice(at + 1)];
};

const checkLeftovers = ({ leftovers, foreign: { kubeChains } }: MachineFacts): Finding => {
  const found = [...leftovers, ...kubeChains.map((name) => `chain ${name}`)];
  return found.length === 0
    ? ok('leftovers', 'none of other orchestrators')
    : warning(
        'leftovers',
        `of another orchestrator: ${found.join(', ')}`,
        found.some((each) => each.includes('k3s'))
          ? 'k3s-killall.sh ends what runs of it, k3s-uninstall.sh removes it'
          : 'stop it (kubeadm reset for a kubelet): two of them write rules for the same packets',
      );
};

const checkNetworks = ({ networks }: MachineFacts, { podCidrs, serviceCidrs }: Role): Finding => {
  for (const [flag, ranges] of [
    ['cluster-cidr', podCidrs],
    ['service-cluster-ip-range', serviceCidrs],
  ] as const)
    for (const range of ranges) {
      const clash = networks.find((reached) => isInTheWay(range, reached));
      if (clash !== undefined)
        return error(
          'networks',
          `${range} is to be for ${flag === 'cluster-cidr' ? 'pods' : 'services'}, but ${clash.cidr} is reached by ${clash.interfaceName}`,
          `before the first start: ${flag} in server.yaml, with a range that is free`,
        );
    }
  return ok('networks', `${[...podCidrs, ...serviceCidrs].join(', ')} are free`);
};

/** Parts of the pods' range that are reached by way of other machines are those of other nodes. */
const isInTheWay = (range: string, { cidr, interfaceName, isVia }: Reached): boolean => {
  const [wanted, there] = [networkOf(range), networkOf(cidr)];
  if (wanted === undefined || there === undefined || OWN_INTERFACES.test(interfaceName))
    return false;
  return prefixesOverlap(wanted, there) && !(isVia && there.length > wanted.length);
};

const checkEtcd = ({ etcd }: MachineFacts): Finding => {
  if (etcd === undefined)
    return error(
      'etcd',
      'there is none on PATH',
      'apt-get install -y --no-install-recommends etcd-server',
    );
  const [major = 0, minor = 0] = etcd.split('.').map(Number);
  return major === 3 && minor >= 4
    ? ok('etcd', etcd)
    : error('etcd', `version ${etcd} is not 3.4 or newer`, 'a newer etcd on PATH');
};

const checkPorts = ({ listeners }: MachineFacts, { server, agent }: Role): Finding => {
  const takenOf = (ports: readonly number[]) =>
    listeners.filter(({ port, holder }) => ports.includes(port) && holder?.isOurs !== true);
  const taken = takenOf(server?.ports ?? []);
  const tell = (all: typeof listeners) =>
    all
      .map(
        ({ address, port, holder }) =>
          `port ${port} of ${address} is taken by ${holder === undefined ? 'another' : `${holder.name} (pid ${holder.pid})`}`,
      )
      .join('; ');
  if (taken.length > 0)
    return error('ports', tell(taken), 'end it, or choose others with --listen');
  const ingress = takenOf(agent?.ingressPorts ?? []);
  return ingress.length === 0
    ? ok('ports', 'free')
    : warning(
        'ports',
        `${tell(ingress)}: ingresses are not served there`,
        'ingress-http-port and ingress-https-port in agent.yaml; 0 for none',
      );
};

const checkMemory = ({ memoryBytes }: MachineFacts, { server, agent }: Role): Finding => {
  const least =
    (server === undefined ? 0 : SERVER_MIN_BYTES) + (agent === undefined ? 0 : AGENT_MIN_BYTES);
  const good =
    (server === undefined ? 0 : SERVER_GOOD_BYTES) + (agent === undefined ? 0 : AGENT_GOOD_BYTES);
  const has = mebibytes(memoryBytes);
  if (memoryBytes < least)
    return error('memory', `${has} are too little: ${mebibytes(least)} are needed`, 'more memory');
  return memoryBytes < good
    ? warning('memory', `${has} leave little for pods: ${mebibytes(good)} are better`)
    : ok('memory', has);
};

const checkDiskSpace = ({ freeBytes }: MachineFacts): Finding =>
  freeBytes < DISK_MIN_BYTES
    ? error(
        'disk-space',
        `${mebibytes(freeBytes)} are free below /var/lib/dhow: ${mebibytes(DISK_MIN_BYTES)} are needed`,
        'a larger disk',
      )
    : ok('disk-space', `${mebibytes(freeBytes)} free`);

const checkDiskSpeed = ({ fsyncMs }: MachineFacts, { server }: Role): Finding => {
  if (fsyncMs === undefined) return warning('disk-speed', 'not measured: nothing can be written');
  const took = `${fsyncMs.toFixed(1)} ms for a write that is to last`;
  return server !== undefined && fsyncMs > FSYNC_SLOW_MS
    ? warning(
        'disk-speed',
        `${took}: etcd wants less than 10 ms`,
        'a local disk, or one with a write cache that survives a power cut',
      )
    : ok('disk-speed', took);
};

const mebibytes = (bytes: number): string => `${Math.floor(bytes / MEBIBYTE)} MiB`;

/** As a server has them unless told of others. */
export const DEFAULT_RANGES = {
  podCidrs: [DEFAULT_CLUSTER_NETWORK.clusterCidr],
  serviceCidrs: [DEFAULT_CLUSTER_NETWORK.serviceClusterIpRange],
};

const NEEDED_NAMESPACES = ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'];
const NEEDED_CONTROLLERS = {
  1: ['cpu', 'memory', 'pids', 'freezer', 'devices'],
  2: ['cpu', 'memory', 'pids'],
} as const;
const PACKAGE_OF: Readonly<Record<string, string>> = { nft: 'nftables', umount: 'mount' };
const NODE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NODE_NAME_MAX = 253;
const OWN_INTERFACES = /^(lo$|\*$|dh(v|i|wg|svc))/;
const MEBIBYTE = 1 << 20;
const SERVER_MIN_BYTES = 350 * MEBIBYTE;
const SERVER_GOOD_BYTES = 450 * MEBIBYTE;
const AGENT_MIN_BYTES = 100 * MEBIBYTE;
const AGENT_GOOD_BYTES = 350 * MEBIBYTE;
const DISK_MIN_BYTES = 1024 * MEBIBYTE;
const FSYNC_SLOW_MS = 20;
