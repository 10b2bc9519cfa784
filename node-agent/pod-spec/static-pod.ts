import type { Pod } from '../../api/types';

/** Annotations of pods that a node has from elsewhere than the server. Source: upstream's pod_update.go. */
export const CONFIG = {
  source: 'kubernetes.io/config.source',
  hash: 'kubernetes.io/config.hash',
  mirror: 'kubernetes.io/config.mirror',
  seen: 'kubernetes.io/config.seen',
} as const;

/** It comes from a file of this node; its mirror on the server counts too. */
export const isStatic = ({ metadata }: Pod): boolean =>
  (metadata.annotations?.[CONFIG.source] ?? 'api') !== 'api';
