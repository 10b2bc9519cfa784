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
const template = {
  metadata: { labels: selector.matchLabels },
  // With a limit, as the LimitRange below wants of whoever comes after it.
  spec: {
    containers: [{ name: 'main', image: 'app:1', resources: { limits: { cpu: '10m' } } }],
  },
};
const once = { template: { spec: { ...template.spec, restartPolicy: 'Never' } } };
/** Without replicas: an autoscaler leaves it alone. */
const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'none' };

/** Signed by a key that nobody has any more. */
const REQUEST = [
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIWk1JR0FBZ0VBTUI0eERUQUxCZ05WQkFvTUJITnZi',
  'V1V4RFRBTEJnTlZCQU1NQkhOdmJXVXdXVEFUQmdjcQpoa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVQ1cmdtTFoyS0lx',
  'K0RDZVN3NWpOTktrTHRMZzN1eWRSL0traEVJCkNLOUVqc1R0SzF5R055UUM2eFF4eDlzZTJDcGFSQ3JDYldncVhXUEVC',
  'QWxnaWFHRG9BQXdDZ1lJS29aSXpqMEUKQXdJRFNBQXdSUUloQUw4Nkwwa2dQWHorUC91UDBmemdUNVZtVEladFAxakdB',
  'Wldkc3ZCUXVmUXpBaUJQdTZTVAo2Q3NnT1FTM3pqdEJYY0RrTUQyRVk4b0EvU3I5NUJXeE1laThhQT09Ci0tLS0tRU5E',
  'IENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=',
].join('');

/** One of each kind that nothing else in the world makes: every kind is there, or the tests fail. */
export const SAMPLES: readonly Sample[] = [
  { group: '', kind: 'Secret', more: {} },
  { group: '', kind: 'ServiceAccount', more: {} },
  { group: 'scheduling.k8s.io', kind: 'PriorityClass', more: { value: 7 } },
  { group: 'scheduling.x-k8s.io', kind: 'PodGroup', more: { spec: { minMember: 2 } } },
  { group: 'node.k8s.io', kind: 'RuntimeClass', more: { handler: 'dhow' } },
  { group: RBAC_GROUP, kind: 'Role', more: { rules: [] } },
  { group: RBAC_GROUP, kind: 'ClusterRole', more: { rules: [] } },
  { group: RBAC_GROUP, kind: 'RoleBinding', more: { roleRef: roleRef('Role') } },
  { group: RBAC_GROUP, kind: 'ClusterRoleBinding', more: { roleRef: roleRef('ClusterRole') } },
  { group: '', kind: 'LimitRange', more: { spec: { limits: [{ type: 'Pod', max: { cpu: 8 } }] } } },
  { group: '', kind: 'ResourceQuota', more: { spec: { hard: { pods: 100 } } } },
  { group: '', kind: 'Service', more: { spec: { ports: [{ port: 80 }] } } },
  {
    group: '',
    kind: 'Endpoints',
    more: { subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }] },
  },
  {
    group: 'discovery.k8s.io',
    kind: 'EndpointSlice',
    more: { addressType: 'IPv4', endpoints: [{ addresses: ['192.0.2.1'] }] },
  },
  { group: 'policy', kind: 'PodDisruptionBudget', more: { spec: { minAvailable: 1, selector } } },
  { group: 'storage.k8s.io', kind: 'CSIDriver', more: { spec: { attachRequired: false } } },
  {
    group: 'storage.k8s.io',
    kind: 'CSINode',
    more: { spec: { drivers: [{ name: 'csi.example.org', nodeID: 'n' }] } },
  },
  {
    group: 'storage.k8s.io',
    kind: 'CSIStorageCapacity',
    more: { storageClassName: 'fast', capacity: '1Gi' },
  },
  {
    group: 'storage.k8s.io',
    kind: 'VolumeAttachment',
    more: {
      spec: {
        attacher: 'csi.example.org',
        nodeName: 'node-1',
        source: { persistentVolumeName: 'pv' },
      },
    },
  },
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
  {
    group: '',
    kind: 'ReplicationController',
    more: { spec: { replicas: 1, selector: selector.matchLabels, template } },
  },
  { group: '', kind: 'PodTemplate', more: { template } },
  { group: 'apps', kind: 'ControllerRevision', more: { data: { spec: {} }, revision: 1 } },
  {
    group: 'apps',
    kind: 'StatefulSet',
    more: { spec: { selector, template, serviceName: 'some' } },
  },
  { group: 'apps', kind: 'DaemonSet', more: { spec: { selector, template } } },
  { group: 'batch', kind: 'Job', more: { spec: once } },
  {
    group: 'batch',
    kind: 'CronJob',
    more: { spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: once } } },
  },
  {
    group: 'autoscaling',
    kind: 'HorizontalPodAutoscaler',
    more: { spec: { scaleTargetRef: target, maxReplicas: 3 } },
  },
  {
    group: 'networking.k8s.io',
    kind: 'Ingress',
    more: { spec: { defaultBackend: { service: { name: 'some', port: { number: 80 } } } } },
  },
  {
    group: 'networking.k8s.io',
    kind: 'IngressClass',
    more: { spec: { controller: 'example.org/none' } },
  },
  {
    group: 'networking.k8s.io',
    kind: 'ServiceCIDR',
    more: { spec: { cidrs: ['10.97.0.0/24'] } },
  },
  { group: 'networking.k8s.io', kind: 'NetworkPolicy', more: { spec: { podSelector: {} } } },
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
    group: ADMISSION_GROUP,
    kind: 'MutatingAdmissionPolicy',
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
        mutations: [
          { patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } },
        ],
        reinvocationPolicy: 'Never',
      },
    },
  },
  {
    group: ADMISSION_GROUP,
    kind: 'MutatingAdmissionPolicyBinding',
    more: { spec: { policyName: 'some' } },
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
  {
    group: 'certificates.k8s.io',
    kind: 'CertificateSigningRequest',
    more: {
      spec: {
        request: REQUEST,
        signerName: 'kubernetes.io/kube-apiserver-client',
        usages: ['client auth'],
      },
    },
  },
];
