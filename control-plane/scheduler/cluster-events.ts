import { isTerminal, isTerminating } from '../../api/pods';
import { PODS } from '../../api/resources';
import {
  keyOf,
  nameKey,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
} from '../../api/types';
import { claimKeysOf, claimOf } from '../../api/volumes';
import type { FaultReporter } from '../../client/object-faults';
import { filtersFor, firstRefusal } from './filters';
import type { ConditionWriter } from './condition-writer';
import { gatedMessage } from './message';
import { isGated, podInfoOf, type PodInfo } from './pod-info';
import type { WakeEvent } from './plugins/plugin';
import type { SchedulingQueue } from './queue';
import { DEFAULT_PROFILE } from './profile';
import type { Snapshot } from './snapshot';
import { jsonEqual } from '../../api/json-value';
import type { VolumeView } from './volumes/volume-view';

export interface ClusterEventsDeps {
  readonly snapshot: Snapshot;
  readonly queue: SchedulingQueue;
  readonly conditions: ConditionWriter;
  /** Pods that name another scheduler are not ours to place; their requests count all the same. */
  readonly schedulerName: string;
  readonly faults: FaultReporter;
}

/** Turns what the watches say into snapshot and queue: who is where, who waits, who may be woken. */
export class ClusterEvents {
  private hasOverflowed = false;

  constructor(private readonly deps: ClusterEventsDeps) {}

  podChanged(pod: Pod, previous?: Pod): void {
    const { queue, snapshot } = this.deps;
    const { uid = '' } = pod.metadata;
    if (isTerminal(pod)) this.podGone(pod);
    else if (isBound(pod)) {
      if (previous !== undefined && isBound(previous) && asksTheSame(previous, pod)) return;
      const before = snapshot.nodeOf(uid);
      snapshot.setPod(pod);
      queue.remove(uid);
      // A binding that the watch confirms frees nothing; a move or a smaller request does.
      const isConfirmed =
        before === pod.spec.nodeName && !(previous !== undefined && isBound(previous));
      if (before !== undefined && !isConfirmed) queue.wake('PodRemoved', before);
    } else if (this.isOurs(pod)) this.podWaits(pod);
    else queue.remove(uid);
  }

  private podWaits(pod: Pod): void {
    const { conditions, queue, snapshot } = this.deps;
    const info = podInfoOf(pod);
    // The watch is behind our own binding: the assumption knows better.
    if (snapshot.isAssumed(info.uid)) return;
    if (isGated(info)) conditions.write(pod, 'SchedulingGated', gatedMessage);
    if (!queue.offer(info)) this.hasOverflowed = true;
  }

  podGone(pod: Pod): void {
    const { uid = '' } = pod.metadata;
    const { queue, snapshot } = this.deps;
    queue.remove(uid);
    const nodeName = snapshot.removePod(uid);
    if (nodeName === undefined) return;
    queue.wake('PodRemoved', nodeName);
    // Another may have waited for its claim, on any node.
    for (const key of claimKeysOf(pod)) queue.wake('ClaimChanged', claimPlace(key));
  }

  claimChanged(claim: PersistentVolumeClaim): void {
    this.deps.queue.wake('ClaimChanged', claimPlace(keyOf(claim)));
  }

  volumeChanged(volume: PersistentVolume): void {
    const claim = claimOf(volume);
    const place = claim === undefined ? ANY_CLAIM : claimPlace(nameKey(claim));
    this.deps.queue.wake('VolumeChanged', place);
  }

  storageClassChanged(): void {
    this.deps.queue.wake('StorageClassChanged', ANY_CLAIM);
  }

  nodeAdded(node: Node): void {
    this.deps.snapshot.setNode(node);
    this.deps.queue.wake('NodeAdded', node.metadata.name);
  }

  nodeChanged(node: Node, previous: Node): void {
    this.deps.snapshot.setNode(node);
    for (const event of changesOf(node, previous)) this.deps.queue.wake(event, node.metadata.name);
  }

  nodeGone(node: Node): void {
    this.deps.snapshot.removeNode(node.metadata.name);
  }

  /** Offers again what a full queue turned away, once there is room. */
  offerTurnedAway(pods: Iterable<Pod>): void {
    if (!this.hasOverflowed || this.deps.queue.size > REOFFER_BELOW) return;
    this.hasOverflowed = false;
    for (const pod of pods) {
      if (isBound(pod) || this.deps.queue.has(pod.metadata.uid ?? '')) continue;
      try {
        this.podChanged(pod);
      } catch (error) {
        this.deps.faults.report({ consumer: CONSUMER, resource: PODS, object: pod, error });
      }
    }
  }

  /** Ours to place, and still wanting a node. */
  isOurs(pod: Pod): boolean {
    const { schedulerName = DEFAULT_SCHEDULER_NAME } = pod.spec;
    return (
      schedulerName === this.deps.schedulerName &&
      !isTerminating(pod) &&
      !isTerminal(pod) &&
      !isBound(pod)
    );
  }
}

/** The queue's hint: would the pod fit this node right now? Of claims: are they the pod's? */
export const mayFit =
  (snapshot: Snapshot, volumes?: Pick<VolumeView, 'resolve'>) =>
  (info: PodInfo, place: string): boolean => {
    if (place === ANY_CLAIM) return info.claims.length > 0;
    if (place.startsWith(CLAIM)) return info.claims.includes(place.slice(CLAIM.length));
    const node = snapshot.node(place);
    if (node === undefined) return false;
    const filters = filtersFor(volumes?.resolve(info) ?? info, snapshot, DEFAULT_PROFILE);
    return firstRefusal(filters, node) === undefined;
  };

/** What changed, where that is no node: no node is called so. */
const CLAIM = 'claim:';
const claimPlace = (key: string): string => `${CLAIM}${key}`;
const ANY_CLAIM = 'claims:';

export const isBound = ({ spec: { nodeName = '' } }: Pod): boolean => nodeName !== '';

/** What of a node's change can matter to a waiting pod; heartbeats give nothing. */
export const changesOf = (node: Node, previous: Node): readonly WakeEvent[] => {
  const changes: WakeEvent[] = [];
  const differs = (pick: (each: Node) => unknown) => !jsonEqual(pick(node), pick(previous));
  if (differs(({ metadata }) => metadata.labels)) changes.push('NodeLabelsChanged');
  if (differs(({ spec }) => [spec.taints, spec.unschedulable])) changes.push('NodeTaintsChanged');
  if (differs(({ status }) => status.allocatable)) changes.push('NodeAllocatableChanged');
  return changes;
};

const asksTheSame = (a: Pod, b: Pod): boolean =>
  a.spec.nodeName === b.spec.nodeName &&
  a.metadata.uid === b.metadata.uid &&
  !isTerminal(a) &&
  jsonEqual(a.spec, b.spec);

/** In reports of objects that could not be handled. */
export const CONSUMER = 'scheduler';
export const DEFAULT_SCHEDULER_NAME = 'default-scheduler';
const REOFFER_BELOW = 100_000;
