import { POD_DISRUPTION_BUDGETS } from '../resources';
import { refusal } from '../testing';

const budget = (spec: object) => ({ metadata: { name: 'a' }, spec });

it.each<[object, readonly string[]]>([
  [{ minAvailable: '50%', selector: { matchLabels: { a: 'b' } } }, []],
  [{ maxUnavailable: 0, unhealthyPodEvictionPolicy: 'AlwaysAllow' }, []],
  [
    { minAvailable: -1 },
    ['spec.minAvailable: Invalid value: -1: must be greater than or equal to 0'],
  ],
  [
    { maxUnavailable: '101%' },
    ['spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
  ],
  [
    { minAvailable: 1, maxUnavailable: 1 },
    [
      'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set',
    ],
  ],
  [
    { unhealthyPodEvictionPolicy: 'Never' },
    [
      'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget"',
    ],
  ],
])('judges a budget of %j', (spec, expected) => {
  expect(refusal(POD_DISRUPTION_BUDGETS, budget(spec))).toEqual(expected);
});
