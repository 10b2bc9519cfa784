import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_PROFILE } from '../profile';
import { argsOf } from './args';
import { parseSchedulerConfiguration } from './configuration';

const HEAD = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';
const parse = (text: string) => parseSchedulerConfiguration(`${HEAD}${text}`);
const profile = (text: string) =>
  parse(`profiles:\n- ${text.replaceAll('\n', '\n  ')}`).profiles[0]!;
const refused = (text: string): readonly string[] => {
  try {
    parse(text);
  } catch (error) {
    return (error as Error).message.replace('invalid scheduler configuration: ', '').split('; ');
  }
  throw new Error('was not refused');
};
const filters = (text: string) => profile(text).filters.map(({ name }) => name);
const scores = (text: string) =>
  profile(text).scores.map(({ plugin, weight }) => `${plugin.name} ${weight}`);
const ALL_FILTERS = DEFAULT_PROFILE.filters.map(({ name }) => name);
const ALL_SCORES = DEFAULT_PROFILE.scores.map(({ plugin, weight }) => `${plugin.name} ${weight}`);

it('takes an empty configuration for the usual profile', () => {
  const { profiles, backoff, warnings } = parse('');
  expect([profiles.length, profiles[0]!.schedulerName]).toEqual([1, 'default-scheduler']);
  expect(profiles[0]!.filters.map(({ name }) => name)).toEqual(ALL_FILTERS);
  expect([backoff, warnings]).toEqual([{ initialMs: 1000, maxMs: 10_000 }, []]);
});

it('has upstream’s weights by default', () => {
  expect([...ALL_SCORES].sort()).toEqual([
    'ImageLocality 1',
    'InterPodAffinity 2',
    'NodeAffinity 2',
    'NodeResourcesBalancedAllocation 1',
    'NodeResourcesFit 1',
    'PodTopologySpread 2',
    'TaintToleration 3',
  ]);
});

describe('the plugins of a profile', () => {
  it('are the default ones but for what is disabled', () => {
    expect(filters('plugins: {filter: {disabled: [{name: NodePorts}]}}')).toEqual(
      ALL_FILTERS.filter((name) => name !== 'NodePorts'),
    );
    expect(scores('plugins: {multiPoint: {disabled: [{name: ImageLocality}]}}')).toEqual(
      ALL_SCORES.filter((name) => !name.startsWith('ImageLocality')),
    );
  });

  it('are only those named where all others are disabled', () => {
    expect(
      scores(
        'plugins: {score: {disabled: [{name: "*"}], enabled: [{name: ImageLocality, weight: 7}]}}',
      ),
    ).toEqual(['ImageLocality 7']);
    expect(filters('plugins: {score: {disabled: [{name: "*"}]}}')).toEqual(ALL_FILTERS);
  });

  it('take the weight of their point before that of multiPoint, and 1 where none is said', () => {
    const plugins = `plugins:
  multiPoint: {enabled: [{name: TaintToleration, weight: 5}, {name: NodeAffinity}]}
  score: {enabled: [{name: TaintToleration, weight: 9}]}`;
    expect(scores(plugins)).toEqual(
      expect.arrayContaining(['TaintToleration 9', 'NodeAffinity 1']),
    );
  });

  it('come first in the order that their point names', () => {
    const [first, second, ...rest] = filters(
      'plugins: {filter: {enabled: [{name: NodePorts}, {name: NodeName}]}}',
    );
    expect([first, second]).toEqual(['NodePorts', 'NodeName']);
    expect(rest).toEqual(ALL_FILTERS.filter((name) => !['NodePorts', 'NodeName'].includes(name)));
  });

  it('do not preempt where DefaultPreemption is disabled', () => {
    expect(profile('plugins: {}').preemption).toEqual({
      minCandidateNodesPercentage: 10,
      minCandidateNodesAbsolute: 100,
    });
    const off = 'plugins: {postFilter: {disabled: [{name: DefaultPreemption}]}}';
    expect(profile(off).preemption).toBeUndefined();
  });
});

it('takes a weight of 0 for the usual one', () => {
  const resources = [{ name: 'cpu', weight: 0 }, { name: 'memory' }, { name: 'a/b', weight: 2 }];
  const given = { scoringStrategy: { type: 'MostAllocated', resources } };
  const pluginConfig = [{ name: 'NodeResourcesFit', args: given }];
  const { args, problems } = argsOf({ plugins: {}, pluginConfig }, []);
  expect(problems).toEqual([]);
  expect(args.NodeResourcesFit.scoringStrategy.resources).toEqual([
    { name: 'cpu', weight: 1 },
    { name: 'memory', weight: 1 },
    { name: 'a/b', weight: 2 },
  ]);
});

