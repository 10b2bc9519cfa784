import { bytesOf, canonicalQuantity, formatBytes, formatQuantity } from '../../api/quantity';
import type { Container } from '../../api/types';
import type { Observations } from './pressure';
import type { PodUse } from './rank';
import { formatAmount, resourceOf, type StarvedResource, type Threshold } from './thresholds';

/** Pure: why a pod is evicted, in upstream's words (evictionMessage of pkg/kubelet/eviction/helpers.go). */
export const evictionMessage = (
  resource: StarvedResource,
  use: PodUse,
  met: readonly Threshold[],
  observations: Observations,
): string =>
  [
    `The node was low on resource: ${resource}. `,
    thresholdPart(resource, met, observations),
    ...containerParts(resource, use),
  ].join('');

const thresholdPart = (
  resource: StarvedResource,
  met: readonly Threshold[],
  observations: Observations,
): string => {
  for (const { signal, amount } of met) {
    const seen = observations[signal];
    if (resourceOf(signal) !== resource || seen === undefined) continue;
    const available = formatCount(seen.available, resource);
    return `Threshold quantity: ${formatAmount(amount, seen.capacity)}, available: ${available}. `;
  }
  return '';
};

const containerParts = (resource: StarvedResource, { pod, containers }: PodUse): string[] => {
  if (resource !== 'memory' && resource !== 'ephemeral-storage') return [];
  const { spec } = pod;
  return [...spec.containers, ...(spec.initContainers ?? [])].flatMap((container) => {
    const used = containers.find(({ name }) => name === container.name)?.used;
    const request = requestOf(container, resource);
    if (used === undefined || used <= bytesOf(request)) return [];
    return [
      `Container ${container.name} was using ${formatBytes(used)}, ` +
        `request is ${canonicalQuantity(request)}, has larger consumption of ${resource}. `,
    ];
  });
};

const requestOf = ({ resources }: Container, resource: string): string | number =>
  resources?.requests?.[resource] ?? '0';

const formatCount = (count: number, resource: StarvedResource): string =>
  resource === 'memory' || resource === 'ephemeral-storage'
    ? formatBytes(count)
    : formatQuantity({ nanos: BigInt(Math.round(count)) * 1_000_000_000n, format: 'DecimalSI' });
