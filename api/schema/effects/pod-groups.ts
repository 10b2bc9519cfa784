import { shown, tests, warned, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const GANGS = tests('control-plane/scheduler/gangs/gangs.test.ts');

/** Pods that are placed together or not at all. */
export const POD_GROUP_EFFECTS: Effects = {
  PodGroup: {
    ...OBJECT,
    spec: shown(GANGS('is placed whole, and its members one by one once it is')),
    status: STATUS,
  },
  PodGroupSpec: {
    minMember: shown(
      GANGS('waits for members that are not there, says so, and goes on when they come'),
      GANGS('is not placed in part, names who is in the way, and is placed when there is room'),
    ),
    minResources: warned({ cpu: '1' }),
    scheduleTimeoutSeconds: shown(
      GANGS('gives its room back where the rest does not fit in time, unless it has been whole'),
    ),
  },
};
