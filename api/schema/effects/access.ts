import { all, kept, shown, tests, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const ACCESS = tests('control-plane/api-server/auth/access.test.ts');
const REVIEWS = tests('control-plane/api-server/auth/reviews.test.ts');
const DELETION = tests('control-plane/api-server/objects/deletion.test.ts');
const RULES = tests('control-plane/api-server/auth/role-rules.test.ts');
const TOKENS = tests('control-plane/api-server/auth/tokens.test.ts');
const PODS = tests('control-plane/api-server/pods/pods.test.ts');

const RULE = shown(
  ACCESS('lets a user do what a role bound in the namespace says, there and only that'),
  RULES('finds nothing uncovered only where the owner may do all that is wanted'),
);
const SUBJECT = shown(ACCESS('counts service accounts and groups as subjects'));
const ROLE = shown(ACCESS('keeps a binding with its role'));
const AGGREGATED = shown(RULES('puts aggregated roles together, whoever selects whom'));
const REVIEW = shown(
  ACCESS('answers reviews by the same rules'),
  ACCESS('answers reviews about groups, single objects, subresources and paths'),
);
const BINDING = { ...OBJECT, roleRef: ROLE, subjects: SUBJECT };
const NO_SELECTORS = kept('roles know no selectors: the answer is that for all objects');
const NODE_FIELDS = shown(REVIEWS('counts the fields %j that a node lists its pods by'));
const LOCAL = shown(REVIEWS('answers for a namespace'));
const BOUND = shown(TOKENS('ends with the pod that it is bound to'));
const TARGET = shown(
  PODS('sets the node and says that the pod is scheduled'),
  PODS('needs a target'),
);

export const ACCESS_EFFECTS: Effects = {
  Role: { ...OBJECT, rules: RULE },
  ClusterRole: { ...OBJECT, rules: RULE, aggregationRule: AGGREGATED },
  RoleBinding: BINDING,
  ClusterRoleBinding: BINDING,
  PolicyRule: all(['apiGroups', 'nonResourceURLs', 'resourceNames', 'resources', 'verbs'], RULE),
  AggregationRule: { clusterRoleSelectors: AGGREGATED },
  RoleRef: all(['apiGroup', 'kind', 'name'], ROLE),
  Subject: all(['apiGroup', 'kind', 'name', 'namespace'], SUBJECT),
};

/** Bodies that ask for something and are not stored. */
export const REQUEST_EFFECTS: Effects = {
  SelfSubjectReview: { ...OBJECT, status: STATUS },
  SelfSubjectAccessReview: { ...OBJECT, spec: REVIEW, status: STATUS },
  SelfSubjectAccessReviewSpec: all(['nonResourceAttributes', 'resourceAttributes'], REVIEW),
  SelfSubjectRulesReview: { ...OBJECT, spec: REVIEW, status: STATUS },
  SelfSubjectRulesReviewSpec: { namespace: REVIEW },
  LocalSubjectAccessReview: { ...OBJECT, spec: LOCAL, status: STATUS },
  FieldSelectorAttributes: all(['rawSelector', 'requirements'], NODE_FIELDS),
  FieldSelectorRequirement: all(['key', 'operator', 'values'], NODE_FIELDS),
  SubjectAccessReview: { ...OBJECT, spec: REVIEW, status: STATUS },
  SubjectAccessReviewSpec: {
    ...all(['groups', 'nonResourceAttributes', 'resourceAttributes', 'user'], REVIEW),
    ...all(['extra', 'uid'], kept('roles know users by their name and groups')),
  },
  ResourceAttributes: {
    ...all(['group', 'name', 'namespace', 'resource', 'subresource', 'verb'], REVIEW),
    fieldSelector: NODE_FIELDS,
    labelSelector: NO_SELECTORS,
    version: kept('roles know no versions, as upstream'),
  },
  NonResourceAttributes: all(['path', 'verb'], REVIEW),
  TokenReview: {
    ...OBJECT,
    spec: shown(TOKENS('is good for its audiences alone')),
    status: STATUS,
  },
  TokenReviewSpec: all(['audiences', 'token'], shown(TOKENS('is good for its audiences alone'))),
  TokenRequest: {
    // Of the same name: what a CSI driver asks for.
    ...all(
      ['audience', 'expirationSeconds'],
      shown(
        'test/integration/csi-volumes.test.ts: tells the driver what its object asks for: the pod, its tokens, secrets',
      ),
    ),
    ...OBJECT,
    spec: shown(TOKENS('ends with its time')),
    status: STATUS,
  },
  TokenRequestSpec: {
    audiences: shown(TOKENS('is good for its audiences alone')),
    boundObjectRef: BOUND,
    expirationSeconds: shown(TOKENS('ends with its time')),
  },
  BoundObjectReference: all(['apiVersion', 'kind', 'name', 'uid'], BOUND),
  Binding: { ...OBJECT, target: TARGET },
  Eviction: { ...OBJECT, deleteOptions: shown(PODS('evicts a pod with its grace')) },
  DeleteOptions: {
    ...all(['apiVersion', 'kind'], shown(DELETION('refuses options that make no sense'))),
    dryRun: shown(DELETION('only looks in a dry run')),
    gracePeriodSeconds: shown(DELETION('gives a bound pod its grace')),
    ignoreStoreReadErrorWithClusterBreakingPotential: {
      ...shown(DELETION('refuses to delete what it cannot read')),
      ...kept('false is what is always done'),
    },
    ...all(
      ['orphanDependents', 'propagationPolicy'],
      shown(DELETION('%j leaves the object to the garbage collector')),
    ),
    preconditions: shown(DELETION('holds to preconditions')),
  },
  Preconditions: all(['resourceVersion', 'uid'], shown(DELETION('holds to preconditions'))),
};
