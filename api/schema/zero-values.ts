/**
 * How absent and empty fields look once stored. Upstream's objects are Go structs: an optional
 * value field that holds its zero disappears, a pointer field keeps it, and some fields are
 * always written. Clients compare against that form, so decoding produces it.
 */

/** Optional scalar fields that are pointers: `0`, `false` and `""` stay. `Type.field` wins. */
const POINTER_FIELDS = new Set([
  'activeDeadlineSeconds',
  'allowPrivilegeEscalation',
  'appArmorProfile',
  'automountServiceAccountToken',
  'blockOwnerDeletion',
  'collisionCount',
  'controller',
  'defaultMode',
  'deletionGracePeriodSeconds',
  'enableServiceLinks',
  'expirationSeconds',
  'fsGroup',
  'fsGroupChangePolicy',
  'gracePeriodSeconds',
  'holderIdentity',
  'hostUsers',
  'immutable',
  'leaseDurationSeconds',
  'leaseTransitions',
  'minDomains',
  'mode',
  'nodeAffinityPolicy',
  'nodeTaintsPolicy',
  'optional',
  'orphanDependents',
  'preemptionPolicy',
  'priority',
  'procMount',
  'progressDeadlineSeconds',
  'privileged',
  'propagationPolicy',
  'readOnlyRootFilesystem',
  'recursiveReadOnly',
  'remainingItemCount',
  'revisionHistoryLimit',
  'runAsGroup',
  'runAsNonRoot',
  'runAsUser',
  'runtimeClassName',
  'setHostnameAsFQDN',
  'shareProcessNamespace',
  'started',
  'terminatingReplicas',
  'terminationGracePeriodSeconds',
  'tolerationSeconds',
  'Container.restartPolicy',
  'DeploymentSpec.replicas',
  'ReplicaSetSpec.replicas',
  'HostPathVolumeSource.type',
  'GRPCAction.service',
  'PodDNSConfigOption.value',
  'Preconditions.resourceVersion',
  'Preconditions.uid',
]);

/** True where the zero value of an optional scalar is kept. */
export const keepsZero = (type: string, field: string): boolean =>
  POINTER_FIELDS.has(field) || POINTER_FIELDS.has(`${type}.${field}`);

/** What a struct always has, beside its required scalars. */
const ALWAYS_PRESENT: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  Container: { resources: {} },
  EphemeralContainer: { resources: {} },
  ContainerStatus: { lastState: {}, state: {} },
  PodCondition: { lastProbeTime: null, lastTransitionTime: null },
  Pod: { spec: { containers: null }, status: {} },
  Namespace: { spec: {}, status: {} },
  Deployment: { spec: {}, status: {} },
  ReplicaSet: { spec: {}, status: { replicas: 0 } },
  Lease: { spec: {} },
  Binding: { target: {} },
  Role: { rules: null },
  ClusterRole: { rules: null },
  PolicyRule: { verbs: null },
  RoleBinding: { roleRef: { apiGroup: '', kind: '', name: '' } },
  ClusterRoleBinding: { roleRef: { apiGroup: '', kind: '', name: '' } },
  Node: { spec: {}, status: {} },
  NodeCondition: { lastHeartbeatTime: null, lastTransitionTime: null },
  NodeStatus: {
    daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
    nodeInfo: {
      architecture: '',
      bootID: '',
      containerRuntimeVersion: '',
      kernelVersion: '',
      kubeProxyVersion: '',
      kubeletVersion: '',
      machineID: '',
      operatingSystem: '',
      osImage: '',
      systemUUID: '',
    },
  },
};

/** Core events keep their old fields; `events.k8s.io` shares the name and the stored form. */
const EVENT_ALWAYS = {
  eventTime: null,
  firstTimestamp: null,
  involvedObject: {},
  lastTimestamp: null,
  reportingComponent: '',
  reportingInstance: '',
  source: {},
};

export const alwaysPresent = (
  type: string,
  isCoreEvent: boolean,
): Readonly<Record<string, unknown>> | undefined =>
  isCoreEvent && type === 'Event' ? EVENT_ALWAYS : ALWAYS_PRESENT[type];
