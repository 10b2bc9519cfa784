import { all, shown, tests, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const RANGER = tests('control-plane/api-server/admission/limit-ranger.test.ts');
const QUOTA = tests('control-plane/api-server/admission/quota/resource-quota.test.ts');

const DEFAULTS = shown(RANGER('gives containers, init containers too, what they do not say'));
const HELD = shown(RANGER('holds containers to %s of %j: %j'));
const COUNTED = shown(QUOTA('lets in what fits, counts it, and refuses the rest'));
const SCOPE = shown(QUOTA('bounds only what is within the scope %s %j'));

/** What may be used of a namespace, and by one of its pods. */
export const LIMIT_EFFECTS: Effects = {
  LimitRange: { ...OBJECT, spec: HELD },
  LimitRangeSpec: { limits: HELD },
  LimitRangeItem: {
    ...all(['default', 'defaultRequest'], DEFAULTS),
    ...all(['max', 'maxLimitRequestRatio', 'min'], HELD),
    type: shown(
      RANGER('holds containers to %s of %j: %j'),
      RANGER('holds the whole pod to what its containers need together'),
    ),
  },
  ResourceQuota: { ...OBJECT, spec: COUNTED, status: STATUS },
  ResourceQuotaSpec: {
    hard: COUNTED,
    scopeSelector: SCOPE,
    scopes: shown(QUOTA('counts a pod that an update brings within its scope')),
  },
  ScopeSelector: { matchExpressions: SCOPE },
  ScopedResourceSelectorRequirement: all(['operator', 'scopeName', 'values'], SCOPE),
};
