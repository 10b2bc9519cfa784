import { RBAC_GROUP } from '../../api/resources';
import type { PolicyRule } from '../../api/types';

/** A cluster role that is there from the start, and the groups that have it. */
export interface SystemRole {
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  readonly groups: readonly string[];
  /** Cluster roles with this label count as part of it. */
  readonly aggregates?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const aggregateTo = (role: string): string => `${RBAC_GROUP}/aggregate-to-${role}`;

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];

const rule = (
  apiGroup: string,
  resources: readonly string[],
  verbs: readonly string[],
): PolicyRule => ({ apiGroups: [apiGroup], resources, verbs });
const paths = (...nonResourceURLs: readonly string[]): PolicyRule => ({
  nonResourceURLs,
  verbs: ['get'],
});

/** What one may see of a namespace: no secrets, for they may be keys to more. */
const VIEW = [
  rule(
    '',
    [
      'configmaps',
      'endpoints',
      'events',
      'limitranges',
      'namespaces',
      'namespaces/status',
      'persistentvolumeclaims',
      'persistentvolumeclaims/status',
      'pods',
      'pods/isolation',
      'pods/log',
      'pods/scheduling',
      'pods/status',
      'replicationcontrollers',
      'replicationcontrollers/scale',
      'replicationcontrollers/status',
      'resourcequotas',
      'resourcequotas/status',
      'serviceaccounts',
      'services',
      'services/status',
    ],
    READ,
  ),
  rule(
    'apps',
    [
      'controllerrevisions',
      'daemonsets',
      'daemonsets/status',
      'deployments',
      'deployments/scale',
      'deployments/status',
      'replicasets',
      'replicasets/scale',
      'replicasets/status',
      'statefulsets',
      'statefulsets/scale',
      'statefulsets/status',
    ],
    READ,
  ),
  rule('autoscaling', ['horizontalpodautoscalers', 'horizontalpodautoscalers/status'], READ),
  rule('batch', ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status'], READ),
  rule('discovery.k8s.io', ['endpointslices'], READ),
  rule('networking.k8s.io', ['ingresses', 'ingresses/status', 'networkpolicies'], READ),
  rule('policy', ['poddisruptionbudgets', 'poddisruptionbudgets/status'], READ),
  rule('coordination.k8s.io', ['leases'], READ),
  rule('scheduling.x-k8s.io', ['podgroups', 'podgroups/status'], READ),
  rule('scheduling.dhow.dev', ['schedulingdecisions', 'podexplanations'], READ),
  rule('networking.dhow.dev', ['connectionreviews'], ['create']),
];

const EDIT = [
  ...VIEW,
  rule('', ['pods/attach', 'pods/exec', 'secrets'], [...READ, ...WRITE]),
  rule('', ['pods/eviction', 'serviceaccounts/token'], ['create']),
  rule('', ['serviceaccounts'], ['impersonate', ...WRITE]),
  rule('', ['configmaps', 'events', 'persistentvolumeclaims', 'pods', 'services'], WRITE),
  rule('', ['replicationcontrollers', 'replicationcontrollers/scale'], WRITE),
  rule(
    'apps',
    [
      'daemonsets',
      'deployments',
      'deployments/scale',
      'replicasets',
      'replicasets/scale',
      'statefulsets',
      'statefulsets/scale',
    ],
    WRITE,
  ),
  rule('batch', ['cronjobs', 'jobs'], WRITE),
  rule('autoscaling', ['horizontalpodautoscalers'], WRITE),
  rule('networking.k8s.io', ['ingresses', 'networkpolicies'], WRITE),
  rule('policy', ['poddisruptionbudgets'], WRITE),
  rule('scheduling.x-k8s.io', ['podgroups'], WRITE),
  rule('coordination.k8s.io', ['leases'], WRITE),
];

const ADMIN = [
  ...EDIT,
  rule('authorization.k8s.io', ['localsubjectaccessreviews'], ['create']),
  rule(RBAC_GROUP, ['roles', 'rolebindings'], [...READ, ...WRITE]),
];

const ALL = ['*'];

/** Who may approve requests for certificates of one signer. Who approves needs `update` on them, too. */
const approver = (signer: string): SystemRole => ({
  name: `system:certificates.k8s.io:${signer}-approver`,
  rules: [
    {
      ...rule('certificates.k8s.io', ['signers'], ['approve']),
      resourceNames: [`kubernetes.io/${signer}`],
    },
  ],
  groups: [],
});

export const SYSTEM_ROLES: readonly SystemRole[] = [
  {
    name: 'cluster-admin',
    rules: [
      { apiGroups: ALL, resources: ALL, verbs: ALL },
      { nonResourceURLs: ALL, verbs: ALL },
    ],
    groups: ['system:masters'],
  },
  { name: 'admin', rules: ADMIN, groups: [], aggregates: aggregateTo('admin') },
  {
    name: 'edit',
    rules: EDIT,
    groups: [],
    aggregates: aggregateTo('edit'),
    labels: { [aggregateTo('admin')]: 'true' },
  },
  {
    name: 'view',
    rules: VIEW,
    groups: [],
    aggregates: aggregateTo('view'),
    labels: { [aggregateTo('edit')]: 'true' },
  },
  {
    // As metrics-server brings it.
    name: 'system:aggregated-metrics-reader',
    rules: [rule('metrics.k8s.io', ['pods', 'nodes'], READ)],
    groups: [],
    labels: Object.fromEntries(
      ['admin', 'edit', 'view'].map((role) => [aggregateTo(role), 'true']),
    ),
  },
  {
    name: 'system:basic-user',
    rules: [
      rule(
        'authorization.k8s.io',
        ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
        ['create'],
      ),
      rule('authentication.k8s.io', ['selfsubjectreviews'], ['create']),
    ],
    groups: ['system:authenticated'],
  },
  {
    name: 'system:discovery',
    rules: [
      paths(
        '/.well-known',
        '/.well-known/*',
        '/api',
        '/api/*',
        '/apis',
        '/apis/*',
        '/healthz',
        '/livez',
        '/openapi',
        '/openapi/*',
        '/readyz',
        '/version',
        '/version/',
      ),
    ],
    groups: ['system:authenticated'],
  },
  ...[
    'legacy-unknown',
    'kubelet-serving',
    'kube-apiserver-client',
    'kube-apiserver-client-kubelet',
  ].map(approver),
  {
    name: 'system:monitoring',
    rules: [
      paths('/healthz', '/healthz/*', '/livez', '/livez/*', '/metrics', '/readyz', '/readyz/*'),
    ],
    groups: ['system:monitoring'],
  },
  {
    name: 'system:service-account-issuer-discovery',
    rules: [paths('/.well-known/openid-configuration', '/openid/v1/jwks')],
    groups: ['system:serviceaccounts'],
  },
  {
    name: 'system:public-info-viewer',
    rules: [paths('/healthz', '/livez', '/readyz', '/version', '/version/')],
    groups: ['system:authenticated', 'system:unauthenticated'],
  },
];
