import { amountsOf } from '../../api/pods';
import { bytesOf, parseQuantity, quantityMillis } from '../../api/quantity';
import { isHugePages } from '../../api/resource-names';
import type { Container, Pod } from '../../api/types';
import { limitsOf } from './container-limits';

/** What a pod may learn of itself and its node. */
export interface NodeView {
  readonly nodeName: string;
  /** One of each family at most, as the next. */
  readonly hostIps: readonly string[];
  /** Empty until it has some. */
  readonly podIps: readonly string[];
  readonly allocatableCpuMillis: number;
  readonly allocatableMemoryBytes: number;
}

export const nodeViewOf = (
  node: {
    readonly name: string;
    readonly ips: readonly string[];
    readonly cpuMillis: number;
    readonly memoryBytes: number;
  },
  podIps: readonly string[],
): NodeView => ({
  nodeName: node.name,
  hostIps: node.ips,
  podIps,
  allocatableCpuMillis: node.cpuMillis,
  allocatableMemoryBytes: node.memoryBytes,
});

/** The value of a `fieldRef`. @throws Error for a path that no field answers to. */
export const fieldValue = (pod: Pod, path: string, node: NodeView): string => {
  const { metadata, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(path);
  if (keyed !== null) {
    const map = keyed[1] === 'labels' ? metadata.labels : metadata.annotations;
    return map?.[keyed[2] ?? ''] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
    case 'spec.nodeName':
      return node.nodeName;
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? 'default';
    case 'status.hostIP':
      return node.hostIps[0] ?? '';
    case 'status.hostIPs':
      return node.hostIps.join();
    case 'status.podIP':
      return node.podIps[0] ?? '';
    case 'status.podIPs':
      return node.podIps.join();
    default:
      throw new Error(`unsupported fieldPath: ${path}`);
  }
};

/** `key="value"` lines, sorted by key, as downward API files have them. */
const formatMap = (map: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');

/** The value of a `resourceFieldRef`; a limit that is not set counts as the pod's, or else as the node's. */
export const resourceValue = (
  pod: Pod,
  container: Container,
  resource: string,
  divisor: string | undefined,
  node: NodeView,
): string => {
  const [list, ...rest] = resource.split('.');
  const name = rest.join('.');
  const chosen =
    list === 'limits' ? limitsOf(pod, container) : amountsOf(container.resources?.requests);
  const isUnset = (value: number) => list === 'limits' && value === 0;
  switch (name) {
    case 'cpu': {
      const millis = isUnset(chosen.cpuMillis) ? node.allocatableCpuMillis : chosen.cpuMillis;
      const unit = divisorOf(divisor, '1');
      return String(Math.ceil(millis / Number(quantityMillis(parseQuantity(unit)))));
    }
    case 'memory': {
      const bytes = isUnset(chosen.memoryBytes) ? node.allocatableMemoryBytes : chosen.memoryBytes;
      return String(Math.ceil(bytes / bytesOf(divisorOf(divisor, '1'))));
    }
    case 'ephemeral-storage':
      return String(Math.ceil(chosen.ephemeralStorageBytes / bytesOf(divisorOf(divisor, '1'))));
    default:
      if (!isHugePages(name)) throw new Error(`unsupported container resource: ${resource}`);
      return String(Math.ceil((chosen.others[name] ?? 0) / bytesOf(divisorOf(divisor, '1'))));
  }
};

const divisorOf = (divisor: string | undefined, fallback: string): string =>
  divisor === undefined || divisor === '0' || divisor === '' ? fallback : divisor;
