import { amountsOf, NO_RESOURCES, type HostPort, type ResourceAmounts } from '../../api/pods';
import { bytesOf } from '../../api/quantity';
import type { Node, Taint } from '../../api/types';
import { hashText } from './hash';
import { imagesOf, type Layer } from './images';
import type { PodInfo } from './pod-info';

/** A host port that a pod on the node holds. */
export interface HeldPort extends HostPort {
  readonly holder: PodInfo;
}

/** One node as plugins see it. */
export interface NodeView {
  readonly node: Node;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly isUnschedulable: boolean;
  readonly allocatable: ResourceAmounts;
  readonly podCountMax: number;
  /** By uid, assumed ones included. */
  readonly pods: ReadonlyMap<string, PodInfo>;
  readonly requestedCpuMillis: number;
  readonly requestedMemoryBytes: number;
  readonly requestedStorageBytes: number;
  readonly scoringCpuMillis: number;
  readonly scoringMemoryBytes: number;
  readonly heldPorts: readonly HeldPort[];
  /** Those of `pods` that wish anything of others. */
  readonly affinityPods: readonly PodInfo[];
  readonly layers: ReadonlyMap<string, number>;
  /** Part of the tie break. */
  readonly hash: number;
  /** Requests for any resource beyond cpu, memory and ephemeral storage. */
  requestedOther(name: string): number;
  /** What `count` gives of its pods; remembered by the key until they change. */
  counted(key: string, count: (pods: NodeView['pods']) => number): number;
}

/** What a node object says of itself, worked out once. */
interface NodeFacts extends Pick<
  NodeView,
  'labels' | 'taints' | 'isUnschedulable' | 'allocatable' | 'podCountMax' | 'layers'
> {
  readonly images: ReadonlyMap<string, readonly Layer[]>;
}

interface NodeChange {
  readonly node?: Node;
  /** Pods that are not there, by uid. */
  readonly without?: ReadonlySet<string>;
  /** Pods that are there besides. */
  readonly also?: readonly PodInfo[];
}

/** A node with sums over its pods, kept as pods come and go. Integers below 2^53 stay exact. */
export class NodeInfo implements NodeView {
  readonly pods = new Map<string, PodInfo>();
  readonly name: string;
  readonly hash: number;
  requestedCpuMillis = 0;
  requestedMemoryBytes = 0;
  requestedStorageBytes = 0;
  scoringCpuMillis = 0;
  scoringMemoryBytes = 0;
  heldPorts: readonly HeldPort[] = [];
  affinityPods: readonly PodInfo[] = [];
  /** Rises with each node object. */
  nodeVersion = 1;
  /** Rises with whatever else of the node plugins may see; kept by the snapshot. */
  podsVersion = 0;
  private readonly others = new Map<string, number>();
  private least: number | undefined;
  private readonly counts = new Map<string, number>();

  constructor(
    private current: Node,
    pods: Iterable<PodInfo> = [],
    private facts = factsOf(current),
  ) {
    this.name = current.metadata.name;
    this.hash = hashText(current.metadata.uid ?? this.name);
    for (const pod of pods) this.addPod(pod);
  }

  get node(): Node {
    return this.current;
  }

  set node(node: Node) {
    this.current = node;
    this.facts = factsOf(node);
    this.nodeVersion++;
  }

  get labels(): NodeFacts['labels'] {
    return this.facts.labels;
  }

  get taints(): NodeFacts['taints'] {
    return this.facts.taints;
  }

  get isUnschedulable(): boolean {
    return this.facts.isUnschedulable;
  }

  get allocatable(): ResourceAmounts {
    return this.facts.allocatable;
  }

  get podCountMax(): number {
    return this.facts.podCountMax;
  }

  get images(): NodeFacts['images'] {
    return this.facts.images;
  }

  get layers(): NodeFacts['layers'] {
    return this.facts.layers;
  }

  requestedOther(name: string): number {
    return this.others.get(name) ?? 0;
  }

