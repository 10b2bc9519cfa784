import type { PodExplanation } from '../../api/decisions';
import { isTerminal, isTerminating } from '../../api/pods';
import { ApiError, notFound } from '../../api/errors';
import { apiVersionOf, POD_EXPLANATIONS } from '../../api/resources';
import { nameKey, type ObjectName, type Pod } from '../../api/types';
import type { VirtualResource } from '../../client/virtual-resource';
import { rfc3339Micro } from '../../lib/clock';
import { isBound } from './cluster-events';
import type { DecisionLog } from './decisions/decision-log';
import { explainNodes } from './explain';
import { lackOf } from './gangs/gang-message';
import type { Gang, Gangs } from './gangs/gangs';
import { podInfoOf, type PodInfo } from './pod-info';
import type { WakeEvent } from './plugins/plugin';
import { DEFAULT_PROFILES, DEFAULT_SCHEDULER_NAME, type Profiles } from './profile';
import type { SchedulingQueue, Waiting } from './queue';
import type { Snapshot } from './snapshot';
import { suggest } from './suggest';
import type { VolumeView } from './volumes/volume-view';

export interface PodExplanationsDeps {
  readonly pods: { readonly hasSynced: boolean; get(key: string): Pod | undefined };
  readonly snapshot: Snapshot;
  readonly queue: SchedulingQueue;
  readonly decisions: DecisionLog;
  /** Pods that name another scheduler are not this one's to place. Default: upstream's one. */
  readonly profiles?: Profiles;
  /** Which pods are placed together. Default: none. */
  readonly gangs?: Pick<Gangs, 'of'>;
  /** Finds what is behind the claims of pods. Default: they have none. */
  readonly volumes?: Pick<VolumeView, 'resolve'>;
}

/** Explains a pod from the live snapshot, by the code that schedules it. `?node=NAME` asks of one node. */
export class PodExplanations implements VirtualResource<PodExplanation> {
  readonly resource = POD_EXPLANATIONS;

  private readonly profiles: Profiles;

  constructor(private readonly deps: PodExplanationsDeps) {
    this.profiles = deps.profiles ?? DEFAULT_PROFILES;
  }

  async get(name: ObjectName, query: URLSearchParams): Promise<PodExplanation> {
    const pod = this.podNamed(name);
    const info = this.resolved(podInfoOf(unbound(pod)));
    const asked = query.get('node') ?? '';
    const node = asked === '' ? undefined : asked;
    const nodes = this.nodesFor(info, node);
    return {
      apiVersion: apiVersionOf(POD_EXPLANATIONS),
      kind: POD_EXPLANATIONS.kind,
      metadata: {
        name: name.name,
        namespace: name.namespace,
        ...(pod.metadata.uid === undefined ? {} : { uid: pod.metadata.uid }),
      },
      spec: { podName: name.name, ...(node === undefined ? {} : { node }) },
      status: {
        ...this.placeOf(pod, info, node),
        nodes,
        ...this.historyOf(info.uid),
      },
    };
  }

  private resolved(info: PodInfo): PodInfo {
    return this.deps.volumes?.resolve(info) ?? info;
  }

  private podNamed(name: ObjectName): Pod {
    const { pods } = this.deps;
    const pod = pods.get(nameKey(name));
    if (pod !== undefined) return pod;
    if (pods.hasSynced) throw notFound('pods', '', name.name);
    throw new ApiError('ServiceUnavailable', 'the scheduler has not read the pods yet');
  }

  private placeOf(pod: Pod, info: PodInfo, asked: string | undefined) {
    const { snapshot, queue } = this.deps;
    const nodeName = isBound(pod) ? pod.spec.nodeName : snapshot.nodeOf(info.uid);
    if (nodeName !== undefined)
      return snapshot.node(nodeName) === undefined
        ? { nodeName, nodeIsMissing: true }
        : { nodeName };
    const { schedulerName = DEFAULT_SCHEDULER_NAME } = pod.spec;
    if (isTerminal(pod) || isTerminating(pod)) return {};
    if (this.profiles.find(pod) === undefined)
      return { schedulerName, waitingFor: [`the scheduler ${schedulerName} to place it`] };
    const waiting = queue.inspect(info.uid);
    const suggestion = this.suggestionFor(pod, info, asked);
    const gang = this.deps.gangs?.of(pod);
    return {
      ...(waiting === undefined ? {} : turnOf(waiting)),
      ...waitingForOf(pod, waiting, gang),
      ...(gang?.endsAtMs === undefined ? {} : { groupEndsAt: rfc3339Micro(gang.endsAtMs) }),
      ...(suggestion === undefined ? {} : { suggestion }),
    };
  }

