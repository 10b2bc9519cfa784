import type { Node, Pod } from '../../../api/types';
import type { Random } from '../../../lib/random';
import { podInfoOf, type PodInfo } from '../pod-info';
import { Snapshot } from '../snapshot';
import { testNode, testPod, type NodeOptions, type PodOptions } from '../testing';

export interface RandomClusterOptions {
  readonly random: Random;
  readonly nodeCountMax: number;
  /** Whether pods wish anything of other pods. */
  readonly hasDomains: boolean;
}

/** A cluster to which all kinds of things happen, by chance. */
export class RandomCluster {
  readonly snapshot = new Snapshot({
    namespaceLabels: (name) => (name === 'default' ? { team: this.team } : undefined),
    selectorFor: ({ labels }) => {
      const { app } = labels;
      const isSelected = this.hasServices && app !== undefined;
      return isSelected ? [{ key: 'app', operator: 'in', values: [app] }] : [];
    },
  });
  /** Those are spread by default. */
  private hasServices = false;
  private team = 'a';
  private readonly nodes = new Map<string, Node>();
  private readonly placed = new Map<string, Pod>();
  private readonly templates: readonly PodOptions[];
  private readonly labels: readonly Readonly<Record<string, string>>[];
  /** Pods that make room for others cost most of the time. */
  private readonly hasPriorities: boolean;
  private podCount = 0;

  constructor(private readonly options: RandomClusterOptions) {
    this.hasPriorities = this.chance(0.2);
    this.hasServices = options.hasDomains && this.chance(0.3);
    this.templates = this.times(4 + this.below(8), () => this.template());
    this.labels = [{}, { app: 'a' }, { app: 'b' }, { app: 'a', tier: 'web' }];
    for (const _ of this.times(this.below(options.nodeCountMax), () => 0)) this.addNode();
  }

  /** A pod that waits; a few were tried before. */
  nextPod(): PodInfo {
    const number = this.chance(0.05) ? this.below(this.podCount + 1) : this.podCount++;
    const template = this.below(this.templates.length);
    const pod = testPod(`p${number}`, { ...this.templates[template], uid: `uid-${number}` });
    const labels = this.labels[template % this.labels.length] ?? {};
    const namespace = template % 5 === 4 ? 'other' : 'default';
    return podInfoOf({ ...pod, metadata: { ...pod.metadata, namespace, labels } });
  }

  place(info: PodInfo, nodeName: string): void {
    this.snapshot.assume(info, nodeName);
    this.snapshot.endNomination(info.uid);
    this.placed.set(info.uid, { ...info.pod, spec: { ...info.pod.spec, nodeName } });
  }

  /** Something that is not the scheduler's doing. */
  happen(): void {
    const roll = this.below(100);
    if (roll < 6) this.addNode();
    else if (roll < 9) this.removeNode();
    else if (roll < 25) this.changeNode();
    else if (roll < 70) this.podGoes();
    else if (roll < 78) this.podEnds();
    else if (roll < 86) this.podIsResized();
    else if (roll < 90) this.podIsRelabelled();
    else if (roll < 95) this.podComesBound();
    else if (roll < 98) this.nominationEnds();
    else this.namespaceChanges();
  }

  private namespaceChanges(): void {
    this.team = this.team === 'a' ? 'b' : 'a';
    this.snapshot.namespacesChanged();
  }

  private addNode(): void {
    const name = `n${this.below(2 * this.options.nodeCountMax)}`;
    const uid = this.chance(0.2) ? `uid-${name}-again` : `uid-${name}`;
    const node = this.node(name);
    this.setNode({ ...node, metadata: { ...node.metadata, uid } });
  }

  private changeNode(): void {
    const node = this.pick([...this.nodes.values()]);
    if (node === undefined) return;
    const { metadata, spec, status } = this.node(node.metadata.name);
    const labels = this.chance(0.4) ? metadata.labels : node.metadata.labels;
    this.setNode({
      ...node,
      metadata: { ...node.metadata, ...(labels === undefined ? {} : { labels }) },
      spec: this.chance(0.4) ? spec : node.spec,
      status: this.chance(0.4) ? status : node.status,
    });
  }