describe('what is wrong', () => {
  it.each([
    ['podsPerCore: 3', 'unknown field "podsPerCore"'],
    ['profiles: [{schedulername: a}]', 'unknown field "profiles[0].schedulername"'],
    ['profiles: [{schedulerName: ""}]', 'profiles[0].schedulerName: Required value'],
    ['profiles: [{schedulerName: a}, {}]', 'profiles[1].schedulerName: Required value'],
    [
      'profiles: [{schedulerName: a}, {schedulerName: a}]',
      'profiles[1].schedulerName: Duplicate value: "a"',
    ],
    ['parallelism: 0', 'parallelism: should be an integer value greater than zero'],
    ['percentageOfNodesToScore: 101', 'percentageOfNodesToScore: not in valid range [0-100]'],
    ['podInitialBackoffSeconds: 0', 'podInitialBackoffSeconds: must be greater than 0'],
    [
      'podInitialBackoffSeconds: 20',
      'podMaxBackoffSeconds: Invalid value: 10: must be greater than or equal to PodInitialBackoffSeconds',
    ],
    ['extenders: [{urlPrefix: "http://x"}]', 'extenders: Forbidden: no extender is called here'],
    [
      'profiles: [{plugins: {filter: {enabled: [{name: Mine}]}}}]',
      'profiles[0].plugins.filter.enabled[0]: plugin "Mine" does not exist',
    ],
    [
      'profiles: [{plugins: {score: {enabled: [{name: NodePorts}]}}}]',
      'profiles[0].plugins.score.enabled[0]: plugin "NodePorts" does not extend score plugin',
    ],
    [
      'profiles: [{plugins: {score: {enabled: [{name: ImageLocality}, {name: ImageLocality}]}}}]',
      'profiles[0].plugins.score.enabled[1]: plugin "ImageLocality" already registered as "score"',
    ],
    [
      'profiles: [{plugins: {multiPoint: {disabled: [{name: "*"}], enabled: [{name: PrioritySort}]}}}]',
      'at least one bind plugin is needed for profile with scheduler name "default-scheduler"',
    ],
    [
      'profiles: [{plugins: {queueSort: {disabled: [{name: "*"}]}}}]',
      'only one queue sort plugin required for profile with scheduler name "default-scheduler", but got 0',
    ],
    ['extenders: []\nextenders: []', 'duplicate field "extenders"'],
    ['---\na: b', 'it must be one document'],
  ])('%s is refused by its field', (text, problem) => expect(refused(text)).toContain(problem));

  const args = (name: string, given: string) =>
    `profiles: [{pluginConfig: [{name: ${name}, args: ${given}}]}]`;
  const AT = 'profiles[0].pluginConfig[0].args';

  it.each([
    ['NodeResourcesFit', '{a: 1}', `unknown field "${AT}.a"`],
    [
      'ImageLocality',
      '{}',
      'profiles[0].pluginConfig[0].name: no plugin "ImageLocality" takes arguments here',
    ],
    [
      'InterPodAffinity',
      '{hardPodAffinityWeight: 101}',
      `${AT}.hardPodAffinityWeight: not in valid range [0-100]`,
    ],
    [
      'DefaultPreemption',
      '{minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0}',
      `${AT}.minCandidateNodesAbsolute: Invalid value: 0: cannot be zero at the same time as the other`,
    ],
    [
      'NodeResourcesFit',
      '{ignoredResourceGroups: [a/b]}',
      `${AT}.ignoredResourceGroups[0]: resource group name can't contain '/'`,
    ],
    [
      'NodeResourcesFit',
      '{scoringStrategy: {type: RequestedToCapacityRatio}}',
      `${AT}.scoringStrategy.requestedToCapacityRatio.shape: Required value: at least one point must be specified`,
    ],
    [
      'NodeResourcesFit',
      '{scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: [{utilization: 5, score: 1}, {utilization: 5, score: 2}]}}}',
      `${AT}.scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid value: 5: utilization values must be sorted in increasing order`,
    ],
    [
      'NodeResourcesFit',
      '{scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 101}]}}',
      `${AT}.scoringStrategy.resources[0].weight: resource weight not in valid range [1-100]`,
    ],
    [
      'NodeResourcesBalancedAllocation',
      '{resources: [{name: cpu, weight: 2}]}',
      `${AT}.resources[0].weight: must be 1`,
    ],
    [
      'PodTopologySpread',
      '{defaultConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]}',
      `${AT}.defaultingType: Invalid value: "System": when .defaultConstraints are specified`,
    ],
    [
      'PodTopologySpread',
      '{defaultingType: List, defaultConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {}}]}',
      `${AT}.defaultConstraints[0].labelSelector: constraint must not define a selector, as they deduced for each pod`,
    ],
    [
      'NodeAffinity',
      '{addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}}',
      `${AT}.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term`,
    ],
    [
      'VolumeBinding',
      '{bindTimeoutSeconds: -1}',
      `${AT}.bindTimeoutSeconds: invalid BindTimeoutSeconds, should not be a negative value`,
    ],
  ])('arguments of %s %s are refused by their field', (name, given, problem) =>
    expect(refused(args(name, given))).toContain(problem),
  );
});

it('reads the file that is shipped, by which pods are packed', () => {
  const file = join(__dirname, '../../../deploy/scheduler/bin-packing.yaml');
  const { profiles, warnings } = parseSchedulerConfiguration(readFileSync(file, 'utf8'));
  expect(warnings).toEqual([]);
  const [usual, packing] = profiles;
  expect(usual!.scores.length).toBe(DEFAULT_PROFILE.scores.length);
  expect(packing!.scores.map(({ plugin, weight }) => `${plugin.name} ${weight}`)).toEqual([
    'NodeResourcesFit 5',
    'TaintToleration 3',
    'NodeAffinity 2',
    'InterPodAffinity 2',
    'ImageLocality 1',
  ]);
});

it('says of each field that changes nothing why', () => {
  const { warnings } = parse(`parallelism: 16
percentageOfNodesToScore: 50
leaderElection: {leaderElect: true}
clientConnection: {kubeconfig: /etc/x}
profiles: [{plugins: {preFilter: {disabled: [{name: NodePorts}]}}}]`);
  expect(warnings).toEqual([
    'parallelism has no effect: decisions are taken one after another',
    'percentageOfNodesToScore has no effect: every node is considered',
    'leaderElection has no effect: the scheduler is part of the server',
    'clientConnection has no effect: the scheduler is part of the server',
    'profiles[0].plugins.preFilter has no effect: a plugin prepares what its filter needs',
  ]);
});