  counted(key: string, count: (pods: NodeView['pods']) => number): number {
    const known = this.counts.get(key);
    if (known !== undefined) return known;
    if (this.counts.size >= COUNTS_MAX) this.counts.clear();
    const found = count(this.pods);
    this.counts.set(key, found);
    return found;
  }

  /** Of the least important pod on it; Infinity where there is none. Remembered: every pod that fits nowhere asks. */
  get leastPriority(): number {
    if (this.least === undefined) {
      this.least = Infinity;
      for (const { priority } of this.pods.values()) this.least = Math.min(this.least, priority);
    }
    return this.least;
  }

  addPod(pod: PodInfo): void {
    this.removePod(pod.uid);
    this.pods.set(pod.uid, pod);
    this.counts.clear();
    if (this.least !== undefined) this.least = Math.min(this.least, pod.priority);
    this.count(pod, 1);
    if (pod.affinity !== undefined) this.affinityPods = [...this.affinityPods, pod];
    if (pod.hostPorts.length === 0) return;
    const held = pod.hostPorts.map((port) => ({ ...port, holder: pod }));
    this.heldPorts = [...this.heldPorts, ...held];
  }

  removePod(uid: string): PodInfo | undefined {
    const pod = this.pods.get(uid);
    if (pod === undefined) return undefined;
    this.pods.delete(uid);
    this.counts.clear();
    if (pod.priority === this.least) this.least = undefined;
    this.count(pod, -1);
    if (pod.affinity !== undefined)
      this.affinityPods = this.affinityPods.filter((each) => each.uid !== uid);
    if (pod.hostPorts.length > 0) {
      this.heldPorts = this.heldPorts.filter(({ holder }) => holder.uid !== uid);
    }
    return pod;
  }

  /** The same as now: what becomes of one is nothing to the other. */
  copy(): NodeInfo {
    const { pods, others, counts: _counts, ...rest } = this;
    const copy = new NodeInfo(this.current, [], this.facts);
    Object.assign(copy, rest);
    for (const [uid, pod] of pods) copy.pods.set(uid, pod);
    for (const [name, amount] of others) copy.others.set(name, amount);
    return copy;
  }

  /** A copy to try things on: with other pods, or as another node object. */
  with({ node = this.current, without, also = [] }: NodeChange): NodeInfo {
    const kept = [...this.pods.values()].filter(({ uid }) => without?.has(uid) !== true);
    const facts = node === this.current ? this.facts : undefined;
    return new NodeInfo(node, [...kept, ...also], facts);
  }

  private count({ requests, ...pod }: PodInfo, sign: 1 | -1): void {
    this.requestedCpuMillis += sign * requests.cpuMillis;
    this.requestedMemoryBytes += sign * requests.memoryBytes;
    this.requestedStorageBytes += sign * requests.ephemeralStorageBytes;
    this.scoringCpuMillis += sign * pod.scoringCpuMillis;
    this.scoringMemoryBytes += sign * pod.scoringMemoryBytes;
    for (const name in requests.others) {
      this.others.set(name, this.requestedOther(name) + sign * (requests.others[name] ?? 0));
    }
  }
}

/** Of as many selectors: there are few at a time, and each is asked about all nodes. */
const COUNTS_MAX = 64;

const factsOf = (node: Node): NodeFacts => {
  const images = imagesOf(node);
  return {
    labels: node.metadata.labels ?? {},
    taints: node.spec.taints ?? [],
    isUnschedulable: node.spec.unschedulable === true,
    ...capacityOf(node),
    images,
    layers: new Map(
      [...images.values()].flat().map(({ digest, sizeBytes }) => [digest, sizeBytes]),
    ),
  };
};

const capacityOf = ({ status }: Node) => {
  try {
    const { pods, ...rest } = status.allocatable ?? {};
    // Without a stated limit upstream takes zero pods; so do we.
    return { allocatable: amountsOf(rest), podCountMax: bytesOf(pods) };
  } catch {
    // An unreadable amount offers nothing rather than everything.
    return { allocatable: NO_RESOURCES, podCountMax: 0 };
  }
};
