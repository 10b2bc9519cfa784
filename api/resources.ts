import type { PodGroup } from './pod-groups';
import { SCHEDULING_GROUP, type PodExplanation, type SchedulingDecision } from './decisions';
import { ENCRYPTION_GROUP, type EncryptionKeyView } from './encryption-keys';
import { SERVERS_GROUP, type ServerView } from './servers';
import type { Definition } from './schema/definitions';
import type {
  ApiObject,
  CertificateSigningRequest,
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  ControllerRevision,
  CronJob,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  EventView,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerV1,
  Ingress,
  IngressClass,
  ServiceCidr,
  IpAddress,
  Job,
  Lease,
  LimitRange,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  PriorityClass,
  ReplicaSet,
  ReplicationController,
  ResourceQuota,
  Role,
  RoleBinding,
  RuntimeClass,
  Secret,
  Service,
  ServiceAccount,
  StatefulSet,
  StoredPodTemplate,
  StorageClass,
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  VolumeAttachment,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from './types';

/** What a client must know of a kind to reach it. `T` is the type of its objects. */
export interface Resource<T extends ApiObject = ApiObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly isNamespaced: boolean;
  /** What a list of its objects is. Default: `kind` and List. */
  readonly listKind?: string;
  /** The schema of a kind that is not always there. All others have theirs by group and kind. */
  readonly definition?: Definition;
  /** Never set: carries `T` for inference. */
  readonly objectType?: T;
}

const resource = <T extends ApiObject>(
  group: string,
  version: string,
  kind: string,
  plural: string,
  isNamespaced = true,
): Resource<T> => ({ group, version, kind, plural, isNamespaced });