  private setNode(node: Node): void {
    this.nodes.set(node.metadata.name, node);
    this.snapshot.setNode(node);
  }

  private removeNode(): void {
    const node = this.pick([...this.nodes.values()]);
    if (node === undefined) return;
    this.nodes.delete(node.metadata.name);
    this.snapshot.removeNode(node.metadata.name);
  }

  private podGoes(): void {
    for (const pod of this.some(3)) {
      const { uid = '' } = pod.metadata;
      this.placed.delete(uid);
      this.snapshot.removePod(uid);
    }
  }

  private podEnds(): void {
    for (const pod of this.some(1))
      this.setPod({
        ...pod,
        metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
      });
  }

  private podIsResized(): void {
    for (const pod of this.some(1)) {
      const { containers } = testPod('x', this.amounts()).spec;
      this.setPod({ ...pod, spec: { ...pod.spec, containers } });
    }
  }

  private podIsRelabelled(): void {
    for (const pod of this.some(1))
      this.setPod({ ...pod, metadata: { ...pod.metadata, labels: this.pick(this.labels) ?? {} } });
  }

  /** Placed by somebody else, possibly on a node that is not there yet. */
  private podComesBound(): void {
    const { pod } = this.nextPod();
    this.snapshot.endNomination(pod.metadata.uid ?? '');
    this.setPod({
      ...pod,
      spec: { ...pod.spec, nodeName: `n${this.below(2 * this.options.nodeCountMax)}` },
    });
  }

  private nominationEnds(): void {
    this.snapshot.endNomination(`uid-${this.below(this.podCount + 1)}`);
  }

  private setPod(pod: Pod): void {
    this.placed.set(pod.metadata.uid ?? '', pod);
    this.snapshot.setPod(pod);
  }

  private node(name: string): Node {
    const zone = this.pick(['a', 'b', 'c', undefined]);
    const disk = this.pick(['ssd', 'hdd', undefined]);
    const effect = this.pick([
      'NoSchedule' as const,
      'PreferNoSchedule' as const,
      ...this.times(4, () => undefined),
    ]);
    const options: NodeOptions = {
      cpu: this.pick(['1', '2', '4', '0']) ?? '1',
      memory: this.pick(['1Gi', '2Gi', '8Gi']) ?? '1Gi',
      pods: this.pick(['3', '20', '110']) ?? '3',
      more: this.chance(0.3) ? { 'example.com/gpu': '2' } : {},
      labels: {
        ...(zone === undefined ? {} : { zone }),
        ...(disk === undefined ? {} : { disk }),
      },
      taints: effect === undefined ? [] : [{ key: this.pick(['k', 'm']) ?? 'k', effect }],
      unschedulable: this.chance(0.1),
      ...(this.chance(0.3) ? { runtimeHandlers: ['', this.pick(['dhow', 'kata']) ?? ''] } : {}),
      images: this.times(this.below(3), () => ({
        names: [this.pick(['app:1', 'app:2', 'base:1']) ?? ''],
        sizeBytes: (1 + this.below(20)) * 100 * 1024 * 1024,
      })),
    };
    return testNode(name, options);
  }

  private amounts(): PodOptions {
    const cpu = this.pick(['100m', '500m', '1', undefined]);
    const memory = this.pick(['64Mi', '512Mi', undefined]);
    return {
      ...(cpu === undefined ? {} : { cpu }),
      ...(memory === undefined ? {} : { memory }),
      image: this.pick(['app:1', 'app:2', 'none:1']) ?? '',
      ...(this.chance(0.2) ? { resources: { requests: this.podLevelRequests() } } : {}),
    };
  }

  /** Of a pod that asks for something itself: less than one container, or more. */
  private podLevelRequests(): Readonly<Record<string, string>> {
    const cpu = this.pick(['50m', '1', '2', undefined]);
    const memory = this.pick(['32Mi', '1Gi', undefined]);
    return {
      ...(cpu === undefined ? {} : { cpu }),
      ...(memory === undefined ? {} : { memory }),
    };
  }

