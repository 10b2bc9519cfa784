import type { PlannedMove, RebalancePlanStatus } from '../../api/rebalance-plans';
import { nextBatch } from './rebalance-moves';

const move = (uid: string, batch: number) => ({ uid, batch }) as PlannedMove;
const plan = (...moves: readonly PlannedMove[]) => ({ moves }) as unknown as RebalancePlanStatus;
const uidsOf = (moves: readonly PlannedMove[]) => moves.map(({ uid }) => uid);

it('takes one batch at a time, and of it only what was agreed to', () => {
  const all = plan(move('a', 1), move('b', 1), move('c', 2), move('d', 2));
  expect(uidsOf(nextBatch(all, new Set(['a', 'b', 'c', 'd'])))).toEqual(['a', 'b']);
  expect(uidsOf(nextBatch(all, new Set(['b', 'c'])))).toEqual(['b']);
  expect(uidsOf(nextBatch(all, new Set(['c', 'd'])))).toEqual(['c', 'd']);
  expect(nextBatch(all, new Set(['x']))).toEqual([]);
});
