import { z } from 'zod';
import { EXTENSION_POINTS } from '../plugins/registry';

/** The file as upstream's kubescheduler.config.k8s.io/v1 has it, field by field. */

const LIST_MAX = 1000;
const PERCENT = 'not in valid range [0-100]';
const SCORE = 'not in valid range [0-10]';

const int32 = z
  .number()
  .int()
  .min(-(2 ** 31))
  .max(2 ** 31 - 1);
const percent = int32.min(0, PERCENT).max(100, PERCENT);
const name = z.string().min(1, 'Required value').max(253);

const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .max(LIST_MAX)
    .nullish()
    .transform((value) => value ?? []);

const pluginSet = z
  .strictObject({
    enabled: list(z.strictObject({ name, weight: int32.min(0).default(0) })),
    disabled: list(z.strictObject({ name, weight: int32.optional() })),
  })
  .nullish()
  .transform((value) => value ?? undefined);

const profile = z.strictObject({
  schedulerName: name.optional(),
  percentageOfNodesToScore: percent.nullish(),
  plugins: z
    .strictObject({
      multiPoint: pluginSet,
      ...(Object.fromEntries(EXTENSION_POINTS.map((point) => [point, pluginSet])) as Record<
        (typeof EXTENSION_POINTS)[number],
        typeof pluginSet
      >),
    })
    .nullish()
    .transform((value) => value ?? {}),
  // Each is of another shape, by its name.
  pluginConfig: list(z.strictObject({ name, args: z.unknown().optional() })),
});

export type ProfileInput = z.output<typeof profile>;

export const configurationSchema = z.strictObject({
  apiVersion: z.literal('kubescheduler.config.k8s.io/v1'),
  kind: z.literal('KubeSchedulerConfiguration'),
  parallelism: int32.min(1, 'should be an integer value greater than zero').nullish(),
  leaderElection: z.unknown().optional(),
  clientConnection: z.unknown().optional(),
  enableProfiling: z.unknown().optional(),
  enableContentionProfiling: z.unknown().optional(),
  delayCacheUntilActive: z.unknown().optional(),
  percentageOfNodesToScore: percent.nullish(),
  podInitialBackoffSeconds: int32.min(1, 'must be greater than 0').default(1),
  podMaxBackoffSeconds: int32.default(10),
  profiles: list(profile),
  extenders: list(z.unknown()),
});

export type ConfigurationInput = z.output<typeof configurationSchema>;

/** As upstream, 0 is what is usual. */
const resource = (weight: z.ZodType<number>) =>
  z.strictObject({ name, weight: weight.default(1).transform((given) => given || 1) });
const WEIGHT = 'resource weight not in valid range [1-100]';
const weighted = resource(int32.min(0, WEIGHT).max(100, WEIGHT));
const unweighted = resource(int32.min(0, 'must be 1').max(1, 'must be 1'));

const requirement = z.strictObject({
  key: z.string(),
  operator: z.string(),
  values: z.array(z.string()).max(LIST_MAX).optional(),
});
const term = z.strictObject({
  matchExpressions: z.array(requirement).max(LIST_MAX).optional(),
  matchFields: z.array(requirement).max(LIST_MAX).optional(),
});
/** What its terms may say is checked as that of pods is. */
const nodeAffinity = z
  .strictObject({
    requiredDuringSchedulingIgnoredDuringExecution: z
      .strictObject({ nodeSelectorTerms: z.array(term).max(LIST_MAX) })
      .optional(),
    preferredDuringSchedulingIgnoredDuringExecution: z
      .array(z.strictObject({ weight: int32, preference: term }))
      .max(LIST_MAX)
      .optional(),
  })
  .nullish();

const ofKind = <T extends z.ZodRawShape>(kind: string, fields: T) =>
  z.strictObject({
    apiVersion: z.literal('kubescheduler.config.k8s.io/v1').optional(),
    kind: z.literal(kind).optional(),
    ...fields,
  });

const group = z
  .string()
  .refine((text) => !text.includes('/'), "resource group name can't contain '/'")
  .refine((text) => /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(text), 'must be a name');

/** The arguments of each plugin that has some. */
export const argsSchemas = {
  DefaultPreemption: ofKind('DefaultPreemptionArgs', {
    minCandidateNodesPercentage: percent.default(10),
    minCandidateNodesAbsolute: int32.min(0, 'not in valid range [0, inf)').default(100),
  }),
  InterPodAffinity: ofKind('InterPodAffinityArgs', {
    hardPodAffinityWeight: percent.default(1),
    ignorePreferredTermsOfExistingPods: z.boolean().default(false),
  }),
  NodeAffinity: ofKind('NodeAffinityArgs', { addedAffinity: nodeAffinity }),
  NodeResourcesBalancedAllocation: ofKind('NodeResourcesBalancedAllocationArgs', {
    resources: list(unweighted),
  }),
  NodeResourcesFit: ofKind('NodeResourcesFitArgs', {
    ignoredResources: list(name),
    ignoredResourceGroups: list(group),
    scoringStrategy: z
      .strictObject({
        type: z.enum(['LeastAllocated', 'MostAllocated', 'RequestedToCapacityRatio']),
        resources: list(weighted),
        requestedToCapacityRatio: z
          .strictObject({
            shape: list(
              z.strictObject({ utilization: percent, score: int32.min(0, SCORE).max(10, SCORE) }),
            ),
          })
          .nullish(),
      })
      .nullish(),
  }),
  PodTopologySpread: ofKind('PodTopologySpreadArgs', {
    defaultConstraints: list(
      z.strictObject({
        maxSkew: int32.min(1, 'not in valid range (0, inf)'),
        topologyKey: z.string().min(1, 'can not be empty').max(316),
        whenUnsatisfiable: z.enum(['DoNotSchedule', 'ScheduleAnyway']),
        minDomains: int32.min(1, 'must be greater than 0').optional(),
        nodeAffinityPolicy: z.enum(['Honor', 'Ignore']).optional(),
        nodeTaintsPolicy: z.enum(['Honor', 'Ignore']).optional(),
        labelSelector: z
          .undefined('constraint must not define a selector, as they deduced for each pod')
          .optional(),
      }),
    ),
    defaultingType: z.enum(['System', 'List']).default('System'),
  }),
  VolumeBinding: ofKind('VolumeBindingArgs', {
    bindTimeoutSeconds: z
      .number()
      .int()
      .min(0, 'invalid BindTimeoutSeconds, should not be a negative value')
      .max(86_400)
      .default(600),
    shape: z.unknown().optional(),
  }),
} as const;

export type ArgsInput = {
  readonly [Name in keyof typeof argsSchemas]: z.output<(typeof argsSchemas)[Name]>;
};
