// What the type declarations do not say about Kubernetes' fields. Keys are `Type.field`.

/** Fields that hold 64-bit integers, by field name; every other number is 32 bits wide. */
export const int64Fields = new Set([
  'activeDeadlineSeconds',
  'deletionGracePeriodSeconds',
  'expirationSeconds',
  'fsGroup',
  'generation',
  'gracePeriodSeconds',
  'observedGeneration',
  'remainingItemCount',
  'runAsGroup',
  'runAsUser',
  'sizeBytes',
  'supplementalGroups',
  'terminationGracePeriodSeconds',
  'tolerationSeconds',
  'SleepAction.seconds',
]);

/** Fields that hold bytes, written as base64. */
export const byteFields = new Set(['Secret.data', 'ConfigMap.binaryData']);

const merge = (key, more = {}) => ({
  'x-kubernetes-patch-merge-key': key,
  'x-kubernetes-patch-strategy': 'merge',
  ...more,
});
const mapList = (...keys) => ({
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': keys,
});
const mergeMap = (key, ...keys) => merge(key, mapList(...(keys.length > 0 ? keys : [key])));
const atomic = { 'x-kubernetes-list-type': 'atomic' };
const mergeSet = { 'x-kubernetes-patch-strategy': 'merge', 'x-kubernetes-list-type': 'set' };

/** How lists merge. */
export const listRules = {
  'PodSpec.containers': mergeMap('name'),
  'PodSpec.initContainers': mergeMap('name'),
  'PodSpec.ephemeralContainers': mergeMap('name'),
  'PodSpec.volumes': { ...mergeMap('name'), 'x-kubernetes-patch-strategy': 'merge,retainKeys' },
  'PodSpec.imagePullSecrets': mergeMap('name'),
  'PodSpec.hostAliases': mergeMap('ip'),
  'PodSpec.topologySpreadConstraints': mergeMap('topologyKey', 'topologyKey', 'whenUnsatisfiable'),
  'PodSpec.resourceClaims': {
    ...mergeMap('name'),
    'x-kubernetes-patch-strategy': 'merge,retainKeys',
  },
  'PodSpec.schedulingGates': mergeMap('name'),
  'PodSpec.tolerations': atomic,
  'PodSpec.readinessGates': atomic,
  'Container.ports': mergeMap('containerPort', 'containerPort', 'protocol'),
  'Container.env': mergeMap('name'),
  'Container.volumeMounts': mergeMap('mountPath'),
  'Container.volumeDevices': mergeMap('devicePath'),
  'EphemeralContainer.ports': mergeMap('containerPort', 'containerPort', 'protocol'),
  'EphemeralContainer.env': mergeMap('name'),
  'EphemeralContainer.volumeMounts': mergeMap('mountPath'),
  'EphemeralContainer.volumeDevices': mergeMap('devicePath'),
  'ResourceRequirements.claims': mapList('name'),
  'PodStatus.conditions': mergeMap('type'),
  'PodStatus.podIPs': mergeMap('ip'),
  'PodStatus.hostIPs': merge('ip', atomic),
  'PodStatus.resourceClaimStatuses': {
    ...mergeMap('name'),
    'x-kubernetes-patch-strategy': 'merge,retainKeys',
  },
  'ContainerStatus.volumeMounts': mergeMap('mountPath'),
  'ContainerStatus.allocatedResourcesStatus': mergeMap('name'),
  'NodeSpec.podCIDRs': mergeSet,
  'NodeSpec.taints': atomic,
  'NodeStatus.conditions': mergeMap('type'),
  'NodeStatus.addresses': mergeMap('type'),
  'NamespaceStatus.conditions': mergeMap('type'),
  'ServiceAccount.secrets': mergeMap('name'),
  'ObjectMeta.ownerReferences': mergeMap('uid'),
  'ObjectMeta.finalizers': mergeSet,
  'DeploymentStatus.conditions': mergeMap('type'),
  'ReplicaSetStatus.conditions': mergeMap('type'),
  'DeploymentSpec.strategy': { 'x-kubernetes-patch-strategy': 'retainKeys' },
};

/** Structs that change as a whole: one manager owns all of their fields. */
export const atomicTypes = new Set([
  'ConfigMapKeySelector',
  'LabelSelector',
  'LocalObjectReference',
  'NodeSelector',
  'NodeSelectorTerm',
  'ObjectFieldSelector',
  'ObjectReference',
  'OwnerReference',
  'ResourceFieldSelector',
  'RoleRef',
  'SecretKeySelector',
  'SecretReference',
  'Subject',
  'TypedLocalObjectReference',
]);

/** Maps that change as a whole. */
export const atomicMaps = new Set(['PodSpec.nodeSelector']);

