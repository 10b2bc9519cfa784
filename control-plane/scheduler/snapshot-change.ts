import { jsonEqual } from '../../api/json-value';
import type { Node } from '../../api/types';
import type { PodInfo } from './pod-info';

/** One step of what a snapshot is made of: it can be done again on a copy, and taken back. */
export type SnapshotChange =
  | ({ readonly kind: 'node'; readonly name: string } & Step<Node>)
  | ({ readonly kind: 'placement'; readonly uid: string } & Step<PodOnNode>)
  | ({ readonly kind: 'nomination'; readonly uid: string } & Step<PodOnNode>);

/** Absent: it was not there, or is not there any more. */
interface Step<T> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

export interface PodOnNode {
  readonly info: PodInfo;
  readonly nodeName: string;
}

/** Is it to the rules as it was? Heartbeats change nothing. */
export const isSameToRules = (a: Node, b: Node): boolean =>
  jsonEqual(a.metadata.labels, b.metadata.labels) &&
  jsonEqual(a.metadata.annotations, b.metadata.annotations) &&
  jsonEqual(a.spec, b.spec) &&
  jsonEqual(a.status.allocatable, b.status.allocatable) &&
  jsonEqual(a.status.images, b.status.images);