  private template(): PodOptions {
    const { hasDomains } = this.options;
    const affinity = {
      ...(this.chance(0.2) ? this.nodeAffinity() : {}),
      ...(hasDomains && this.chance(0.4) ? this.podAffinity() : {}),
    };
    return {
      ...this.amounts(),
      ...(this.chance(0.2) ? { ports: [{ containerPort: 80, hostPort: 80 + this.below(2) }] } : {}),
      ...(this.chance(0.2) ? { nodeSelector: { disk: 'ssd' } } : {}),
      ...(this.chance(0.05) ? { nodeName: `n${this.below(this.options.nodeCountMax)}` } : {}),
      ...(this.chance(0.3) ? { tolerations: [{ key: 'k', operator: 'Exists' as const }] } : {}),
      ...(this.chance(0.05) ? { tolerations: [{ operator: 'Exists' as const }] } : {}),
      ...(Object.keys(affinity).length === 0 ? {} : { affinity }),
      ...(hasDomains && this.chance(0.4) ? { topologySpreadConstraints: this.spread() } : {}),
      priority: this.hasPriorities ? (this.pick([0, 0, 0, 10, -5]) ?? 0) : 0,
      ...(this.chance(0.1) ? { preemptionPolicy: 'Never' as const } : {}),
      ...(this.chance(0.2) ? { runtimeHandler: 'kata' } : {}),
    };
  }

  private nodeAffinity() {
    const requirement = (key: string, values: readonly string[]) => ({
      matchExpressions: [{ key, operator: 'In' as const, values }],
    });
    const preferred = [
      { weight: 10, preference: requirement('zone', ['a']) },
      { weight: 40, preference: requirement('disk', ['ssd', 'hdd']) },
    ];
    const required = { nodeSelectorTerms: [requirement('zone', ['a', 'b'])] };
    return {
      nodeAffinity: {
        ...(this.chance(0.7) ? { preferredDuringSchedulingIgnoredDuringExecution: preferred } : {}),
        ...(this.chance(0.4) ? { requiredDuringSchedulingIgnoredDuringExecution: required } : {}),
      },
    };
  }

  private podAffinity() {
    const term = () => ({
      topologyKey: this.pick(['zone', 'kubernetes.io/hostname']) ?? 'zone',
      labelSelector: { matchLabels: { app: this.pick(['a', 'b']) ?? 'a' } },
      ...(this.chance(0.2) ? { namespaceSelector: { matchLabels: { team: 'a' } } } : {}),
    });
    const terms = () => ({
      ...(this.chance(0.4) ? { requiredDuringSchedulingIgnoredDuringExecution: [term()] } : {}),
      ...(this.chance(0.5)
        ? {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 1 + this.below(100), podAffinityTerm: term() },
            ],
          }
        : {}),
    });
    return {
      ...(this.chance(0.6) ? { podAffinity: terms() } : {}),
      ...(this.chance(0.6) ? { podAntiAffinity: terms() } : {}),
    };
  }

  private spread(): NonNullable<PodOptions['topologySpreadConstraints']> {
    return this.times(1 + this.below(2), () => ({
      topologyKey: this.pick(['zone', 'kubernetes.io/hostname']) ?? 'zone',
      maxSkew: 1 + this.below(3),
      whenUnsatisfiable:
        this.pick(['DoNotSchedule' as const, 'ScheduleAnyway' as const]) ?? 'ScheduleAnyway',
      labelSelector: { matchLabels: { app: this.pick(['a', 'b']) ?? 'a' } },
      ...(this.chance(0.2) ? { nodeAffinityPolicy: 'Ignore' as const } : {}),
      ...(this.chance(0.2) ? { nodeTaintsPolicy: 'Honor' as const } : {}),
    }));
  }

  /** Up to so many of the pods that are placed. */
  private some(max: number): readonly Pod[] {
    const all = [...this.placed.values()];
    return this.times(1 + this.below(max), () => this.pick(all)).flatMap((pod) => pod ?? []);
  }

  private times<T>(count: number, make: () => T): T[] {
    return Array.from({ length: count }, make);
  }

  private pick<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)];
  }

  private below(limit: number): number {
    return Math.floor(this.options.random.next() * limit);
  }

  private chance(share: number): boolean {
    return this.options.random.next() < share;
  }
}
