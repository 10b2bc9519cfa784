/** An object of a kind, as short as it may be. */
export interface Sample {
  readonly group: string;
  readonly kind: string;
  /** Default: `some`. */
  readonly name?: string;
  readonly more: object;
}

const RBAC_GROUP = 'rbac.authorization.k8s.io';
const ADMISSION_GROUP = 'admissionregistration.k8s.io';
const roleRef = (kind: string) => ({ apiGroup: RBAC_GROUP, kind, name: 'some' });
const selector = { matchLabels: { app: 'some' } };

/** One of each kind that nothing else in the world makes: every kind is there, or the tests fail. */
export const SAMPLES: readonly Sample[] = [
  { group: '', kind: 'Secret', more: {} },
  { group: '', kind: 'ServiceAccount', more: {} },
  { group: 'scheduling.k8s.io', kind: 'PriorityClass', more: { value: 7 } },
  { group: RBAC_GROUP, kind: 'Role', more: { rules: [] } },
  { group: RBAC_GROUP, kind: 'ClusterRole', more: { rules: [] } },
  { group: RBAC_GROUP, kind: 'RoleBinding', more: { roleRef: roleRef('Role') } },
  { group: RBAC_GROUP, kind: 'ClusterRoleBinding', more: { roleRef: roleRef('ClusterRole') } },
  { group: '', kind: 'LimitRange', more: { spec: { limits: [{ type: 'Pod', max: { cpu: 8 } }] } } },
  { group: '', kind: 'ResourceQuota', more: { spec: { hard: { pods: 100 } } } },
  { group: '', kind: 'Service', more: { spec: { ports: [{ port: 80 }] } } },
  { group: 'policy', kind: 'PodDisruptionBudget', more: { spec: { minAvailable: 1, selector } } },
  { group: 'storage.k8s.io', kind: 'StorageClass', more: { provisioner: 'example.org/none' } },
  {
    group: '',
    kind: 'PersistentVolume',
    more: {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        hostPath: { path: '/srv/some' },
      },
    },
  },
  {
    group: '',
    kind: 'PersistentVolumeClaim',
    more: {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
  },
  { group: ADMISSION_GROUP, kind: 'MutatingWebhookConfiguration', more: { webhooks: [] } },
  { group: ADMISSION_GROUP, kind: 'ValidatingWebhookConfiguration', more: { webhooks: [] } },
  {
    group: ADMISSION_GROUP,
    kind: 'ValidatingAdmissionPolicy',
    more: {
      spec: {
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: ['example.org'],
              apiVersions: ['v1'],
              operations: ['*'],
              resources: ['*'],
            },
          ],
        },
        validations: [{ expression: 'true' }],
      },
    },
  },
  {
    group: ADMISSION_GROUP,
    kind: 'ValidatingAdmissionPolicyBinding',
    more: { spec: { policyName: 'some', validationActions: ['Deny'] } },
  },
  {
    group: 'apiextensions.k8s.io',
    kind: 'CustomResourceDefinition',
    name: 'widgets.example.org',
    more: {
      spec: {
        group: 'example.org',
        names: { kind: 'Widget', plural: 'widgets' },
        scope: 'Namespaced',
        versions: [
          {
            ...{ name: 'v1', served: true, storage: true },
            schema: { openAPIV3Schema: { type: 'object' } },
          },
        ],
      },
    },
  },
];
