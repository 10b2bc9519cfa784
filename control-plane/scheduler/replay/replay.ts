import type {
  DecisionReplayStatus,
  ReplayDifference,
  ReplayOutcome,
} from '../../../api/decision-replays';
import type { SchedulingDecision } from '../../../api/decisions';
import { jsonEqual } from '../../../api/json-value';
import { decide, type Decision } from '../decide';
import type { Profiles } from '../profile';
import type { Journal } from './journal';

/** Takes the last decisions again, by these profiles, and says which come out differently. Yields between. */
export function* replayDecisions(
  journal: Journal,
  { last, profiles, seed }: { last: number; profiles: Profiles; seed: number },
): Generator<void, Omit<DecisionReplayStatus, 'warnings'>> {
  const differences: ReplayDifference[] = [];
  const counts = { replayed: 0, same: 0, rescored: 0 };
  for (const step of journal.last(last)) {
    if (step !== undefined) {
      const { decision, cluster } = step;
      const { info, record } = decision;
      const profile = profiles.find(info.pod);
      const again = profile === undefined ? undefined : decide(info, cluster, seed, profile);
      counts.replayed++;
      if (again !== undefined && again.nodeName === record.status.nodeName) {
        counts.same++;
        if (!jsonEqual(again.top, record.status.top)) counts.rescored++;
      } else if (differences.length < DIFFERENCES_MAX) {
        differences.push(differenceOf(info.key, record, again));
      }
    }
    yield;
  }
  return { ...counts, differences };
}

const differenceOf = (
  pod: string,
  { spec, status }: SchedulingDecision,
  again: Decision | undefined,
): ReplayDifference => ({
  ...{ pod, attempt: spec.attempt, time: spec.time, was: outcomeOf(status) },
  now:
    again === undefined
      ? { nodesFeasible: 0, message: 'no profile of the configuration is for it' }
      : outcomeOf(again),
});

const outcomeOf = ({
  nodeName,
  nodesFeasible,
  top,
  margin,
  decidedBy,
  message,
}: Decision | SchedulingDecision['status']): ReplayOutcome => ({
  nodesFeasible,
  ...(nodeName === undefined ? { message } : { nodeName }),
  ...(top[0] === undefined ? {} : { total: top[0].total }),
  ...(margin === undefined ? {} : { margin }),
  ...(decidedBy === undefined ? {} : { decidedBy }),
});

const DIFFERENCES_MAX = 500;
