import { readYaml } from '../../../api/yaml';
import {
  ABSENT_PLUGINS,
  EXTENSION_POINTS,
  KNOWN_PLUGINS,
  type ExtensionPoint,
} from '../plugins/registry';
import { DEFAULT_SCHEDULER_NAME, profileOf, type Profile } from '../profile';
import type { Backoff } from '../queue';
import { argsOf } from './args';
import { ALL, enabledAt, type PluginSets } from './enabled';
import { fieldAt, problemsOf } from './problems';
import { configurationSchema, type ConfigurationInput, type ProfileInput } from './schema';

/** What a scheduler is told by its file. */
export interface SchedulerConfiguration {
  readonly profiles: readonly Profile[];
  readonly backoff: Backoff;
  /** What is said in vain, each with its field. */
  readonly warnings: readonly string[];
}

/**
 * Of a KubeSchedulerConfiguration of kubescheduler.config.k8s.io/v1, as upstream's kube-scheduler takes it.
 * Pure. @throws Error that names each field that is wrong, unknown, or would change where pods go and cannot
 */
export const parseSchedulerConfiguration = (text: string): SchedulerConfiguration => {
  const documents = readYaml(text, { bytesMax: BYTES_MAX });
  const [document, ...others] = documents;
  const repeated = (document?.duplicates ?? []).map(({ path }) => `duplicate field "${path}"`);
  const result = configurationSchema.safeParse(document?.value);
  if (!result.success) throw invalid([...repeated, ...problemsOf(result.error, [])]);
  const read = readConfiguration(result.data);
  const problems = [
    ...(others.length > 0 ? ['it must be one document'] : []),
    ...repeated,
    ...read.problems,
  ];
  if (problems.length > 0) throw invalid(problems);
  return read;
};

const invalid = (problems: readonly string[]): Error =>
  new Error(`invalid scheduler configuration: ${problems.slice(0, PROBLEMS_MAX).join('; ')}`);

const readConfiguration = (input: ConfigurationInput) => {
  // As upstream: without any, the one profile that everybody has.
  const profiles = (input.profiles.length === 0 ? [UNNAMED] : input.profiles).map(readProfile);
  return {
    profiles: profiles.map(({ profile }) => profile),
    backoff: {
      initialMs: input.podInitialBackoffSeconds * 1000,
      maxMs: input.podMaxBackoffSeconds * 1000,
    },
    problems: [...problemsIn(input), ...profiles.flatMap(({ problems }) => problems)],
    warnings: [...vain(input), ...profiles.flatMap(({ warnings }) => warnings)],
  };
};

const UNNAMED: ProfileInput = { plugins: {}, pluginConfig: [] };

const problemsIn = ({
  profiles,
  extenders,
  podInitialBackoffSeconds,
  podMaxBackoffSeconds,
}: ConfigurationInput): readonly string[] => [
  ...profiles.flatMap(({ schedulerName }, index) => {
    const field = fieldAt('profiles', index, 'schedulerName');
    // Only one that is alone has the usual name without saying so.
    if (schedulerName === undefined) return profiles.length > 1 ? [`${field}: Required value`] : [];
    return profiles.findIndex((each) => each.schedulerName === schedulerName) < index
      ? [`${field}: Duplicate value: "${schedulerName}"`]
      : [];
  }),
  ...(podMaxBackoffSeconds < podInitialBackoffSeconds
    ? [
        `podMaxBackoffSeconds: Invalid value: ${podMaxBackoffSeconds}: must be greater than or equal to PodInitialBackoffSeconds`,
      ]
    : []),
  // Whoever wrote them counts on their verdict: without it pods would go elsewhere.
  ...(extenders.length > 0 ? ['extenders: Forbidden: no extender is called here'] : []),
];

/** What may be said and changes nothing here. */
const vain = (input: ConfigurationInput): readonly string[] => {
  const told: readonly (readonly [string, unknown, string])[] = [
    ['parallelism', input.parallelism, 'decisions are taken one after another'],
    ['percentageOfNodesToScore', input.percentageOfNodesToScore, 'every node is considered'],
    ['leaderElection', input.leaderElection, 'the scheduler is part of the server'],
    ['clientConnection', input.clientConnection, 'the scheduler is part of the server'],
    ['enableProfiling', input.enableProfiling, 'the server has no profiling handlers'],
    ['enableContentionProfiling', input.enableContentionProfiling, 'nothing contends'],
    ['delayCacheUntilActive', input.delayCacheUntilActive, 'the scheduler is always active'],
    ...input.profiles.map(
      ({ percentageOfNodesToScore }, index) =>
        [
          fieldAt('profiles', index, 'percentageOfNodesToScore'),
          percentageOfNodesToScore,
          'every node is considered',
        ] as const,
    ),
  ];
  return told
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([field, , why]) => `${field} has no effect: ${why}`);
};

