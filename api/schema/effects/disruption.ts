import { all, shown, tests, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const EVICTION = tests('control-plane/api-server/pods/eviction.test.ts');
const PLAN = tests('control-plane/controllers/disruption/plan.test.ts');

const NEVER_TOO_MANY =
  'test/simulation/disruption.test.ts: evicts at every chance while calls fail and controllers die, and never takes a pod too many';

export const DISRUPTION_EFFECTS: Effects = {
  PodDisruptionBudget: { ...OBJECT, spec: shown(NEVER_TOO_MANY), status: STATUS },
  PodDisruptionBudgetSpec: {
    ...all(
      ['maxUnavailable', 'minAvailable'],
      shown(NEVER_TOO_MANY, PLAN('allows what is healthy beyond what must be')),
    ),
    selector: shown(EVICTION('is over no pod without a selector')),
    unhealthyPodEvictionPolicy: shown(EVICTION('lets a pod go that is not ready')),
  },
};
