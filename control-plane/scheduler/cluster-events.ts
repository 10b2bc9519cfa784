import { isTerminal, isTerminating } from '../../api/pods';
import { groupKeyOf, type PodGroup } from '../../api/pod-groups';
import { countedSpec } from '../../api/pod-resources';
import { compareQuantities, parseQuantity } from '../../api/quantity';
import { PODS } from '../../api/resources';
import {
  keyOf,
  nameKey,
  type CSINode,
  type CSIStorageCapacity,
  type Namespace,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type VolumeAttachment,
} from '../../api/types';
import { claimKeysOf, claimOf } from '../../api/volumes';
import type { FaultReporter } from '../../client/object-faults';
import type { Changes } from './changes';
import type { ConditionWriter } from './condition-writer';
import { gatedMessage } from './message';
import { isGated, podInfoOf } from './pod-info';
import type { WakeEvent } from './plugins/plugin';
import type { Profiles } from './profile';
import type { SchedulingQueue } from './queue';
import type { Snapshot } from './snapshot';
import { jsonEqual } from '../../api/json-value';

export interface ClusterEventsDeps {
  readonly snapshot: Snapshot;
  readonly queue: SchedulingQueue;
  readonly changes: Changes;
  readonly conditions: ConditionWriter;
  /** Pods that name another scheduler are not ours to place; their requests count all the same. */
  readonly profiles: Profiles;
  readonly faults: FaultReporter;
}

/** Turns what the watches say into snapshot and queue: who is where, who waits, who may be woken. */
export class ClusterEvents {
  private hasOverflowed = false;

  constructor(private readonly deps: ClusterEventsDeps) {}

  podChanged(pod: Pod, previous?: Pod): void {
    const { queue, snapshot, changes } = this.deps;
    const { uid = '' } = pod.metadata;
    if (isTerminal(pod)) this.podGone(pod);
    else if (isBound(pod)) {
      if (previous !== undefined && isBound(previous) && asksTheSame(previous, pod)) return;
      const before = snapshot.nodeOf(uid);
      const info = snapshot.setPod(pod);
      queue.remove(uid);
      this.endNomination(uid);
      queue.wake(changes.ofPod(info));
      // A binding that the watch confirms frees nothing; a move or a smaller request does.
      const isConfirmed =
        before === pod.spec.nodeName && !(previous !== undefined && isBound(previous));
      if (before !== undefined && !isConfirmed) queue.wake(changes.ofNode('PodRemoved', before));
    } else if (this.isOurs(pod)) this.podWaits(pod, previous);
    else {
      queue.remove(uid);
      this.endNomination(uid);
    }
  }

  private podWaits(pod: Pod, previous: Pod | undefined): void {
    const { changes, conditions, queue, snapshot } = this.deps;
    const info = podInfoOf(pod);
    // The watch is behind our own binding: the assumption knows better.
    if (snapshot.isAssumed(info.uid)) return;
    if (isGated(info)) conditions.write(pod, { reason: 'SchedulingGated', message: gatedMessage });
    // An earlier run may have promised it a node; what this one did, it knows better.
    const { nominatedNodeName = '' } = pod.status;
    if (nominatedNodeName !== '' && snapshot.nominationOf(info.uid) === undefined)
      snapshot.nominate(info, nominatedNodeName);
    const groupKey = groupKeyOf(pod);
    if (groupKey !== undefined && isNewMember(pod, previous)) queue.wake(changes.ofGroup(groupKey));
    if (!queue.offer(info)) this.hasOverflowed = true;
  }

  podGone(pod: Pod): void {
    const { uid = '' } = pod.metadata;
    const { queue, snapshot, changes } = this.deps;
    queue.remove(uid);
    this.endNomination(uid);
    const info = snapshot.pod(uid);
    const nodeName = snapshot.removePod(uid);
    if (nodeName === undefined || info === undefined) return;
    this.freed(nodeName);
    queue.wake(changes.ofPod(info));
    // Another may have waited for its claim, on any node.
    for (const key of claimKeysOf(pod)) queue.wake(changes.ofClaim('ClaimChanged', key));
  }

  /** Nobody waits for the pod any more: the room that was kept for it is everybody's. */
  endNomination(uid: string): void {
    const nodeName = this.deps.snapshot.endNomination(uid);
    if (nodeName !== undefined) this.freed(nodeName);
  }

  /** A pod left the node, or was never to come. */
  freed(nodeName: string): void {
    const { queue, changes } = this.deps;
    queue.wake(changes.ofNode('PodRemoved', nodeName));
  }

  claimChanged(claim: PersistentVolumeClaim): void {
    const { queue, changes } = this.deps;
    queue.wake(changes.ofClaim('ClaimChanged', keyOf(claim)));
  }

  volumeChanged(volume: PersistentVolume): void {
    const { queue, changes } = this.deps;
    const claim = claimOf(volume);
    queue.wake(
      claim === undefined
        ? changes.ofAnyClaim('VolumeChanged')
        : changes.ofClaim('VolumeChanged', nameKey(claim)),
    );
  }

  storageClassChanged(): void {
    const { queue, changes } = this.deps;
    queue.wake(changes.ofAnyClaim('StorageClassChanged'));
  }

