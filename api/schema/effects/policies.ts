import { all, kept, shown, tests, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const POLICIES = tests('control-plane/api-server/admission/policies/policies.test.ts');
const NOTES = tests('control-plane/api-server/audit/annotations.test.ts');
const HOOKS = tests('control-plane/api-server/admission/webhooks/webhooks.test.ts');
const MATCHING = tests('control-plane/api-server/admission/matching/matching.test.ts');

const MUTATING = tests('control-plane/api-server/admission/policies/mutating.test.ts');
const CHANGED = shown(MUTATING('changes nothing before it is bound'));
const APPLIED = shown(MUTATING('is merged as an apply would, and leaves the rest'));
const PATCHED = shown(MUTATING('adds, replaces and removes, by keys that it escapes'));

const DENIED = shown(
  POLICIES('denies what its expressions do not hold for, in upstream words, from its binding on'),
);
const TOLD = shown(
  POLICIES('says its message, or what its expression for one comes to, and its reason'),
);
const CONDITIONS = shown(POLICIES('is asked only when its conditions hold'));
const VARIABLES = shown(
  POLICIES('knows the request, the old object, the namespace and what the user may do'),
);
const MATCHED = shown(POLICIES('leaves alone what its rules and selectors leave out'));
const RULES = shown(MATCHING('tells by a rule whether it is for %s'));
const BY_NAME = shown(POLICIES('gives its policy parameters by name, or says that there are none'));

/** What requests are held to by expressions. */
export const POLICY_EFFECTS: Effects = {
  ValidatingAdmissionPolicy: { ...OBJECT, spec: DENIED, status: STATUS },
  ValidatingAdmissionPolicySpec: {
    auditAnnotations: shown(NOTES('are what a policy tells, and not what it leaves empty')),
    failurePolicy: shown(
      POLICIES(
        'fails or lets be what its expressions have no value for, as its failure policy says',
      ),
    ),
    matchConditions: CONDITIONS,
    matchConstraints: MATCHED,
    paramKind: shown(
      POLICIES('gives its policy parameters by name, or says that there are none'),
      POLICIES('fails when the kind of the parameters is not served'),
    ),
    validations: DENIED,
    variables: VARIABLES,
  },
  AuditAnnotation: all(
    ['key', 'valueExpression'],
    shown(NOTES('are what a policy tells, and not what it leaves empty')),
  ),
  ParamKind: all(['apiVersion', 'kind'], BY_NAME),
  MatchCondition: all(
    ['expression', 'name'],
    shown(
      POLICIES('is asked only when its conditions hold'),
      HOOKS('is asked only when its conditions hold'),
    ),
  ),
  Variable: all(['expression', 'name'], VARIABLES),
  Validation: {
    expression: DENIED,
    ...all(['message', 'messageExpression', 'reason'], TOLD),
  },
  MatchResources: {
    ...all(['excludeResourceRules', 'objectSelector', 'resourceRules'], MATCHED),
    matchPolicy: shown(
      MATCHING('finds the version that the rules name, unless they must name the one asked for'),
    ),
    namespaceSelector: shown(POLICIES('narrows what its policy is for')),
  },
  NamedRuleWithOperations: {
    ...all(['apiGroups', 'apiVersions', 'operations', 'resources', 'scope'], RULES),
    resourceNames: MATCHED,
  },
  MutatingAdmissionPolicy: { ...OBJECT, spec: CHANGED },
  MutatingAdmissionPolicySpec: {
    failurePolicy: shown(
      MUTATING('lets be what it has no value for when its failure policy says so'),
    ),
    ...all(
      ['matchConditions', 'paramKind', 'variables'],
      shown(MUTATING('is asked only when its conditions hold, and knows its parameters')),
    ),
    matchConstraints: CHANGED,
    mutations: CHANGED,
    reinvocationPolicy: shown(MUTATING('is asked again for what others changed after it')),
  },
  Mutation: {
    applyConfiguration: APPLIED,
    jsonPatch: PATCHED,
    patchType: { shown: [...(APPLIED.shown ?? []), ...(PATCHED.shown ?? [])] },
  },
  ApplyConfiguration: { expression: APPLIED },
  JSONPatch: { expression: PATCHED },
  MutatingAdmissionPolicyBinding: { ...OBJECT, spec: CHANGED },
  MutatingAdmissionPolicyBindingSpec: {
    matchResources: shown(MUTATING('is narrowed by its binding')),
    paramRef: shown(MUTATING('is asked only when its conditions hold, and knows its parameters')),
    policyName: CHANGED,
  },
  ValidatingAdmissionPolicyBinding: { ...OBJECT, spec: DENIED },
  ValidatingAdmissionPolicyBindingSpec: {
    matchResources: shown(POLICIES('narrows what its policy is for')),
    paramRef: BY_NAME,
    policyName: DENIED,
    validationActions: shown(
      POLICIES('warns in the place of denying'),
      NOTES('are what a binding has noted in the place of denied'),
    ),
  },
  ParamRef: {
    ...all(['name', 'parameterNotFoundAction'], BY_NAME),
    namespace: kept('stands for the namespace that is asked in'),
    selector: shown(POLICIES('gives its policy each of the parameters that it selects')),
  },
};
