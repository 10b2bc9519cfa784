import { z } from 'zod';
import { validateAffinity } from '../../../api/validation/affinity';
import { DEFAULT_ARGS, type PluginArgs } from '../plugins/registry';
import type { ScoringStrategy, WeightedResource } from '../plugins/resource-allocation';
import { fieldAt, problemsOf } from './problems';
import { argsSchemas, type ArgsInput, type ProfileInput } from './schema';

/** What a profile's `pluginConfig` comes to, and what is wrong with it. */
export interface ReadArgs {
  readonly args: PluginArgs;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

type Path = readonly PropertyKey[];

/** Pure. Rules and words are upstream's: apis/config/validation/validation_pluginargs.go. */
export const argsOf = ({ pluginConfig }: ProfileInput, base: Path): ReadArgs => {
  let args = DEFAULT_ARGS;
  const problems: string[] = [];
  const warnings: string[] = [];
  const seen = new Set<string>();
  pluginConfig.forEach(({ name, args: given }, index) => {
    const path = [...base, 'pluginConfig', index];
    if (seen.has(name)) problems.push(`${fieldAt(...path)}: Duplicate value: "${name}"`);
    seen.add(name);
    if (!isKnown(name)) {
      problems.push(`${fieldAt(...path, 'name')}: no plugin "${name}" takes arguments here`);
      return;
    }
    const read = READERS[name](given ?? {}, [...path, 'args']);
    args = { ...args, ...read.args };
    problems.push(...(read.problems ?? []));
    warnings.push(...(read.warnings ?? []));
  });
  return { args, problems, warnings };
};

type Name = keyof ArgsInput;
type Read = Partial<{ -readonly [Key in keyof ReadArgs]: Partial<ReadArgs[Key]> }> & {
  readonly problems?: readonly string[];
  readonly warnings?: readonly string[];
};
type Reader = (given: unknown, path: Path) => Read;

const isKnown = (name: string): name is Name => Object.hasOwn(argsSchemas, name);

/** Reads the arguments by their schema, and judges what a schema cannot. */
const reader =
  <N extends Name>(name: N, judge: (args: ArgsInput[N], path: Path) => Read): Reader =>
  (given, path) => {
    const schema: z.ZodType = argsSchemas[name];
    const result = schema.safeParse(given);
    return result.success
      ? judge(result.data as ArgsInput[N], path)
      : { problems: problemsOf(result.error, path) };
  };

const READERS: Readonly<Record<Name, Reader>> = {
  DefaultPreemption: reader('DefaultPreemption', (args, path) => ({
    args: { DefaultPreemption: args },
    problems:
      args.minCandidateNodesPercentage + args.minCandidateNodesAbsolute > 0
        ? []
        : ['minCandidateNodesPercentage', 'minCandidateNodesAbsolute'].map(
            (field) =>
              `${fieldAt(...path, field)}: Invalid value: 0: cannot be zero at the same time as the other`,
          ),
  })),

  InterPodAffinity: reader('InterPodAffinity', (args) => ({ args: { InterPodAffinity: args } })),

  NodeAffinity: reader('NodeAffinity', ({ addedAffinity }, path) => {
    const nodeAffinity = addedAffinity ?? undefined;
    if (nodeAffinity === undefined) return {};
    // As JSON has it: what is undefined is not there.
    const affinity = { nodeAffinity } as Parameters<typeof validateAffinity>[0];
    return {
      args: { NodeAffinity: { addedAffinity: affinity?.nodeAffinity } },
      problems: validateAffinity(affinity, '').map(
        ({ field, message }) =>
          `${fieldAt(...path, 'addedAffinity')}${field.slice('.nodeAffinity'.length)}: ${message}`,
      ),
    };
  }),

  NodeResourcesBalancedAllocation: reader('NodeResourcesBalancedAllocation', (args, path) => {
    const resources = resourcesOf(args.resources).map(({ name }) => name);
    return {
      args: { NodeResourcesBalancedAllocation: { resources } },
      problems: repeated(resources, [...path, 'resources']),
    };
  }),

  NodeResourcesFit: reader('NodeResourcesFit', (args, path) => {
    const { ignoredResources, ignoredResourceGroups } = args;
    const strategy = args.scoringStrategy ?? { type: 'LeastAllocated' as const, resources: [] };
    const at = [...path, 'scoringStrategy'];
    const shape =
      ('requestedToCapacityRatio' in strategy && strategy.requestedToCapacityRatio?.shape) || [];
    const resources = resourcesOf(strategy.resources);
    const scoringStrategy: ScoringStrategy =
      strategy.type === 'RequestedToCapacityRatio'
        ? { type: strategy.type, resources, shape }
        : { type: strategy.type, resources };
    return {
      args: { NodeResourcesFit: { ignoredResources, ignoredResourceGroups, scoringStrategy } },
      problems: strategy.type === 'RequestedToCapacityRatio' ? shapeProblems(shape, at) : [],
      warnings:
        strategy.type !== 'RequestedToCapacityRatio' && shape.length > 0
          ? [`${fieldAt(...at, 'requestedToCapacityRatio')} has no effect with ${strategy.type}`]
          : [],
    };
  }),

  PodTopologySpread: reader('PodTopologySpread', (args, path) => {
    const { defaultConstraints, defaultingType } = args;
    const isSystem = defaultingType === 'System';
    const keys = defaultConstraints.map((each) => `${each.topologyKey} ${each.whenUnsatisfiable}`);
    return {
      ...(isSystem
        ? {}
        : { args: { PodTopologySpread: { isSystem, constraints: defaultConstraints } } }),
      problems: [
        ...(isSystem && defaultConstraints.length > 0
          ? [
              `${fieldAt(...path, 'defaultingType')}: Invalid value: "System": when .defaultConstraints are specified`,
            ]
          : []),
        ...repeated(keys, [...path, 'defaultConstraints']),
      ],
    };
  }),

  VolumeBinding: reader('VolumeBinding', ({ bindTimeoutSeconds, shape }, path) => ({
    args: { VolumeBinding: { bindTimeoutMs: bindTimeoutSeconds * 1000 } },
    problems:
      shape === undefined || shape === null
        ? []
        : [`${fieldAt(...path, 'shape')}: nodes are not scored by their storage here`],
  })),
};

const resourcesOf = (given: readonly WeightedResource[]): readonly WeightedResource[] =>
  given.length === 0 ? DEFAULT_ARGS.NodeResourcesFit.scoringStrategy.resources : given;

const repeated = (keys: readonly string[], path: Path): readonly string[] =>
  keys.flatMap((key, index) =>
    keys.indexOf(key) < index ? [`${fieldAt(...path, index)}: Duplicate value: "${key}"`] : [],
  );

const shapeProblems = (
  shape: readonly { readonly utilization: number }[],
  path: Path,
): readonly string[] => {
  const at = [...path, 'requestedToCapacityRatio', 'shape'];
  if (shape.length === 0)
    return [`${fieldAt(...at)}: Required value: at least one point must be specified`];
  return shape.flatMap(({ utilization }, index) => {
    const before = shape[index - 1]?.utilization ?? -1;
    return utilization > before
      ? []
      : [
          `${fieldAt(...at, index, 'utilization')}: Invalid value: ${utilization}: ` +
            'utilization values must be sorted in increasing order',
        ];
  });
};
