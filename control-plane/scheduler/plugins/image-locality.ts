import type { NodeView } from '../node-info';
import type { ClusterView } from '../snapshot';
import { MAX_NODE_SCORE, type ScorePlugin } from './plugin';

/**
 * Prefers nodes that already hold bytes of the pod's images, layer by layer, so that an image
 * which shares a base with one on the node counts for the shared part. Each layer is weighed by the
 * share of nodes that hold it, as upstream does with images: otherwise one node would attract all.
 */
export const imageLocality: ScorePlugin = {
  name: 'ImageLocality',
  scope: 'domain',

  basis: ({ images }, cluster) =>
    images
      .flatMap((image) => cluster.layersOf(image) ?? [])
      .map(({ digest, sizeBytes }) => `${digest} ${sizeBytes} ${cluster.nodesHolding(digest)}`)
      .join(),

  prepare({ images }, cluster) {
    if (images.length === 0) return undefined;
    const maxBytes = MAX_CONTAINER_BYTES * images.length;
    return {
      score(node) {
        if (node.layers.size === 0) return 0;
        const bytes = Math.min(maxBytes, Math.max(MIN_BYTES, weighedBytes(images, node, cluster)));
        return Math.floor((MAX_NODE_SCORE * (bytes - MIN_BYTES)) / (maxBytes - MIN_BYTES));
      },
    };
  },
};

const weighedBytes = (
  images: readonly string[],
  { layers }: NodeView,
  cluster: ClusterView,
): number => {
  const counted = new Set<string>();
  let bytes = 0;
  for (const image of images) {
    for (const { digest, sizeBytes } of cluster.layersOf(image) ?? []) {
      if (counted.has(digest) || !layers.has(digest)) continue;
      counted.add(digest);
      bytes += sizeBytes * (cluster.nodesHolding(digest) / cluster.nodeCount);
    }
  }
  return bytes;
};

// Upstream's thresholds: below the first a pull is quick, above the second more makes no difference.
const MIN_BYTES = 23 * 1024 * 1024;
const MAX_CONTAINER_BYTES = 1000 * 1024 * 1024;
