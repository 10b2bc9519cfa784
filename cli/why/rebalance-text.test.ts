import type { PlannedMove, RebalancePlanStatus } from '../../api/rebalance-plans';
import { renderRebalance } from './rebalance-text';

const STYLE = { color: false, width: 100 };
const MOVE: PlannedMove = {
  ...{ pod: 'default/web-1', uid: 'u1', owner: 'ReplicaSet/web', from: 'n1', to: 'n3', batch: 1 },
  ...{ reason: 'SpreadDrift', message: '3 of its workload there, 0 here (nodes)' },
  ...{ nodesConsidered: 3, nodesFeasible: 3, runnerUp: 'n2', margin: 40 },
  ...{ decidedBy: 'PodTopologySpread', spreadGain: 4, loadGainPercent: 12.5 },
};
const STATUS: RebalancePlanStatus = {
  moves: [MOVE, { ...MOVE, pod: 'default/web-2', uid: 'u2', batch: 2 }],
  gain: {
    spreadSkew: { before: 3, after: 1 },
    cpuDeviationPercent: { before: 12.4, after: 3.1 },
    memoryDeviationPercent: { before: 0, after: 0 },
    nodesFreed: ['n2'],
  },
  workloads: [
    {
      workload: 'default/ReplicaSet/web',
      topologyKey: 'kubernetes.io/hostname',
      skew: { before: 3, after: 1 },
    },
  ],
  notMoved: [
    { reason: 'NothingToGain', count: 4, pod: 'default/a' },
    { reason: 'DaemonSet', count: 3, pod: 'default/b' },
  ],
  isAtLimit: false,
};

it('shows the moves in their batches, what they gain, and who stays', () => {
  expect(renderRebalance(STATUS, STYLE)).toBe(
    `BATCH   POD             OF               FROM   TO   WHY                                               THE SCHEDULER
1       default/web-1   ReplicaSet/web   n1     n3   spread: 3 of its workload there, 0 here (nodes)   PodTopologySpread, +40 over n2
2       default/web-2   ReplicaSet/web   n1     n3   spread: 3 of its workload there, 0 here (nodes)   PodTopologySpread, +40 over n2

GAIN                                                       BEFORE   AFTER
largest skew between nodes, in pods                        3        1
standard deviation of requested cpu                        12.4%    3.1%
standard deviation of requested memory                     0%       0%
skew of default/ReplicaSet/web by kubernetes.io/hostname   3        1
freed: n2

not moved: 4 with nothing to gain, 3 of a DaemonSet

2 moves in 2 batches
`,
  );
});

it('says so when nothing is worth it, and when there may be more', () => {
  const none = { ...STATUS, moves: [], workloads: [], notMoved: [] };
  expect(renderRebalance(none, STYLE)).toBe('no move is worth it\n');
  const cut = renderRebalance({ ...STATUS, isAtLimit: true }, STYLE);
  expect(cut).toContain('2 moves in 2 batches; there may be more\n');
});
