import type {
  DecisionReplayStatus,
  ReplayDifference,
  ReplayOutcome,
} from '../../../api/decision-replays';
import type { CapturedDecision, CapturedOutcome } from '../../../api/scheduler-captures';
import { jsonEqual } from '../../../api/json-value';
import { decide, type Decision } from '../decide';
import type { Profiles } from '../profile';
import type { PodInfo } from '../pod-info';
import type { ClusterView } from '../snapshot';

/** A decision, and the state in which it was taken. */
export interface ReplayStep {
  readonly decision: {
    /** With what was behind its claims. */
    readonly info: PodInfo;
    readonly record: Pick<CapturedDecision, 'spec' | 'status'>;
  };
  readonly cluster: ClusterView;
}

/** Takes decisions again, by these profiles, and says which come out differently. Yields between. */
export function* replayDecisions(
  steps: Iterable<ReplayStep | undefined>,
  { profiles, seed }: { profiles: Profiles; seed: number },
): Generator<void, Omit<DecisionReplayStatus, 'warnings'>> {
  const differences: ReplayDifference[] = [];
  const counts = { replayed: 0, same: 0, rescored: 0, rejudged: 0 };
  for (const step of steps) {
    if (step !== undefined) {
      const { decision, cluster } = step;
      const { info, record } = decision;
      const profile = profiles.find(info.pod);
      const again = profile === undefined ? undefined : decide(info, cluster, seed, profile);
      counts.replayed++;
      if (again !== undefined && again.nodeName === record.status.nodeName) {
        counts.same++;
        if (!jsonEqual(again.top, record.status.top)) counts.rescored++;
        if (!jsonEqual(again.reasons, record.status.reasons)) counts.rejudged++;
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
  { spec, status }: Pick<CapturedDecision, 'spec' | 'status'>,
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
}: Decision | CapturedOutcome): ReplayOutcome => ({
  nodesFeasible,
  ...(nodeName === undefined ? { message } : { nodeName }),
  ...(top[0] === undefined ? {} : { total: top[0].total }),
  ...(margin === undefined ? {} : { margin }),
  ...(decidedBy === undefined ? {} : { decidedBy }),
});

const DIFFERENCES_MAX = 500;
