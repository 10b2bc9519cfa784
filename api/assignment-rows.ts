/** The kinds of rows of which a node's assignments are made, by the names they travel under. */
export const ROW = {
  pods: 'pods',
  secrets: 'secrets',
  configMaps: 'configmaps',
  runtimeClasses: 'runtimeclasses',
  /** The node itself: its labels and taints. */
  nodes: 'nodes',
  peers: 'peers',
} as const;

export type RowResource = (typeof ROW)[keyof typeof ROW];

/** Another node, as the routes to its pods need it. */
export interface Peer {
  readonly nodeName: string;
  readonly address: string;
  readonly podCidr: string;
  readonly unreachable: boolean;
  /** The largest packet that its interface takes; 0: not known. */
  readonly mtu: number;
}
