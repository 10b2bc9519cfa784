/**
 * Numbers and types of the fields that clients send: facts of Kubernetes' wire format. A field
 * that is not listed is skipped, as proto2 says of unknown fields.
 *
 * A type is a scalar (`string`, `int`, `bool`, `bytes`, `time`, `quantity`, ...) or the name of a
 * message; `[]` after it repeats, and `map:` before it makes it the value of a map by strings.
 */
export type MessageFields = Readonly<Record<number, readonly [name: string, type: string]>>;

/**
 * Messages in which an unlisted field that holds anything is refused: pods must not lose a volume
 * or a security context on their way. Their clients can send JSON.
 */
export const STRICT_MESSAGES: ReadonlySet<string> = new Set([
  'Container',
  'DeploymentSpec',
  'EnvVar',
  'PodSpec',
  'PodTemplateSpec',
  'ReplicaSetSpec',
]);

const string = (name: string) => [name, 'string'] as const;
const int = (name: string) => [name, 'int'] as const;
const bool = (name: string) => [name, 'bool'] as const;
const strings = (name: string) => [name, 'string[]'] as const;
const labels = (name: string) => [name, 'map:string'] as const;
const of = (name: string, type: string) => [name, type] as const;

const metadata = of('metadata', 'ObjectMeta');

