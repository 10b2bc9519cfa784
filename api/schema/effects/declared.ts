import { warned, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const SELECTOR = { matchLabels: { app: 'web' } };

/** Kinds that nothing acts on yet: all of their specs is warned of. */
export const DECLARED_EFFECTS: Effects = {
  PodDisruptionBudget: {
    ...OBJECT,
    spec: warned({ minAvailable: 1, selector: SELECTOR }),
    status: STATUS,
  },
};