/** Values the API knows, by `Type.field`: the string type's name, then value and what it means. */
export const enums = {
  'ContainerPort.protocol': [
    'Protocol',
    { SCTP: 'is the SCTP protocol.', TCP: 'is the TCP protocol.', UDP: 'is the UDP protocol.' },
    'TCP',
  ],
  'Container.imagePullPolicy': [
    'PullPolicy',
    {
      Always:
        'means that kubelet always attempts to pull the latest image. Container will fail If the pull fails.',
      IfNotPresent:
        "means that kubelet pulls if the image isn't present on disk. Container will fail if the image isn't present and the pull fails.",
      Never:
        "means that kubelet never pulls an image, but only uses a local image. Container will fail if the image isn't present",
    },
  ],
  'Container.terminationMessagePolicy': [
    'TerminationMessagePolicy',
    {
      FallbackToLogsOnError:
        'will read the most recent contents of the container logs for the container status message when the container exits with an error and the terminationMessagePath has no contents.',
      File: "is the default behavior and will set the container status message to the contents of the container's terminationMessagePath when the container exits.",
    },
  ],
  'PodSpec.restartPolicy': ['RestartPolicy', { Always: '', Never: '', OnFailure: '' }],
  'PodSpec.dnsPolicy': [
    'DNSPolicy',
    {
      ClusterFirst:
        'indicates that the pod should use cluster DNS first unless hostNetwork is true, if it is available, then fall back on the default (as determined by kubelet) DNS settings.',
      ClusterFirstWithHostNet:
        'indicates that the pod should use cluster DNS first, if it is available, then fall back on the default (as determined by kubelet) DNS settings.',
      Default:
        'indicates that the pod should use the default (as determined by kubelet) DNS settings.',
      None: 'indicates that the pod should use empty DNS settings. DNS parameters such as nameservers and search paths should be defined via DNSConfig.',
    },
  ],
  'PodSpec.preemptionPolicy': [
    'PreemptionPolicy',
    {
      Never: 'means that pod never preempts other pods with lower priority.',
      PreemptLowerPriority: 'means that pod can preempt other pods with lower priority.',
    },
  ],
  'PodStatus.phase': [
    'PodPhase',
    {
      Failed:
        'means that all containers in the pod have terminated, and at least one container has terminated in a failure (exited with a non-zero exit code or was stopped by the system).',
      Pending:
        'means the pod has been accepted by the system, but one or more of the containers has not been started. This includes time before being bound to a node, as well as time spent pulling images onto the host.',
      Running:
        'means the pod has been bound to a node and all of the containers have been started. At least one container is still running or is in the process of being restarted.',
      Succeeded:
        'means that all containers in the pod have voluntarily terminated with a container exit code of 0, and the system is not going to restart any of these containers.',
      Unknown:
        'means that for some reason the state of the pod could not be obtained, typically due to an error in communicating with the host of the pod.',
    },
  ],
  'PodStatus.qosClass': [
    'PodQOSClass',
    {
      BestEffort: 'is the BestEffort qos class.',
      Burstable: 'is the Burstable qos class.',
      Guaranteed: 'is the Guaranteed qos class.',
    },
  ],
  'Taint.effect': ['TaintEffect', { NoExecute: '', NoSchedule: '', PreferNoSchedule: '' }],
  'Toleration.effect': ['TaintEffect', { NoExecute: '', NoSchedule: '', PreferNoSchedule: '' }],
  'Toleration.operator': ['TolerationOperator', { Equal: '', Exists: '' }],
  'NamespaceStatus.phase': [
    'NamespacePhase',
    {
      Active: 'means the namespace is available for use in the system',
      Terminating: 'means the namespace is undergoing graceful termination',
    },
  ],
  'NodeStatus.phase': ['NodePhase', { Pending: '', Running: '', Terminated: '' }],
  'NodeSelectorRequirement.operator': [
    'NodeSelectorOperator',
    { DoesNotExist: '', Exists: '', Gt: '', In: '', Lt: '', NotIn: '' },
  ],
  'TopologySpreadConstraint.whenUnsatisfiable': [
    'UnsatisfiableConstraintAction',
    {
      DoNotSchedule:
        'instructs the scheduler not to schedule the pod when constraints are not satisfied.',
      ScheduleAnyway:
        'instructs the scheduler to schedule the pod even if constraints are not satisfied.',
    },
  ],
  'TopologySpreadConstraint.nodeAffinityPolicy': ['NodeInclusionPolicy', { Honor: '', Ignore: '' }],
  'TopologySpreadConstraint.nodeTaintsPolicy': ['NodeInclusionPolicy', { Honor: '', Ignore: '' }],
  'HTTPGetAction.scheme': [
    'URIScheme',
    {
      HTTP: 'means that the scheme used will be http://',
      HTTPS: 'means that the scheme used will be https://',
    },
  ],
  'DeploymentStrategy.type': [
    'DeploymentStrategyType',
    {
      Recreate: 'Kill all existing pods before creating new ones.',
      RollingUpdate:
        'Replace the old ReplicaSets by new one using rolling update i.e gradually scale down the old ReplicaSets and scale up the new one.',
    },
  ],
  'SeccompProfile.type': [
    'SeccompProfileType',
    {
      Localhost:
        "indicates a profile defined in a file on the node should be used. The file's location relative to <kubelet-root-dir>/seccomp.",
      RuntimeDefault: 'represents the default container runtime seccomp profile.',
      Unconfined: 'indicates no seccomp profile is applied (A.K.A. unconfined).',
    },
  ],
  'HostPathVolumeSource.type': [
    'HostPathType',
    {
      '': '',
      BlockDevice: '',
      CharDevice: '',
      Directory: '',
      DirectoryOrCreate: '',
      File: '',
      FileOrCreate: '',
      Socket: '',
    },
  ],
};

