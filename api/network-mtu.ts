import type { Node } from './types';

/** The largest packet that the interface of a node takes, which its peers must know. */
export const NETWORK_MTU_ANNOTATION = 'dhow.dev/network-mtu';

/** 0 when the node has not said. */
export const networkMtuOf = ({ metadata }: Pick<Node, 'metadata'>): number => {
  const text = metadata.annotations?.[NETWORK_MTU_ANNOTATION] ?? '';
  return /^\d{1,5}$/.test(text) ? Number(text) : 0;
};
