import { isNodeReady } from '../../../api/nodes';
import { isTerminating } from '../../../api/pods';
import { NODES, STATEFUL_SETS } from '../../../api/resources';
import { uidOf, type Node, type Pod, type StatefulSet } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import type { ControllerDeps } from '../controller';
import type { SetTrouble } from './status';

/**
 * Pods whose end nobody confirms, for their node does not answer. Such a pod may still run and write:
 * no other one takes its place until it is gone for certain, and people are told why, and what they
 * can do.
 */
export class LostPods {
  readonly nodes: Informer<Node>;
  /** Uids of those that an event has told of. */
  private readonly told = new Set<string>();

  constructor(private readonly deps: ControllerDeps) {
    this.nodes = deps.informers.of(NODES);
  }

  /** Tells of each of these pods that is lost, once, and returns what the status is to say. */
  tell(set: StatefulSet, pods: readonly Pod[]): SetTrouble | undefined {
    const lost = pods.filter((pod) => isTerminating(pod) && this.isNodeLost(pod));
    for (const pod of lost) {
      if (this.told.has(uidOf(pod))) continue;
      this.told.add(uidOf(pod));
      this.deps.events.event(STATEFUL_SETS, set, 'Warning', REASON, messageOf(pod));
    }
    const [first] = lost;
    return first && { reason: REASON, message: messageOf(first) };
  }

  gone(pod: Pod): void {
    this.told.delete(uidOf(pod));
  }

  private isNodeLost({ spec: { nodeName } }: Pod): boolean {
    const node = nodeName === undefined ? undefined : this.nodes.get(nodeName);
    return node !== undefined && !isNodeReady(node);
  }
}

const messageOf = ({ metadata: { name, namespace = '' }, spec }: Pod): string =>
  `Pod ${name} is being deleted, but its node ${spec.nodeName ?? ''} does not answer, and the pod may ` +
  'still run there: it is replaced once the node is back, or its Node is deleted. If it is certain ' +
  `that the pod has ended: kubectl delete pod ${name} --namespace ${namespace} --force`;

const REASON = 'PodOnLostNode';
