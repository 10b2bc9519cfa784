// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- the machine's own /etc
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { bandwidthAnnotations, bandwidthOf } from '../../api/bandwidth';
import { type Pod, uidOf } from '../../api/types';
import { describeError } from '../../lib/log';
import type { Sandbox } from '../../runtime/container-runtime';
import type { AttachRequest, BandwidthLimits } from '../../runtime/pod-network';
import { writeFileAtomic } from '../files';
import { groupOf, podResources } from '../pod-spec/cgroup-resources';
import { readNodeResolvConf } from '../resolv-conf';
import { hostnameOf, hostsFile, kernelNameOf } from './etc-files';
import { podDnsOf, type ClusterNames } from './pod-dns';
import { hasHostPorts, ownHostPorts } from '../pod-spec/host-ports';
import { runtimeHandlerOf } from '../pod-spec/runtime-handler';
import { podLabels, sandboxIdOf } from '../inventory/labels';
import type { PodDeps } from './pod-deps';

/** The namespaces and the address of a pod. */
export interface ReadySandbox {
  readonly id: string;
  /** One of each family that pods have, that it is known by first. */
  readonly podIps: readonly string[];
  /** As its kernel knows it. */
  readonly hostname: string;
  /** Target in containers → file on the host. */
  readonly etcFiles: ReadonlyMap<string, string>;
}

type SandboxDeps = Pick<
  PodDeps,
  | 'runtime'
  | 'network'
  | 'policies'
  | 'paths'
  | 'volumes'
  | 'node'
  | 'runtimeClass'
  | 'podPidsLimit'
  | 'groups'
  | 'cpus'
  | 'clusterNames'
  | 'resolvConfPath'
  | 'events'
  | 'speaksSctp'
>;

/**
 * Makes the sandbox be there, with network and files. Idempotent, also over restarts of the agent: what
 * there is already stays, whatever has become of its class and annotations.
 * @throws when this node has no runtime for the pod's class, or cannot read how it is to be limited
 */
export const ensureSandbox = async (
  deps: SandboxDeps,
  pod: Pod,
  signal: AbortSignal,
): Promise<ReadySandbox> => {
  const { runtime, node, podPidsLimit } = deps;
  const id = sandboxIdOf(uidOf(pod));
  const hostNetwork = pod.spec.hostNetwork === true;
  let handler: string | undefined;
  if (!runtime.sandboxes().some((sandbox) => sandbox.id === id)) {
    handler = runtimeHandlerOf(pod, deps.runtimeClass, runtime);
    if (!hostNetwork) limitsOf(pod.metadata.annotations);
    tellMissingSctp(deps, pod);
  }
  const shortName = hostnameOf(pod, node().name);
  const hostname = kernelNameOf(pod, shortName, deps.clusterNames().domain);
  const sysctls = pod.spec.securityContext?.sysctls ?? [];
  deps.groups.update();
  const sandbox = await runtime.createSandbox(
    {
      id,
      hostname,
      labels: { ...podLabels(pod), ...bandwidthAnnotations(pod.metadata.annotations) },
      hostNetwork,
      hostIpc: pod.spec.hostIPC === true,
      sysctls: Object.fromEntries(sysctls.map(({ name, value }) => [name, value])),
      cgroup: podResources(pod, podPidsLimit, deps.cpus.isOwner(uidOf(pod))),
      group: groupOf(pod),
      sharesProcesses: pod.spec.shareProcessNamespace === true,
      ...(handler === undefined ? {} : { handler }),
    },
    signal,
  );
  const { netnsPath } = sandbox;
  const network = netnsPath === undefined ? undefined : await deps.network.whenOpen(signal);
  if (network !== undefined) await deps.policies.prepare(uidOf(pod), signal);
  const podIps =
    network === undefined || netnsPath === undefined
      ? node().ips
      : (await network.attach(attachRequest(pod, sandbox, netnsPath), signal)).ips;
  if (hasHostPorts(pod.spec)) await deps.network.publishHostPorts();
  const etcFiles = writeEtcFiles(deps, pod, { hostname, shortName }, podIps);
  return { id, podIps, hostname, etcFiles };
};

/** It may carry a library of its own for it: the pod starts all the same. */
const tellMissingSctp = ({ events, speaksSctp }: SandboxDeps, pod: Pod): void => {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const isUsed = containers.some(({ ports = [] }) =>
    ports.some(({ protocol }) => protocol === 'SCTP'),
  );
  if (!isUsed || speaksSctp()) return;
  const message =
    'The kernel of the node does not speak SCTP, which the pod has ports of: its sockets cannot be opened';
  events.emit(pod, { type: 'Warning', reason: 'SCTPNotSupported', message });
};

/** Limits are as they were when the pod came: they are not changed under it. */
const attachRequest = (pod: Pod, { id, labels }: Sandbox, netnsPath: string): AttachRequest => ({
  ...{ sandboxId: id, netnsPath },
  limits: limitsOf(labels),
  hostPorts: ownHostPorts(pod),
  // Upstream's, which plugins know.
  pluginArgs: {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: pod.metadata.namespace ?? '',
    K8S_POD_NAME: pod.metadata.name,
    K8S_POD_INFRA_CONTAINER_ID: id,
    K8S_POD_UID: uidOf(pod),
  },
});

const limitsOf = (annotations: Readonly<Record<string, string>> | undefined): BandwidthLimits => {
  try {
    return bandwidthOf(annotations);
  } catch (error) {
    const message = `failed to get bandwidth info from annotations: ${describeError(error)}`;
    throw new Error(message, { cause: error });
  }
};

/** Removes namespaces, address and whatever still runs in them. Idempotent. */
export const removeSandbox = async (
  { runtime, network }: Pick<SandboxDeps, 'runtime' | 'network'>,
  uid: string,
): Promise<void> => {
  const id = sandboxIdOf(uid);
  await network.current?.release(id);
  await runtime.removeSandbox(id);
  // A network that is not open has nothing attached: interfaces go with their namespaces.
  await network.current?.detach(id);
};

const writeEtcFiles = (
  deps: SandboxDeps,
  pod: Pod,
  { hostname, shortName }: { readonly hostname: string; readonly shortName: string },
  podIps: readonly string[],
): ReadonlyMap<string, string> => {
  const { paths, volumes } = deps;
  const cluster = deps.clusterNames();
  const hosts = { pod, hostname: shortName, podIps, clusterDomain: cluster.domain };
  volumes.lend(paths.lentFolder(uidOf(pod)));
  const folder = paths.etcFolder(uidOf(pod));
  const contents: readonly (readonly [string, () => string])[] = [
    ['hosts', () => hostsFile({ ...hosts, hostHosts: readHostFile('/etc/hosts') })],
    ['hostname', () => `${hostname}\n`],
    ['resolv.conf', () => resolvConfOf(deps, pod, cluster)],
  ];
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  return new Map(
    contents.map(([name, textOf]) => {
      const path = join(folder, name);
      // Containers hold the file itself: it is made once and never replaced.
      if (!existsSync(path)) writeFileAtomic(path, textOf(), 0o644);
      return [`/etc/${name}`, path];
    }),
  );
};

const resolvConfOf = (
  { events, resolvConfPath }: SandboxDeps,
  pod: Pod,
  cluster: ClusterNames,
): string => {
  const nodeResolvConf = readNodeResolvConf(resolvConfPath);
  const dns = podDnsOf({ pod, nodeResolvConf, cluster });
  for (const event of dns.events) events.emit(pod, event);
  return dns.text;
};

const readHostFile = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};
