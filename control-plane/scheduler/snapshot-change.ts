import { jsonEqual } from '../../api/json-value';
import type { Node } from '../../api/types';
import type { PodInfo } from './pod-info';

/** One step of what a snapshot is made of: done again in order on its copy, it gives the same. */
export type SnapshotChange =
  | { readonly kind: 'node'; readonly node: Node }
  | { readonly kind: 'node-gone'; readonly name: string }
  | { readonly kind: 'placed'; readonly info: PodInfo; readonly nodeName: string }
  | { readonly kind: 'pod-gone'; readonly uid: string }
  | { readonly kind: 'nominated'; readonly info: PodInfo; readonly nodeName: string }
  | { readonly kind: 'nomination-ended'; readonly uid: string };

/** Is it to the rules as it was? Heartbeats change nothing. */
export const isSameToRules = (a: Node, b: Node): boolean =>
  jsonEqual(a.metadata.labels, b.metadata.labels) &&
  jsonEqual(a.metadata.annotations, b.metadata.annotations) &&
  jsonEqual(a.spec, b.spec) &&
  jsonEqual(a.status.allocatable, b.status.allocatable) &&
  jsonEqual(a.status.images, b.status.images);
