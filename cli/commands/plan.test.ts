import type { PlannedPlacement } from '../../api/placement-plans';
import { isWell } from './plan';

const placement = (
  outcome: PlannedPlacement['outcome'],
  cause: PlannedPlacement['cause'] = 'Planned',
): PlannedPlacement => ({ pod: 'default/a', outcome, cause });

it.each([
  ['nothing is to be placed', [], undefined, true],
  ['all have a node', [placement('Scheduled')], undefined, true],
  ['one waits that waits now', [placement('Unschedulable', 'Waiting')], undefined, true],
  ['a planned one waits', [placement('Scheduled'), placement('Unschedulable')], undefined, false],
  ['an evicted one is lost', [placement('Lost', 'Evicted')], undefined, false],
  ['there were too many to try all', [placement('Scheduled')], 1, false],
])('says whether a plan is well where %s', (_, placements, omitted, expected) => {
  const left = omitted === undefined ? {} : { omitted };
  expect(isWell({ placements, replaced: 0, nodes: [], ...left })).toBe(expected);
});