export const NAMESPACES = resource<Namespace>('', 'v1', 'Namespace', 'namespaces', false);
export const NODES = resource<Node>('', 'v1', 'Node', 'nodes', false);
export const PODS = resource<Pod>('', 'v1', 'Pod', 'pods');
export const CONFIG_MAPS = resource<ConfigMap>('', 'v1', 'ConfigMap', 'configmaps');
export const SECRETS = resource<Secret>('', 'v1', 'Secret', 'secrets');
export const SERVICE_ACCOUNTS = resource<ServiceAccount>(
  '',
  'v1',
  'ServiceAccount',
  'serviceaccounts',
);
export const LIMIT_RANGES = resource<LimitRange>('', 'v1', 'LimitRange', 'limitranges');
export const RESOURCE_QUOTAS = resource<ResourceQuota>('', 'v1', 'ResourceQuota', 'resourcequotas');
export const EVENTS = resource<Event>('', 'v1', 'Event', 'events');
/** What is stored as `EVENTS`, under the names of KEP-383. */
export const EVENT_VIEWS = resource<EventView>('events.k8s.io', 'v1', 'Event', 'events');
export const LEASES = resource<Lease>('coordination.k8s.io', 'v1', 'Lease', 'leases');
export const REPLICA_SETS = resource<ReplicaSet>('apps', 'v1', 'ReplicaSet', 'replicasets');
export const DEPLOYMENTS = resource<Deployment>('apps', 'v1', 'Deployment', 'deployments');
export const POD_DISRUPTION_BUDGETS = resource<PodDisruptionBudget>(
  'policy',
  'v1',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
);
export const SERVICES = resource<Service>('', 'v1', 'Service', 'services');
export const ENDPOINTS = resource<Endpoints>('', 'v1', 'Endpoints', 'endpoints');
export const ENDPOINT_SLICES = resource<EndpointSlice>(
  'discovery.k8s.io',
  'v1',
  'EndpointSlice',
  'endpointslices',
);
export const INGRESSES = resource<Ingress>('networking.k8s.io', 'v1', 'Ingress', 'ingresses');
export const INGRESS_CLASSES = resource<IngressClass>(
  'networking.k8s.io',
  'v1',
  'IngressClass',
  'ingressclasses',
  false,
);
export const SERVICE_CIDRS = resource<ServiceCidr>(
  'networking.k8s.io',
  'v1',
  'ServiceCIDR',
  'servicecidrs',
  false,
);
/** Not stored: see docs/decisions/0027. */
export const IP_ADDRESSES = resource<IpAddress>(
  'networking.k8s.io',
  'v1',
  'IPAddress',
  'ipaddresses',
  false,
);
export const HORIZONTAL_POD_AUTOSCALERS = resource<HorizontalPodAutoscaler>(
  'autoscaling',
  'v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
);
/** What is stored as `HORIZONTAL_POD_AUTOSCALERS`, in the older version. */
export const HORIZONTAL_POD_AUTOSCALERS_V1 = resource<HorizontalPodAutoscalerV1>(
  'autoscaling',
  'v1',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
);
export const NETWORK_POLICIES = resource<NetworkPolicy>(
  'networking.k8s.io',
  'v1',
  'NetworkPolicy',
  'networkpolicies',
);
export const CONTROLLER_REVISIONS = resource<ControllerRevision>(
  'apps',
  'v1',
  'ControllerRevision',
  'controllerrevisions',
);
export const REPLICATION_CONTROLLERS = resource<ReplicationController>(
  '',
  'v1',
  'ReplicationController',
  'replicationcontrollers',
);
export const POD_TEMPLATES = resource<StoredPodTemplate>('', 'v1', 'PodTemplate', 'podtemplates');
export const STATEFUL_SETS = resource<StatefulSet>('apps', 'v1', 'StatefulSet', 'statefulsets');
export const DAEMON_SETS = resource<DaemonSet>('apps', 'v1', 'DaemonSet', 'daemonsets');
export const JOBS = resource<Job>('batch', 'v1', 'Job', 'jobs');
export const CRON_JOBS = resource<CronJob>('batch', 'v1', 'CronJob', 'cronjobs');
export const STORAGE_CLASSES = resource<StorageClass>(
  'storage.k8s.io',
  'v1',
  'StorageClass',
  'storageclasses',
  false,
);
export const CSI_DRIVERS = resource<CSIDriver>(
  'storage.k8s.io',
  'v1',
  'CSIDriver',
  'csidrivers',
  false,
);
export const CSI_NODES = resource<CSINode>('storage.k8s.io', 'v1', 'CSINode', 'csinodes', false);
export const CSI_STORAGE_CAPACITIES = resource<CSIStorageCapacity>(
  'storage.k8s.io',
  'v1',
  'CSIStorageCapacity',
  'csistoragecapacities',
);
export const VOLUME_ATTACHMENTS = resource<VolumeAttachment>(
  'storage.k8s.io',
  'v1',
  'VolumeAttachment',
  'volumeattachments',
  false,
);
export const PERSISTENT_VOLUMES = resource<PersistentVolume>(
  '',
  'v1',
  'PersistentVolume',
  'persistentvolumes',
  false,
);
export const PERSISTENT_VOLUME_CLAIMS = resource<PersistentVolumeClaim>(
  '',
  'v1',
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
);
export const PRIORITY_CLASSES = resource<PriorityClass>(
  'scheduling.k8s.io',
  'v1',
  'PriorityClass',
  'priorityclasses',
  false,
);
export const POD_GROUPS = resource<PodGroup>(
  'scheduling.x-k8s.io',
  'v1alpha1',
  'PodGroup',
  'podgroups',
);
export const RUNTIME_CLASSES = resource<RuntimeClass>(
  'node.k8s.io',
  'v1',
  'RuntimeClass',
  'runtimeclasses',
  false,
);
export const CERTIFICATE_REQUESTS = resource<CertificateSigningRequest>(
  'certificates.k8s.io',
  'v1',
  'CertificateSigningRequest',
  'certificatesigningrequests',
  false,
);
export const RBAC_GROUP = 'rbac.authorization.k8s.io';
export const ROLES = resource<Role>(RBAC_GROUP, 'v1', 'Role', 'roles');
export const ROLE_BINDINGS = resource<RoleBinding>(RBAC_GROUP, 'v1', 'RoleBinding', 'rolebindings');
export const CLUSTER_ROLES = resource<ClusterRole>(
  RBAC_GROUP,
  'v1',
  'ClusterRole',
  'clusterroles',
  false,
);
export const CLUSTER_ROLE_BINDINGS = resource<ClusterRoleBinding>(
  RBAC_GROUP,
  'v1',
  'ClusterRoleBinding',
  'clusterrolebindings',
  false,
);
export const ADMISSION_GROUP = 'admissionregistration.k8s.io';
export const MUTATING_WEBHOOKS = resource<MutatingWebhookConfiguration>(
  ADMISSION_GROUP,
  'v1',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
  false,
);
export const VALIDATING_WEBHOOKS = resource<ValidatingWebhookConfiguration>(
  ADMISSION_GROUP,
  'v1',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
  false,
);
export const VALIDATING_POLICIES = resource<ValidatingAdmissionPolicy>(
  ADMISSION_GROUP,
  'v1',
  'ValidatingAdmissionPolicy',
  'validatingadmissionpolicies',
  false,
);
export const VALIDATING_POLICY_BINDINGS = resource<ValidatingAdmissionPolicyBinding>(
  ADMISSION_GROUP,
  'v1',
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
  false,
);
export const MUTATING_POLICIES = resource<MutatingAdmissionPolicy>(
  ADMISSION_GROUP,
  'v1',
  'MutatingAdmissionPolicy',
  'mutatingadmissionpolicies',
  false,
);
export const MUTATING_POLICY_BINDINGS = resource<MutatingAdmissionPolicyBinding>(
  ADMISSION_GROUP,
  'v1',
  'MutatingAdmissionPolicyBinding',
  'mutatingadmissionpolicybindings',
  false,
);
export const CUSTOM_RESOURCE_DEFINITIONS = resource<CustomResourceDefinition>(
  'apiextensions.k8s.io',
  'v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  false,
);
export const SCHEDULING_DECISIONS = resource<SchedulingDecision>(
  SCHEDULING_GROUP,
  'v1',
  'SchedulingDecision',
  'schedulingdecisions',
);
/** Not stored: what the server says of its keys. */
export const ENCRYPTION_KEYS = resource<EncryptionKeyView>(
  ENCRYPTION_GROUP,
  'v1',
  'EncryptionKey',
  'encryptionkeys',
  false,
);
/** Not stored: what this server knows of itself and the others. */
export const SERVERS = resource<ServerView>(SERVERS_GROUP, 'v1', 'Server', 'servers', false);
export const POD_EXPLANATIONS = resource<PodExplanation>(
  SCHEDULING_GROUP,
  'v1',
  'PodExplanation',
  'podexplanations',
);

/** `v1`, `apps/v1` */
export const apiVersionOf = ({ group, version }: Resource): string =>
  group === '' ? version : `${group}/${version}`;

/** `/api/v1/namespaces/NS/pods/NAME/SUB`; an empty namespace on a namespaced kind means all. */
export const pathOf = (
  { group, version, plural, isNamespaced }: Resource,
  namespace = '',
  name = '',
  subresource = '',
): string =>
  [
    group === '' ? `/api/${version}` : `/apis/${group}/${version}`,
    ...(isNamespaced && namespace !== '' ? ['namespaces', encodeURIComponent(namespace)] : []),
    plural,
    ...(name === '' ? [] : [encodeURIComponent(name)]),
    ...(subresource === '' ? [] : [subresource]),
  ].join('/');

/** `pods`, `deployments.apps` */
export const qualifiedName = ({ plural, group }: Pick<Resource, 'plural' | 'group'>): string =>
  group === '' ? plural : `${plural}.${group}`;