export const MESSAGES: Readonly<Record<string, MessageFields>> = {
  ObjectMeta: {
    1: string('name'),
    2: string('generateName'),
    3: string('namespace'),
    4: string('selfLink'),
    5: string('uid'),
    6: string('resourceVersion'),
    7: int('generation'),
    8: of('creationTimestamp', 'time'),
    9: of('deletionTimestamp', 'time'),
    10: int('deletionGracePeriodSeconds'),
    11: labels('labels'),
    12: labels('annotations'),
    13: of('ownerReferences', 'OwnerReference[]'),
    14: strings('finalizers'),
  },
  OwnerReference: {
    1: string('kind'),
    3: string('name'),
    4: string('uid'),
    5: string('apiVersion'),
    6: bool('controller'),
    7: bool('blockOwnerDeletion'),
  },
  LabelSelector: { 1: labels('matchLabels'), 2: of('matchExpressions', 'LabelRequirement[]') },
  LabelRequirement: { 1: string('key'), 2: string('operator'), 3: strings('values') },
  ObjectReference: {
    1: string('kind'),
    2: string('namespace'),
    3: string('name'),
    4: string('uid'),
    5: string('apiVersion'),
    6: string('resourceVersion'),
    7: string('fieldPath'),
  },
  LocalObjectReference: { 1: string('name') },

  DeleteOptions: {
    1: int('gracePeriodSeconds'),
    2: of('preconditions', 'Preconditions'),
    3: bool('orphanDependents'),
    4: string('propagationPolicy'),
    5: strings('dryRun'),
  },
  Preconditions: { 1: string('uid'), 2: string('resourceVersion') },

  Namespace: { 1: metadata, 2: of('spec', 'NamespaceSpec') },
  NamespaceSpec: { 1: strings('finalizers') },
  ConfigMap: {
    1: metadata,
    2: labels('data'),
    3: of('binaryData', 'map:bytes'),
    4: bool('immutable'),
  },
  Secret: {
    1: metadata,
    2: of('data', 'map:bytes'),
    3: string('type'),
    4: labels('stringData'),
    5: bool('immutable'),
  },
  ServiceAccount: {
    1: metadata,
    2: of('secrets', 'ObjectReference[]'),
    3: of('imagePullSecrets', 'LocalObjectReference[]'),
    4: bool('automountServiceAccountToken'),
  },
  Binding: { 1: metadata, 2: of('target', 'ObjectReference') },
  Event: {
    1: metadata,
    2: of('involvedObject', 'ObjectReference'),
    3: string('reason'),
    4: string('message'),
    5: of('source', 'EventSource'),
    6: of('firstTimestamp', 'time'),
    7: of('lastTimestamp', 'time'),
    8: int('count'),
    9: string('type'),
    10: of('eventTime', 'microTime'),
    12: string('action'),
    13: of('related', 'ObjectReference'),
    14: string('reportingComponent'),
    15: string('reportingInstance'),
  },
  EventSource: { 1: string('component'), 2: string('host') },

  Deployment: { 1: metadata, 2: of('spec', 'DeploymentSpec') },
  DeploymentSpec: {
    1: int('replicas'),
    2: of('selector', 'LabelSelector'),
    3: of('template', 'PodTemplateSpec'),
    4: of('strategy', 'DeploymentStrategy'),
    5: int('minReadySeconds'),
    6: int('revisionHistoryLimit'),
    7: bool('paused'),
    9: int('progressDeadlineSeconds'),
  },
  DeploymentStrategy: { 1: string('type'), 2: of('rollingUpdate', 'RollingUpdate') },
  RollingUpdate: { 1: of('maxUnavailable', 'intOrString'), 2: of('maxSurge', 'intOrString') },
  ReplicaSet: { 1: metadata, 2: of('spec', 'ReplicaSetSpec') },
  ReplicaSetSpec: {
    1: int('replicas'),
    2: of('selector', 'LabelSelector'),
    3: of('template', 'PodTemplateSpec'),
    4: int('minReadySeconds'),
  },
  PodTemplateSpec: { 1: metadata, 2: of('spec', 'PodSpec') },
  Pod: { 1: metadata, 2: of('spec', 'PodSpec') },
  PodSpec: {
    2: of('containers', 'Container[]'),
    3: string('restartPolicy'),
    4: int('terminationGracePeriodSeconds'),
    5: int('activeDeadlineSeconds'),
    6: string('dnsPolicy'),
    7: labels('nodeSelector'),
    8: string('serviceAccountName'),
    9: string('serviceAccount'),
    10: string('nodeName'),
    11: bool('hostNetwork'),
    12: bool('hostPID'),
    13: bool('hostIPC'),
    15: of('imagePullSecrets', 'LocalObjectReference[]'),
    16: string('hostname'),
    17: string('subdomain'),
    19: string('schedulerName'),
    20: of('initContainers', 'Container[]'),
    21: bool('automountServiceAccountToken'),
    22: of('tolerations', 'Toleration[]'),
    24: string('priorityClassName'),
    25: int('priority'),
    27: bool('shareProcessNamespace'),
    30: bool('enableServiceLinks'),
    31: string('preemptionPolicy'),
  },
  Toleration: {
    1: string('key'),
    2: string('operator'),
    3: string('value'),
    4: string('effect'),
    5: int('tolerationSeconds'),
  },
  Container: {
    1: string('name'),
    2: string('image'),
    3: strings('command'),
    4: strings('args'),
    5: string('workingDir'),
    6: of('ports', 'ContainerPort[]'),
    7: of('env', 'EnvVar[]'),
    8: of('resources', 'ResourceRequirements'),
    9: of('volumeMounts', 'VolumeMount[]'),
    13: string('terminationMessagePath'),
    14: string('imagePullPolicy'),
    16: bool('stdin'),
    17: bool('stdinOnce'),
    18: bool('tty'),
    20: string('terminationMessagePolicy'),
    24: string('restartPolicy'),
  },
  ContainerPort: {
    1: string('name'),
    2: int('hostPort'),
    3: int('containerPort'),
    4: string('protocol'),
    5: string('hostIP'),
  },
  EnvVar: { 1: string('name'), 2: string('value') },
  ResourceRequirements: { 1: of('limits', 'map:quantity'), 2: of('requests', 'map:quantity') },
  VolumeMount: {
    1: string('name'),
    2: bool('readOnly'),
    3: string('mountPath'),
    4: string('subPath'),
    5: string('mountPropagation'),
    6: string('subPathExpr'),
  },

  Role: { 1: metadata, 2: of('rules', 'PolicyRule[]') },
  ClusterRole: {
    1: metadata,
    2: of('rules', 'PolicyRule[]'),
    3: of('aggregationRule', 'AggregationRule'),
  },
  AggregationRule: { 1: of('clusterRoleSelectors', 'LabelSelector[]') },
  PolicyRule: {
    1: strings('verbs'),
    2: strings('apiGroups'),
    3: strings('resources'),
    4: strings('resourceNames'),
    5: strings('nonResourceURLs'),
  },
  RoleBinding: { 1: metadata, 2: of('subjects', 'Subject[]'), 3: of('roleRef', 'RoleRef') },
  ClusterRoleBinding: { 1: metadata, 2: of('subjects', 'Subject[]'), 3: of('roleRef', 'RoleRef') },
  Subject: { 1: string('kind'), 2: string('apiGroup'), 3: string('name'), 4: string('namespace') },
  RoleRef: { 1: string('apiGroup'), 2: string('kind'), 3: string('name') },
  PriorityClass: {
    1: metadata,
    2: int('value'),
    3: bool('globalDefault'),
    4: string('description'),
    5: string('preemptionPolicy'),
  },

  Lease: { 1: metadata, 2: of('spec', 'LeaseSpec') },
  LeaseSpec: {
    1: string('holderIdentity'),
    2: int('leaseDurationSeconds'),
    3: of('acquireTime', 'microTime'),
    4: of('renewTime', 'microTime'),
    5: int('leaseTransitions'),
  },
  Scale: { 1: metadata, 2: of('spec', 'ScaleSpec') },
  ScaleSpec: { 1: int('replicas') },
  Eviction: { 1: metadata, 2: of('deleteOptions', 'DeleteOptions') },

  TokenRequest: { 1: metadata, 2: of('spec', 'TokenRequestSpec') },
  TokenRequestSpec: {
    1: strings('audiences'),
    3: of('boundObjectRef', 'BoundObjectReference'),
    4: int('expirationSeconds'),
  },
  BoundObjectReference: {
    1: string('kind'),
    2: string('apiVersion'),
    3: string('name'),
    4: string('uid'),
  },
  SelfSubjectReview: { 1: metadata },
  SelfSubjectAccessReview: { 1: metadata, 2: of('spec', 'SelfSubjectAccessReviewSpec') },
  SelfSubjectAccessReviewSpec: {
    1: of('resourceAttributes', 'ResourceAttributes'),
    2: of('nonResourceAttributes', 'NonResourceAttributes'),
  },
  SubjectAccessReview: { 1: metadata, 2: of('spec', 'SubjectAccessReviewSpec') },
  LocalSubjectAccessReview: { 1: metadata, 2: of('spec', 'SubjectAccessReviewSpec') },
  SubjectAccessReviewSpec: {
    1: of('resourceAttributes', 'ResourceAttributes'),
    2: of('nonResourceAttributes', 'NonResourceAttributes'),
    3: string('user'),
    4: strings('groups'),
    6: string('uid'),
  },
  ResourceAttributes: {
    1: string('namespace'),
    2: string('verb'),
    3: string('group'),
    4: string('version'),
    5: string('resource'),
    6: string('subresource'),
    7: string('name'),
  },
  NonResourceAttributes: { 1: string('path'), 2: string('verb') },
  SelfSubjectRulesReview: { 1: metadata, 2: of('spec', 'SelfSubjectRulesReviewSpec') },
  SelfSubjectRulesReviewSpec: { 1: string('namespace') },
};