/** Go's names of string types that have no list of values here; they show in type errors only. */
export const stringTypes = {
  'EmptyDirVolumeSource.medium': 'StorageMedium',
  'SecurityContext.procMount': 'ProcMountType',
  'PodSecurityContext.fsGroupChangePolicy': 'PodFSGroupChangePolicy',
  'Secret.type': 'SecretType',
  'PodCondition.status': 'ConditionStatus',
  'PodCondition.type': 'PodConditionType',
  'NodeCondition.status': 'ConditionStatus',
  'NodeCondition.type': 'NodeConditionType',
  'NodeAddress.type': 'NodeAddressType',
  'LabelSelectorRequirement.operator': 'LabelSelectorOperator',
  'ObjectMeta.uid': 'UID',
  'OwnerReference.uid': 'UID',
  'Container.restartPolicy': 'ContainerRestartPolicy',
};

const string = (description) => ({ type: 'string', description });
const integer = (format, description) => ({ type: 'integer', format, description });
const quantities = (description) => ({ map: 'Quantity', description });

/** Fields that newer API versions have and the declarations lack: `prop` as the generator reads it. */
export const additions = {
  PodSpec: {
    resources: {
      ref: 'ResourceRequirements',
      description: 'Total CPU and memory required by all containers of the pod.',
    },
    hostnameOverride: string(
      "An explicit override for the pod's hostname as perceived by the pod.",
    ),
  },
  PodSecurityContext: {
    supplementalGroupsPolicy: string(
      'Defines how supplemental groups of the first container processes are calculated. Valid values are "Merge" and "Strict".',
    ),
    seLinuxChangePolicy: string(
      "Defines how the container's SELinux label is applied to all volumes used by the Pod.",
    ),
  },
  PodStatus: {
    observedGeneration: integer('int64', 'The generation of the pod that this status reflects.'),
    nominatedNodeName: string(
      'Set when this pod preempts other pods on the node: where it is expected to run.',
    ),
    extendedResourceClaimStatus: {
      any: true,
      description: 'Status of extended resources backed by claims.',
    },
  },
  PodCondition: {
    observedGeneration: integer('int64', 'The generation of the pod that this condition reflects.'),
  },
  Container: {
    restartPolicyRules: {
      list: 'any',
      description: 'Rules, in order, for restarting the container on exit.',
    },
  },
  ContainerStatus: {
    allocatedResources: quantities(
      'The compute resources allocated for this container by the node.',
    ),
    resources: {
      ref: 'ResourceRequirements',
      description: 'The compute resources that are in effect for the running container.',
    },
    user: {
      any: true,
      description:
        'User identity information initially attached to the first process of the container.',
    },
    volumeMounts: { list: 'any', description: 'Status of volume mounts.' },
    allocatedResourcesStatus: {
      list: 'any',
      description: 'Status of the resources allocated for this container.',
    },
    stopSignal: string('The effective stop signal of the container.'),
  },
  Lifecycle: { stopSignal: string('Which signal is sent to the container when it is stopped.') },
  Volume: {
    image: {
      any: true,
      description: 'An OCI object (a container image or artifact) pulled and mounted on the host.',
    },
  },
  EnvVarSource: { fileKeyRef: { any: true, description: 'Selects a key of the env file.' } },
  TopologySpreadConstraint: {},
  NodeStatus: {
    features: { any: true, description: 'Features implemented by the container runtime.' },
    runtimeHandlers: { list: 'any', description: 'The available runtime handlers.' },
    declaredFeatures: { list: 'string', description: 'Features that the node declares.' },
  },
  DeploymentStatus: {
    terminatingReplicas: integer(
      'int32',
      'Total number of terminating pods targeted by this deployment.',
    ),
  },
  ReplicaSetStatus: {
    terminatingReplicas: integer('int32', 'The number of terminating pods for this replica set.'),
  },
  LeaseSpec: {
    strategy: string('The strategy for picking the leader for coordinated leader election.'),
    preferredHolder: string('Signals to a lease holder that the lease has a more optimal holder.'),
  },
  DeleteOptions: {
    ignoreStoreReadErrorWithClusterBreakingPotential: {
      type: 'boolean',
      description: 'Delete even where the stored object cannot be read.',
    },
  },
};