const readProfile = (input: ProfileInput, index: number) => {
  const base = ['profiles', index];
  const sets: PluginSets = input.plugins;
  const { args, problems, warnings } = argsOf(input, base);
  const at = (point: ExtensionPoint) => enabledAt(point, sets, KNOWN_PLUGINS);
  const { schedulerName = DEFAULT_SCHEDULER_NAME } = input;
  const profile = profileOf({
    schedulerName,
    filters: at('filter').map(({ plugin }) => plugin),
    scores: at('score'),
    isPreempting: at('postFilter').some(({ plugin }) => plugin.name === 'DefaultPreemption'),
    args,
  });
  const named = `for profile with scheduler name "${schedulerName}"`;
  const sorts = at('queueSort').length;
  return {
    profile,
    problems: [
      ...problems,
      ...[...POINTS].flatMap((point) => setProblems(point, sets, [...base, 'plugins', point])),
      ...(sorts === 1 ? [] : [`only one queue sort plugin required ${named}, but got ${sorts}`]),
      ...(at('bind').length > 0 ? [] : [`at least one bind plugin is needed ${named}`]),
    ],
    warnings: [...warnings, ...vainSets(sets, base), ...unheldGates(at('preEnqueue').length, base)],
  };
};

const POINTS = ['multiPoint', ...EXTENSION_POINTS] as const;

/** Plugins that are not there, or not at this point. Words of updatePluginList, framework/runtime. */
const setProblems = (
  point: (typeof POINTS)[number],
  sets: PluginSets,
  path: readonly PropertyKey[],
): readonly string[] => {
  const { enabled = [], disabled = [] } = sets[point] ?? {};
  const names = enabled.map(({ name }) => name);
  const wrong = names.flatMap((name, index) => {
    const field = fieldAt(...path, 'enabled', index);
    const known = KNOWN_PLUGINS.find((each) => each.name === name);
    if (known === undefined)
      return [
        `${field}: plugin "${name}" does not exist${ABSENT_PLUGINS.has(name) ? ' here' : ''}`,
      ];
    if (point !== 'multiPoint' && !known.points.includes(point))
      return [`${field}: plugin "${name}" does not extend ${point} plugin`];
    return names.indexOf(name) < index
      ? [`${field}: plugin "${name}" already registered as "${point}"`]
      : [];
  });
  const unknown = disabled.flatMap(({ name }, index) =>
    name === ALL || ABSENT_PLUGINS.has(name) || KNOWN_PLUGINS.some((each) => each.name === name)
      ? []
      : [`${fieldAt(...path, 'disabled', index)}: plugin "${name}" does not exist`],
  );
  return [...wrong, ...unknown];
};

/** A plugin runs as a whole here: what it prepares goes with its filter, or its score. */
const vainSets = (sets: PluginSets, base: readonly PropertyKey[]): readonly string[] =>
  [...WITHOUT_EFFECT].flatMap(([point, why]) => {
    const { enabled = [], disabled = [] } = sets[point] ?? {};
    return enabled.length + disabled.length === 0
      ? []
      : [`${fieldAt(...base, 'plugins', point)} has no effect: ${why}`];
  });

const WITHOUT_EFFECT: ReadonlyMap<ExtensionPoint, string> = new Map([
  ['preFilter', 'a plugin prepares what its filter needs'],
  ['preScore', 'a plugin prepares what its score needs'],
  ...(['reserve', 'permit', 'preBind', 'postBind'] as const).map(
    (point) => [point, 'no plugin is called there'] as const,
  ),
]);

const unheldGates = (holderCount: number, base: readonly PropertyKey[]): readonly string[] =>
  holderCount > 0
    ? []
    : [`${fieldAt(...base, 'plugins')}: scheduling gates hold pods also without SchedulingGates`];

const BYTES_MAX = 1024 * 1024;
const PROBLEMS_MAX = 100;