  /** What to change so that it runs; a gate comes first, and may not be all. */
  private suggestionFor({ spec }: Pod, info: PodInfo, nodeName: string | undefined) {
    const profile = this.profiles.of(info.pod);
    const change = suggest(info, this.deps.snapshot, { nodeName, profile });
    const gates = (spec.schedulingGates ?? []).map(({ name }) => name);
    if (gates.length === 0) return change;
    const lift = `remove the scheduling gate ${gates.join(' and ')} from the pod`;
    return change === undefined ? lift : `${lift}, and then ${change}`;
  }

  private nodesFor(info: PodInfo, nodeName: string | undefined) {
    const nodes = explainNodes(info, this.deps.snapshot, this.profiles.of(info.pod));
    if (nodeName === undefined) return nodes;
    const asked = nodes.filter(({ node }) => node === nodeName);
    if (asked.length === 0) throw notFound('nodes', '', nodeName);
    return asked;
  }

  private historyOf(uid: string) {
    const latest = this.deps.decisions.latest(uid);
    const attempts = latest?.spec.attempt ?? this.deps.queue.inspect(uid)?.attempts ?? 0;
    return latest === undefined
      ? { attempts }
      : { attempts, lastDecision: { ...latest.status, time: latest.spec.time } };
  }
}

/** The pod as the scheduler met it: by now its own node's name would rule out every other. */
const unbound = (pod: Pod): Pod => {
  const { nodeName: _bound, ...spec } = pod.spec;
  return { ...pod, spec };
};

/** Where it stands in the queue, and when it is tried. */
const turnOf = ({ state, queueSize, retryAtMs, retryByMs, aheadCount }: Waiting) => ({
  ...{ queue: state, queueSize },
  ...(retryAtMs === undefined ? {} : { retryAt: rfc3339Micro(retryAtMs) }),
  ...(retryByMs === undefined ? {} : { retryBy: rfc3339Micro(retryByMs) }),
  ...(aheadCount === undefined ? {} : { queuePosition: aheadCount + 1 }),
});

const waitingForOf = ({ spec }: Pod, waiting: Waiting | undefined, gang: Gang | undefined) => {
  if (waiting?.state === 'gated') {
    const gates = (spec.schedulingGates ?? []).map(({ name }) => name);
    return { gates, waitingFor: gates.map((name) => `the scheduling gate ${name} being lifted`) };
  }
  if (waiting?.state !== 'unschedulable') return {};
  const lack = gang !== undefined && gang.neededCount > 0 ? [lackOf(gang)] : [];
  // In an order of their own, whichever node was asked first.
  const words = (Object.keys(EVENT_WORDS) as (keyof typeof EVENT_WORDS)[]).flatMap((event) =>
    waiting.wakeOn.has(event) && (lack.length === 0 || event !== 'PodGroupChanged')
      ? [EVENT_WORDS[event]]
      : [],
  );
  return { waitingFor: [...lack, ...words] };
};

const EVENT_WORDS: Readonly<Record<WakeEvent, string>> = {
  NodeAdded: 'a new node',
  NodeLabelsChanged: 'a change of node labels',
  NodeTaintsChanged: 'a change of node taints',
  NodeAllocatableChanged: 'a change of what a node can allocate',
  NodeHandlersChanged: 'a node with more runtime handlers',
  PodRemoved: 'a pod that ends or is deleted',
  PodsChanged: 'a change of pods that it goes by',
  DomainsChanged: 'a change of the domains that it is spread over',
  ClaimChanged: 'a change of its claims',
  VolumeChanged: 'a change of volumes',
  StorageClassChanged: 'a change of storage classes',
  StorageCapacityChanged: 'more room for new volumes',
  CSINodeChanged: 'a node that can have more volumes',
  VolumeDetached: 'a volume that is detached from a node',
  PodGroupChanged: 'another member of its pod group',
};
