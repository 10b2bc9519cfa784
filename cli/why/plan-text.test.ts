import type { PlacementPlanStatus, PlannedPlacement } from '../../api/placement-plans';
import { renderPlan } from './plan-text';

const STYLE = { color: false, width: 100, isWide: false };
const use = (pods: number, cpu: string, memory: string) => ({ pods, cpu, memory });
const EMPTY: PlacementPlanStatus = { placements: [], replaced: 0, nodes: [] };

it('shows each pod with its place, and what waits with what would help', () => {
  const status: PlacementPlanStatus = {
    placements: [
      {
        ...{ pod: 'default/web-1', owner: 'Deployment/web', cause: 'Planned' },
        ...{ outcome: 'Scheduled', nodeName: 'n1', nodesConsidered: 2, nodesFeasible: 2 },
        ...{ runnerUp: 'n2', margin: 4, decidedBy: 'NodeResourcesFit' },
      },
      {
        ...{ pod: 'default/top', cause: 'Planned', outcome: 'Scheduled', nodeName: 'n2' },
        ...{ nodesConsidered: 2, nodesFeasible: 0, evicts: ['a/low'], budgetViolations: 1 },
      },
      {
        ...{ pod: 'default/web-2', owner: 'Deployment/web', cause: 'Planned' },
        ...{ outcome: 'Unschedulable', nodesConsidered: 2, nodesFeasible: 0 },
        refusals: [{ reasons: ['Insufficient cpu'], count: 2 }],
        suggestion: 'lower the cpu request',
      },
      { pod: 'default/bare', cause: 'Moved', from: 'n1', outcome: 'Lost', message: 'nobody' },
    ],
    replaced: 2,
    nodes: [
      {
        ...{ node: 'n1', change: 'Drained', before: use(2, '1', '1Gi'), after: use(0, '0', '0') },
        allocatable: use(110, '4', '8Gi'),
      },
    ],
    more: {
      ...{ owner: 'Deployment/web', count: 3, isAtLimit: false },
      refusals: [{ reasons: ['Too many pods'], count: 2 }],
    },
  };
  expect(renderPlan(status, STYLE)).toBe(
    `#   POD             OF               FROM   TO   FIT   WHY
1   default/web-1   Deployment/web   -      n1   2/2   NodeResourcesFit, +4 over n2
2   default/top     -                -      n2   0/2   evicts a/low, 1 against a disruption budget
3   default/web-2   Deployment/web   -      -    0/2   waits: 2 Insufficient cpu
4   default/bare    -                n1     -    -     lost: nobody

default/web-2 would run if: lower the cpu request

NODE             PODS            CPU           MEMORY
n1     drained   2 -> 0 of 110   1 -> 0 of 4   1Gi -> 0 of 8Gi

2 of 4 pods would be placed, 1 would wait, 1 would be lost, 1 would be evicted, 2 present pods would be replaced
room for 3 more pods of Deployment/web; then: 2 Too many pods
`,
  );
});

it('bounds what it shows, unless it is asked for all', () => {
  const placements = Array.from({ length: 60 }, (_, i) => ({
    ...({ pod: `default/p-${i}`, cause: 'Moved', outcome: 'Scheduled', nodeName: 'n1' } as const),
    ...{ nodesConsidered: 1, nodesFeasible: 1 },
  }));
  const text = renderPlan({ ...EMPTY, placements, omitted: 9 }, STYLE);
  expect(text).toContain('and 20 more pods: -o wide shows all\n');
  expect(text).toContain('60 of 60 pods would be placed, 9 were not tried: there are too many\n');
  expect(renderPlan({ ...EMPTY, placements }, { ...STYLE, isWide: true })).toContain(
    'default/p-59',
  );
});

it('says that nothing moves, and does not let names drive the terminal', () => {
  expect(renderPlan(EMPTY, STYLE)).toBe('no pod would be placed anew\n');
  const bad = { pod: 'a/\u001b[2J', cause: 'Planned', outcome: 'Held', message: '\u0007' } as const;
  expect(renderPlan({ ...EMPTY, placements: [bad] }, STYLE)).not.toMatch(/[\u001b\u0007]/);
});

it('says of each group whether it is whole, and who is missing', () => {
  const held: PlannedPlacement = {
    ...{ pod: 'default/w-0', cause: 'Planned', outcome: 'Unschedulable' },
    ...{ nodesConsidered: 3, nodesFeasible: 2, message: 'PodGroup default/train: 1 of 2' },
    refusals: [{ reasons: ['Too many pods'], count: 1 }],
  };
  const group = { minMember: 2, neededCount: 2, waitingCount: 2, isWhole: false, missing: [] };
  const groups = [
    { ...group, group: 'default/a', isWhole: true, fittingCount: 2 },
    { ...group, group: 'default/b', waitingCount: 1 },
    { ...group, group: 'default/c', fittingCount: 1, missing: ['default/w-1'] },
  ];
  const text = renderPlan({ ...EMPTY, placements: [held], groups }, STYLE);
  expect(text).toContain('2/3   waits: PodGroup default/train: 1 of 2\n');
  expect(text.split('\n').filter((line) => line.startsWith('PodGroup'))).toEqual([
    'PodGroup default/a would be whole: the 2 pods that it needs get a node at once',
    'PodGroup default/b would wait as a whole: 1 of the 2 pods that it needs would be there',
    'PodGroup default/c would wait as a whole: 1 of the 2 pods that it needs fit at once; no room beside',
  ]);
});
