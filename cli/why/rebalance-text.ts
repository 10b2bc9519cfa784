import type {
  Change,
  NotMovedReason,
  PlannedMove,
  RebalancePlanStatus,
} from '../../api/rebalance-plans';
import { leadOf } from './decisions';
import { columns, plain, plural, toned, wrap, type TextStyle } from './text';

/** Which pods would be better off elsewhere, for a person: the moves, what they gain, and who stays. */
export const renderRebalance = (status: RebalancePlanStatus, style: TextStyle): string => {
  const { moves, isAtLimit } = status;
  const batches = new Set(moves.map(({ batch }) => batch)).size;
  const sum =
    moves.length === 0
      ? 'no move is worth it'
      : `${plural(moves.length, 'move')} in ${batches === 1 ? 'one batch' : `${batches} batches`}`;
  const lines = [
    ...moveLines(moves, style),
    ...(moves.length === 0 ? [] : gainLines(status, style)),
    ...stayLines(status, style),
    toned(`${sum}${isAtLimit ? '; there may be more' : ''}`, 'good', style),
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
};

const moveLines = (moves: readonly PlannedMove[], style: TextStyle): readonly string[] => {
  if (moves.length === 0) return [];
  const [header = '', ...rows] = columns([
    ['BATCH', 'POD', 'OF', 'FROM', 'TO', 'WHY', 'THE SCHEDULER'],
    ...moves.map((move) => [
      String(move.batch),
      ...[move.pod, move.owner, move.from, move.to].map(plain),
      plain(`${MOVE_WORDS[move.reason]}: ${move.message}`),
      plain(leadOf(move)),
    ]),
  ]);
  return [toned(header, 'faint', style), ...rows, ''];
};

const gainLines = (
  { gain, workloads }: RebalancePlanStatus,
  style: TextStyle,
): readonly string[] => {
  const percent = ({ before, after }: Change<number>) => [`${before}%`, `${after}%`];
  const [header = '', ...rows] = columns([
    ['GAIN', 'BEFORE', 'AFTER'],
    ['largest skew between nodes, in pods', ...numbers(gain.spreadSkew)],
    ['standard deviation of requested cpu', ...percent(gain.cpuDeviationPercent)],
    ['standard deviation of requested memory', ...percent(gain.memoryDeviationPercent)],
    ...workloads.map(({ workload, topologyKey, skew }) => [
      `skew of ${plain(workload)} by ${plain(topologyKey)}`,
      ...numbers(skew),
    ]),
  ]);
  const { nodesFreed } = gain;
  const freed = nodesFreed.length === 0 ? [] : [`freed: ${nodesFreed.map(plain).join(', ')}`];
  return [toned(header, 'faint', style), ...rows, ...freed, ''];
};

const numbers = ({ before, after }: Change<number>) => [String(before), String(after)];

const stayLines = ({ notMoved }: RebalancePlanStatus, style: TextStyle): readonly string[] => {
  if (notMoved.length === 0) return [];
  const reasons = notMoved.map(({ reason, count }) => `${count} ${STAY_WORDS[reason]}`);
  return [...wrap(`not moved: ${reasons.join(', ')}`, style.width), ''];
};

const MOVE_WORDS: Readonly<Record<PlannedMove['reason'], string>> = {
  SpreadDrift: 'spread',
  EmptyNode: 'empty node',
  UnderusedNode: 'underused node',
  NodeOverThreshold: 'full node',
  FreesNode: 'packing',
};

const STAY_WORDS: Readonly<Record<NotMovedReason, string>> = {
  AlreadyBest: 'best where they are',
  BudgetAllowsNone: 'kept by a disruption budget',
  DaemonSet: 'of a DaemonSet',
  Ending: 'ending',
  FitsNowhereElse: 'that fit nowhere else',
  GainTooSmall: 'with too little to gain',
  HasLocalData: 'with local data',
  HasLocalVolume: 'with a local volume',
  JobWouldBeLost: 'of a Job, whose work would be lost',
  MemberOfPodGroup: 'of a PodGroup',
  NobodyMakesItAnew: 'that nobody makes anew',
  NothingToGain: 'with nothing to gain',
  OtherScheduler: 'of another scheduler',
  SeveralBudgets: 'under several disruption budgets',
  StaticPod: 'of their node',
  TargetUncertain: 'that might go elsewhere than planned',
};
