import { LIMIT_RANGES, RESOURCE_QUOTAS } from '../resources';
import { made, refusal } from '../testing';

const named = { metadata: { name: 'a' } };
const range = (...limits: readonly object[]) => ({ ...named, spec: { limits } });
const quota = (hard: object, more: object = {}) => ({ ...named, spec: { hard, ...more } });

it.each<[string, object, readonly string[]]>([
  [
    'a type that nobody knows',
    { type: 'Node' },
    [
      'spec.limits[0].type: Invalid value: "Node": must be a standard limit type or fully qualified',
    ],
  ],
  ['a type of somebody', { type: 'example.com/Thing', max: { storage: '1' } }, []],
  [
    'the least above the most',
    { type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } },
    [
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
      'spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1',
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
    ],
  ],
  [
    'a default above the most',
    { type: 'Container', default: { cpu: '2' }, max: { cpu: '1' } },
    [
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than max value 1',
      'spec.limits[0].default[cpu]: Invalid value: "1": default value 2 is greater than max value 1',
    ],
  ],
  [
    'a default request above the default limit',
    { type: 'Container', default: { cpu: '1' }, defaultRequest: { cpu: '2' } },
    [
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than default limit value 1',
    ],
  ],
  [
    'defaults of pods',
    { type: 'Pod', default: { cpu: '1' }, defaultRequest: { cpu: '1' } },
    [
      "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
      "spec.limits[0].defaultRequest: Forbidden: may not be specified when `type` is 'Pod'",
    ],
  ],
  [
    'claims without storage',
    { type: 'PersistentVolumeClaim' },
    [
      'spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided',
    ],
  ],
  [
    'a ratio below one',
    { type: 'Container', maxLimitRequestRatio: { cpu: '500m' } },
    ['spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1'],
  ],
  [
    'a ratio that cannot be reached',
    { type: 'Pod', min: { cpu: '1' }, max: { cpu: '2' }, maxLimitRequestRatio: { cpu: '3' } },
    [
      'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000',
    ],
  ],
  [
    'what no container asks for',
    { type: 'Container', max: { pods: '1' } },
    [
      'spec.limits[0].max[pods]: Invalid value: "pods": must be a standard resource for containers',
      'spec.limits[0].default[pods]: Invalid value: "pods": must be a standard resource for containers',
      'spec.limits[0].defaultRequest[pods]: Invalid value: "pods": must be a standard resource for containers',
    ],
  ],
])('has a limit range refuse %s', (_what, item, expected) => {
  expect([...refusal(LIMIT_RANGES, range(item))].sort()).toEqual([...expected].sort());
});

it('has each type once in a limit range', () => {
  const item = { type: 'Pod', max: { cpu: '1' } };
  expect(refusal(LIMIT_RANGES, range(item, item))).toEqual([
    'spec.limits[1].type: Duplicate value: "Pod"',
  ]);
});

const SCOPED = { scopes: ['BestEffort'] };
const selecting = (...matchExpressions: readonly object[]) => ({
  scopeSelector: { matchExpressions },
});
const AT = 'spec.scopeSelector.matchExpressions';

it.each<[string, object, object, readonly string[]]>([
  [
    'less than nothing',
    { pods: '-1' },
    {},
    ['spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0'],
  ],
  [
    'half a pod',
    { pods: '1500m' },
    {},
    ['spec.hard[pods]: Invalid value: "1500m": must be an integer'],
  ],
  [
    'what is not counted',
    { storage: '1', apples: '1' },
    {},
    [
      'spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota',
      'spec.hard[apples]: Invalid value: "apples": must be a standard resource type or fully qualified',
      'spec.hard[apples]: Invalid value: "apples": must be a standard resource for quota',
    ],
  ],
  [
    'a scope of nobody',
    { pods: '1' },
    { scopes: ['Nice'] },
    ['spec.scopes: Invalid value: ["Nice"]: unsupported scope'],
  ],
  [
    'cpu of those that ask for none',
    { cpu: '1' },
    SCOPED,
    ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
  ],
  [
    'opposites',
    { pods: '1' },
    { scopes: ['Terminating', 'NotTerminating'] },
    ['spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes'],
  ],
  [
    'a class in nothing',
    { pods: '1' },
    selecting({ scopeName: 'PriorityClass', operator: 'In' }),
    [
      `${AT}.values: Required value: must be at least one value when \`operator\` is 'In' or 'NotIn' for scope selector`,
    ],
  ],
  [
    'a value beside existence',
    { pods: '1' },
    selecting({ scopeName: 'PriorityClass', operator: 'Exists', values: ['a'] }),
    [
      `${AT}.values: Invalid value: ["a"]: must be no value when \`operator\` is 'Exist' or 'DoesNotExist' for scope selector`,
    ],
  ],
  [
    'an operator of nobody',
    { pods: '1' },
    selecting({ scopeName: 'PriorityClass', operator: 'Like' }),
    [`${AT}.operator: Invalid value: "Like": not a valid selector operator`],
  ],
  [
    'a choice of what is or is not',
    { pods: '1' },
    selecting({ scopeName: 'Terminating', operator: 'DoesNotExist' }),
    [
      `${AT}.operator: Invalid value: "DoesNotExist": must be 'Exist' when scope is any of ` +
        'ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ' +
        'ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity',
    ],
  ],
])('has a quota refuse %s', (_what, hard, more, expected) => {
  expect(refusal(RESOURCE_QUOTAS, quota(hard, more))).toEqual(expected);
});

it('lets a quota bound anything that has a name of its own', () => {
  const hard = {
    'count/widgets.example.com': '5',
    'requests.example.com/gpu': '1',
    'gold.storageclass.storage.k8s.io/requests.storage': '1Gi',
    'requests.hugepages-2Mi': '2Mi',
    'services.nodeports': '1',
  };
  expect(refusal(RESOURCE_QUOTAS, quota(hard))).toEqual([]);
});

it('keeps the scopes of a quota', () => {
  const [old, next] = [quota({ pods: '1' }, SCOPED), quota({ pods: '1' })];
  expect(refusal(RESOURCE_QUOTAS, next, old)).toEqual([
    'spec.scopes: Invalid value: null: field is immutable',
  ]);
});

it('never has an amount beyond all range count as a small one', () => {
  const { spec } = made(RESOURCE_QUOTAS, quota({ 'requests.storage': '3000E' })) as unknown as {
    spec: { hard: Record<string, string> };
  };
  expect(spec.hard['requests.storage']).toBe('9223372036854775807');
});
