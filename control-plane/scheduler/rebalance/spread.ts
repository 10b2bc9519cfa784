import { matchesNodeAffinity } from '../../../api/node-affinity';
import { controllerOf } from '../../../api/owners';
import { isTolerated } from '../../../api/taints';
import { domainOf } from '../domains';
import type { NodeView } from '../node-info';
import type { PodInfo } from '../pod-info';
import type { ClusterView } from '../snapshot';

/** The pods of one owner, by how many are in each domain. */
interface Workload {
  readonly name: string;
  readonly sample: PodInfo;
  readonly counts: Map<string, Map<string, number>>;
  /** The fewest in any domain, by topology key; until it changes. */
  readonly least: Map<string, number>;
}

/**
 * How the pods of each owner are spread: over nodes, zones, and whatever their own constraints name. What is
 * measured is the sum of the squares of pods per domain: it is least where they are even, and a pod that
 * moves from `a` of its kind to `b` takes 2(a - b - 1) from it.
 */
export class Spread {
  private readonly workloads = new Map<string, Workload>();

  constructor(private readonly cluster: ClusterView) {
    for (const { pods } of cluster.nodes) for (const info of pods.values()) this.know(info);
    for (const node of cluster.nodes)
      for (const info of node.pods.values()) this.count(info, node, 1);
  }

  /** By how much the sum would be less. */
  gainOf(info: PodInfo, from: NodeView, to: NodeView): number {
    let gain = 0;
    for (const [key, counts] of this.of(info)?.counts ?? []) {
      const [leaves, enters] = [domainIn(from, key), domainIn(to, key)];
      if (leaves === enters) continue;
      gain += 2 * ((counts.get(leaves) ?? 0) - (counts.get(enters) ?? 0) - 1);
    }
    return gain;
  }

  /** Could it gain anything anywhere? A cheap question, to be asked first. */
  mayGain(info: PodInfo, from: NodeView): boolean {
    const workload = this.of(info);
    for (const [key, counts] of workload?.counts ?? []) {
      const there = counts.get(domainIn(from, key)) ?? 0;
      if (there >= 2 && this.leastOf(workload, key) < there - 1) return true;
    }
    return false;
  }

  private leastOf(workload: Workload | undefined, key: string): number {
    const known = workload?.least.get(key);
    if (known !== undefined) return known;
    const counts = workload?.counts.get(key);
    let least = Infinity;
    for (const node of this.cluster.nodes)
      least = Math.min(least, counts?.get(domainIn(node, key)) ?? 0);
    workload?.least.set(key, least);
    return least;
  }

  move(info: PodInfo, from: NodeView, to: NodeView): void {
    this.count(info, from, -1);
    this.count(info, to, 1);
  }

  /** Over all workloads. */
  get sum(): number {
    let sum = 0;
    for (const { counts } of this.workloads.values())
      for (const domains of counts.values())
        for (const count of domains.values()) sum += count * count;
    return sum;
  }

  /** Of the pod's workload: the most pods less the fewest, among domains where it may be or is. */
  skewsOf(info: PodInfo): ReadonlyMap<string, number> {
    const workload = this.of(info);
    if (workload === undefined) return new Map();
    const open = this.cluster.nodes.filter((node) => mayBeOn(workload.sample, node));
    return new Map(
      [...workload.counts].map(([key, counts]) => {
        const empty = open.map((node) => [domainIn(node, key), 0] as const);
        const held = [...counts].filter(([, count]) => count > 0);
        const all = [...new Map([...empty, ...held]).values()];
        return [key, all.length === 0 ? 0 : Math.max(...all) - Math.min(...all)];
      }),
    );
  }

  /** How many of its kind there are on both, for people. */
  textOf(info: PodInfo, from: NodeView, to: NodeView): string {
    const [[key, counts] = [HOSTNAME, new Map<string, number>()]] = [
      ...(this.of(info)?.counts ?? []),
    ].filter(([each, ofKey]) => gapIn(ofKey, domainIn(from, each), domainIn(to, each)) > 1);
    const [there, here] = [domainIn(from, key), domainIn(to, key)].map(
      (domain) => counts.get(domain) ?? 0,
    );
    const where = key === HOSTNAME ? 'nodes' : key;
    return `${there ?? 0} of its workload there, ${here ?? 0} here (${where})`;
  }

  /** `namespace/ReplicaSet/web` */
  nameOf(info: PodInfo): string {
    return this.of(info)?.name ?? info.key;
  }

  private of({ pod }: PodInfo): Workload | undefined {
    return this.workloads.get(controllerOf(pod)?.uid ?? '');
  }

  private know(info: PodInfo): void {
    const owner = controllerOf(info.pod);
    if (owner === undefined) return;
    const { kind, name, uid } = owner;
    const known = this.workloads.get(uid);
    const { counts } = known ?? { counts: new Map<string, Map<string, number>>() };
    const own = (info.pod.spec.topologySpreadConstraints ?? []).map((each) => each.topologyKey);
    for (const key of [HOSTNAME, ZONE, ...own])
      if (!counts.has(key)) counts.set(key, new Map<string, number>());
    if (known !== undefined) return;
    const of = { name: `${info.namespace}/${kind}/${name}`, sample: info };
    this.workloads.set(uid, { ...of, counts, least: new Map() });
  }

  private count(info: PodInfo, node: NodeView, sign: 1 | -1): void {
    if (info.isTerminating) return;
    const workload = this.of(info);
    workload?.least.clear();
    for (const [key, counts] of workload?.counts ?? []) {
      const domain = domainIn(node, key);
      counts.set(domain, (counts.get(domain) ?? 0) + sign);
    }
  }
}

/** Nodes without the label are a domain of their own: else going there would look like a gain. */
const domainIn = (node: NodeView, key: string): string => domainOf(node, key) ?? '';

const gapIn = (counts: ReadonlyMap<string, number>, from: string, to: string): number =>
  (counts.get(from) ?? 0) - (counts.get(to) ?? 0);

const mayBeOn = ({ pod: { spec } }: PodInfo, { node, taints, isUnschedulable }: NodeView) =>
  !isUnschedulable &&
  matchesNodeAffinity(spec, node) &&
  taints.every(
    (taint) => taint.effect === 'PreferNoSchedule' || isTolerated(spec.tolerations, taint),
  );

export const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