  /** A driver has other rules for where volumes can be made. */
  csiDriverChanged(): void {
    const { queue, changes } = this.deps;
    queue.wake(changes.ofAnyClaim('StorageCapacityChanged'));
  }

  /** Less room helps nobody. */
  capacityChanged(capacity: CSIStorageCapacity, previous?: CSIStorageCapacity): void {
    const { queue, changes } = this.deps;
    if (previous === undefined || !offersNoMore(capacity, previous))
      queue.wake(changes.ofCapacity(capacity));
  }

  /** A node may have more volumes now, or a driver that counts them no longer. */
  csiNodeChanged({ metadata }: CSINode): void {
    const { queue, changes } = this.deps;
    queue.wake(changes.ofNode('CSINodeChanged', metadata.name));
  }

  detached({ spec }: VolumeAttachment): void {
    const { queue, changes } = this.deps;
    queue.wake(changes.ofNode('VolumeDetached', spec?.nodeName ?? ''));
  }

  groupChanged(group: PodGroup, previous?: PodGroup): void {
    const { queue, changes } = this.deps;
    if (previous === undefined || !jsonEqual(group.spec, previous.spec))
      queue.wake(changes.ofGroup(keyOf(group)));
  }

  namespaceChanged({ metadata: { name, labels } }: Namespace, previous?: Namespace): void {
    const { queue, changes, snapshot } = this.deps;
    if (jsonEqual(labels, previous?.metadata.labels)) return;
    snapshot.namespacesChanged();
    queue.wake(changes.ofNamespace(name));
  }

  nodeAdded(node: Node): void {
    const { queue, changes, snapshot } = this.deps;
    snapshot.setNode(node);
    queue.wake(changes.ofNode('NodeAdded', node.metadata.name));
    queue.wake(changes.ofDomains());
  }

  nodeChanged(node: Node, previous: Node): void {
    const { queue, changes, snapshot } = this.deps;
    snapshot.setNode(node);
    const events = changesOf(node, previous);
    for (const event of events) queue.wake(changes.ofNode(event, node.metadata.name));
    if (events.length > 0) queue.wake(changes.ofDomains());
  }

  nodeGone(node: Node): void {
    const { queue, changes, snapshot } = this.deps;
    snapshot.removeNode(node.metadata.name);
    queue.wake(changes.ofDomains());
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
    return (
      this.deps.profiles.find(pod) !== undefined &&
      !isTerminating(pod) &&
      !isTerminal(pod) &&
      !isBound(pod)
    );
  }
}

/** Others of the group may have waited for it: it came, joined, or its last gate was lifted. */
const isNewMember = (pod: Pod, previous: Pod | undefined): boolean =>
  previous === undefined ||
  groupKeyOf(previous) !== groupKeyOf(pod) ||
  ((previous.spec.schedulingGates ?? []).length > 0 &&
    (pod.spec.schedulingGates ?? []).length === 0);

export const isBound = ({ spec: { nodeName = '' } }: Pod): boolean => nodeName !== '';

/** What of a node's change can matter to a waiting pod; heartbeats give nothing. */
export const changesOf = (node: Node, previous: Node): readonly WakeEvent[] => {
  const changes: WakeEvent[] = [];
  const differs = (pick: (each: Node) => unknown) => !jsonEqual(pick(node), pick(previous));
  if (differs(({ metadata }) => metadata.labels)) changes.push('NodeLabelsChanged');
  if (differs(({ spec }) => [spec.taints, spec.unschedulable])) changes.push('NodeTaintsChanged');
  if (differs(({ status }) => status.allocatable)) changes.push('NodeAllocatableChanged');
  if (differs(({ status }) => status.runtimeHandlers)) changes.push('NodeHandlersChanged');
  return changes;
};

const offersNoMore = (now: CSIStorageCapacity, before: CSIStorageCapacity): boolean => {
  const sizeOf = ({ maximumVolumeSize, capacity }: CSIStorageCapacity) =>
    parseQuantity(maximumVolumeSize ?? capacity ?? '0');
  return (
    jsonEqual(now.nodeTopology, before.nodeTopology) &&
    compareQuantities(sizeOf(now), sizeOf(before)) <= 0
  );
};

/** Nothing changed that placing goes by. */
const asksTheSame = (a: Pod, b: Pod): boolean =>
  a.spec.nodeName === b.spec.nodeName &&
  a.metadata.uid === b.metadata.uid &&
  !isTerminal(a) &&
  isTerminating(a) === isTerminating(b) &&
  jsonEqual(a.metadata.labels, b.metadata.labels) &&
  jsonEqual(a.spec, b.spec) &&
  isCountedAlike(a, b);

/** Of one spec, while a resize is under way: does its node give as much? */
const isCountedAlike = (a: Pod, b: Pod): boolean => {
  const [x, y] = [countedSpec(a), countedSpec(b)];
  return (x === a.spec && y === b.spec) || jsonEqual(x, y);
};

/** In reports of objects that could not be handled. */
export const CONSUMER = 'scheduler';
const REOFFER_BELOW = 100_000;
