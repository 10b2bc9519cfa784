import { balancedAllocation } from './balanced-allocation';
import { imageLocality } from './image-locality';
import {
  interPodAffinity,
  interPodAffinityScore,
  type AffinityWeights,
} from './inter-pod-affinity';
import { nodeAffinity, nodeAffinityScore, type AddedAffinity } from './node-affinity';
import { nodeName } from './node-name';
import { nodePorts } from './node-ports';
import { nodeResourcesFit, type IgnoredResources } from './node-resources-fit';
import { nodeUnschedulable } from './node-unschedulable';
import { nodeVolumeLimits } from './node-volume-limits';
import type { FilterPlugin, ScorePlugin } from './plugin';
import {
  podTopologySpread,
  podTopologySpreadScore,
  type SpreadDefaults,
} from './pod-topology-spread';
import { CPU_AND_MEMORY, resourceAllocation, type ScoringStrategy } from './resource-allocation';
import { runtimeHandler } from './runtime-handler';
import { taintToleration, taintTolerationScore } from './taint-toleration';
import { volumeBinding } from './volume-binding';
import { volumeRestrictions } from './volume-restrictions';
import { volumeZone } from './volume-zone';

/** Where upstream's framework calls plugins, by the names of its configuration. */
export const EXTENSION_POINTS = [
  'preEnqueue',
  'queueSort',
  'preFilter',
  'filter',
  'postFilter',
  'preScore',
  'score',
  'reserve',
  'permit',
  'preBind',
  'bind',
  'postBind',
] as const;

export type ExtensionPoint = (typeof EXTENSION_POINTS)[number];

/** How many nodes are tried for whom to evict: the larger of a share and a number. */
export interface PreemptionLimits {
  readonly minCandidateNodesPercentage: number;
  readonly minCandidateNodesAbsolute: number;
}

/** What a profile tells its plugins, by their names. */
export interface PluginArgs {
  readonly NodeAffinity: { readonly addedAffinity?: AddedAffinity | undefined };
  readonly NodeResourcesFit: IgnoredResources & { readonly scoringStrategy: ScoringStrategy };
  readonly NodeResourcesBalancedAllocation: { readonly resources: readonly string[] };
  readonly PodTopologySpread: SpreadDefaults;
  readonly InterPodAffinity: AffinityWeights;
  readonly DefaultPreemption: PreemptionLimits;
  readonly VolumeBinding: { readonly bindTimeoutMs: number };
}

/** A plugin of upstream's that may be named in a profile. */
export interface KnownPlugin {
  readonly name: string;
  /** Where upstream's plugin of the name is called. */
  readonly points: readonly ExtensionPoint[];
  /** What its score counts where a profile does not say; default 1. */
  readonly weight?: number;
  readonly filter?: (args: PluginArgs) => FilterPlugin;
  readonly score?: (args: PluginArgs) => ScorePlugin;
}

/** Upstream's default plugins in its order. What has neither filter nor score works outside of profiles. */
export const KNOWN_PLUGINS: readonly KnownPlugin[] = [
  { name: 'SchedulingGates', points: ['preEnqueue'] },
  { name: 'PrioritySort', points: ['queueSort'] },
  { name: 'NodeUnschedulable', points: ['filter'], filter: () => nodeUnschedulable },
  { name: 'NodeName', points: ['filter'], filter: () => nodeName },
  {
    name: 'TaintToleration',
    points: ['filter', 'preScore', 'score'],
    weight: 3,
    filter: () => taintToleration,
    score: () => taintTolerationScore,
  },
  {
    name: 'NodeAffinity',
    points: ['preFilter', 'filter', 'preScore', 'score'],
    weight: 2,
    filter: (args) => nodeAffinity(args.NodeAffinity.addedAffinity),
    score: (args) => nodeAffinityScore(args.NodeAffinity.addedAffinity),
  },
  { name: 'NodePorts', points: ['preFilter', 'filter'], filter: () => nodePorts },
  {
    name: 'NodeResourcesFit',
    points: ['preFilter', 'filter', 'preScore', 'score'],
    filter: (args) => nodeResourcesFit(args.NodeResourcesFit),
    score: (args) => resourceAllocation(args.NodeResourcesFit.scoringStrategy),
  },
  {
    name: 'VolumeRestrictions',
    points: ['preFilter', 'filter'],
    filter: () => volumeRestrictions,
  },
  {
    name: 'NodeVolumeLimits',
    points: ['preFilter', 'filter'],
    filter: () => nodeVolumeLimits,
  },
  {
    name: 'VolumeBinding',
    points: ['preFilter', 'filter', 'preScore', 'score', 'reserve', 'preBind'],
    filter: () => volumeBinding,
  },
  { name: 'VolumeZone', points: ['preFilter', 'filter'], filter: () => volumeZone },
  {
    name: 'PodTopologySpread',
    points: ['preFilter', 'filter', 'preScore', 'score'],
    weight: 2,
    filter: (args) => podTopologySpread(args.PodTopologySpread),
    score: (args) => podTopologySpreadScore(args.PodTopologySpread),
  },
  {
    name: 'InterPodAffinity',
    points: ['preFilter', 'filter', 'preScore', 'score'],
    weight: 2,
    filter: () => interPodAffinity,
    score: (args) => interPodAffinityScore(args.InterPodAffinity),
  },
  { name: 'DefaultPreemption', points: ['postFilter'] },
  {
    name: 'NodeResourcesBalancedAllocation',
    points: ['preScore', 'score'],
    score: (args) => balancedAllocation(args.NodeResourcesBalancedAllocation.resources),
  },
  { name: 'ImageLocality', points: ['score'], score: () => imageLocality },
  { name: 'DefaultBinder', points: ['bind'] },
  // Dhow's own.
  { name: 'RuntimeHandler', points: ['filter'], filter: () => runtimeHandler },
];

/** Upstream's plugins that Dhow has not: a profile may turn them off, and not on. */
export const ABSENT_PLUGINS: ReadonlySet<string> = new Set(['DynamicResources']);

/** Upstream's: few of a kind on one machine, and in one zone. Source: podtopologyspread/plugin.go. */
const SYSTEM_SPREAD: SpreadDefaults = {
  isSystem: true,
  constraints: [
    { topologyKey: 'kubernetes.io/hostname', maxSkew: 3, whenUnsatisfiable: 'ScheduleAnyway' },
    { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 5, whenUnsatisfiable: 'ScheduleAnyway' },
  ],
};

export const DEFAULT_ARGS: PluginArgs = {
  NodeAffinity: {},
  NodeResourcesFit: {
    ignoredResources: [],
    ignoredResourceGroups: [],
    scoringStrategy: { type: 'LeastAllocated', resources: CPU_AND_MEMORY },
  },
  NodeResourcesBalancedAllocation: { resources: CPU_AND_MEMORY.map(({ name }) => name) },
  PodTopologySpread: SYSTEM_SPREAD,
  InterPodAffinity: { hardPodAffinityWeight: 1, ignorePreferredTermsOfExistingPods: false },
  DefaultPreemption: { minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 100 },
  VolumeBinding: { bindTimeoutMs: 600_000 },
};
