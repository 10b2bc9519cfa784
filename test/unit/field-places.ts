import {
  CRON_JOBS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINTS,
  ENDPOINT_SLICES,
  HORIZONTAL_POD_AUTOSCALERS,
  INGRESSES,
  INGRESS_CLASSES,
  JOBS,
  LEASES,
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUMES,
  PERSISTENT_VOLUME_CLAIMS,
  PODS,
  POD_DISRUPTION_BUDGETS,
  POD_GROUPS,
  PRIORITY_CLASSES,
  REPLICA_SETS,
  SECRETS,
  SERVICES,
  SERVICE_ACCOUNTS,
  CSI_DRIVERS,
  STORAGE_CLASSES,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
  type Resource,
} from '../../api/resources';
import type { WellKnown } from '../../api/schema/effects';
import { deployment, pod } from '../../api/testing';

/** An object in which a field of some definition is planted at `path`. */
export interface Home {
  readonly resource: Resource;
  readonly base: object;
  readonly path: string;
}

/** Every place where a value of the definition can stand; undefined when no row needs one. */
export const homesOf = (definition: string): readonly Home[] | undefined => {
  const inPod = IN_POD[definition];
  return inPod === undefined ? ELSEWHERE[definition] : podHomes(inPod);
};

/** Where a label or annotation of a kind can stand: of a pod, in templates too. */
export const metadataHomesOf = (
  kind: WellKnown['kind'],
  map: WellKnown['map'],
): readonly Home[] | undefined =>
  kind === 'Pod'
    ? podHomes(`metadata.${map}`)
    : METADATA[kind]?.map((home) => ({ ...home, path: `metadata.${map}` }));

/** A copy of `base` with `value` at `path`, below it at `key`; what is missing on the way is made. */
export const planted = (base: unknown, path: string, key: string, value: unknown): object =>
  plantedAt(base, [...path.split(/[.[\]]+/).filter(Boolean), key], value) as object;

const plantedAt = (base: unknown, [step, ...rest]: readonly string[], value: unknown): unknown => {
  if (step === undefined) return value;
  if (/^\d+$/.test(step)) {
    const list: unknown[] = Array.isArray(base) ? [...(base as unknown[])] : [];
    list[Number(step)] = plantedAt(list[Number(step)], rest, value);
    return list;
  }
  const object = (base ?? {}) as Record<string, unknown>;
  return { ...object, [step]: plantedAt(object[step], rest, value) };
};

const IN_POD: Readonly<Record<string, string>> = {
  PodSpec: 'spec',
  Affinity: 'spec.affinity',
  PodSecurityContext: 'spec.securityContext',
  Container: 'spec.containers[0]',
  SecurityContext: 'spec.containers[0].securityContext',
  ResourceRequirements: 'spec.containers[0].resources',
  ContainerPort: 'spec.containers[0].ports[0]',
  EnvVarSource: 'spec.containers[0].env[0].valueFrom',
  LifecycleHandler: 'spec.containers[0].lifecycle.preStop',
  Volume: 'spec.volumes[0]',
  EmptyDirVolumeSource: 'spec.volumes[0].emptyDir',
  VolumeProjection: 'spec.volumes[0].projected.sources[0]',
  ServiceAccountTokenProjection: 'spec.volumes[0].projected.sources[0].serviceAccountToken',
};

const ACCOUNT_NAME = 'kubernetes.io/service-account.name';
const named = { metadata: { name: 'a' } };
const DEFINITION = {
  metadata: { name: 'things.example.com' },
  spec: {
    ...{ group: 'example.com', scope: 'Cluster', names: { plural: 'things', kind: 'Thing' } },
    versions: [
      { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
    ],
  },
};

const VOLUME = {
  ...named,
  spec: {
    ...{ capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
    hostPath: { path: '/srv' },
  },
};
const CLAIM = {
  ...named,
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
};

const ELSEWHERE: Readonly<Record<string, readonly Home[]>> = {
  CustomResourceDefinitionSpec: [
    { resource: CUSTOM_RESOURCE_DEFINITIONS, base: DEFINITION, path: 'spec' },
  ],
  CustomResourceConversion: [
    { resource: CUSTOM_RESOURCE_DEFINITIONS, base: DEFINITION, path: 'spec.conversion' },
  ],
  NodeSpec: [{ resource: NODES, base: named, path: 'spec' }],
  PodGroupSpec: [{ resource: POD_GROUPS, base: named, path: 'spec' }],
  LeaseSpec: [{ resource: LEASES, base: named, path: 'spec' }],
  ServiceAccount: [{ resource: SERVICE_ACCOUNTS, base: named, path: '' }],
  Secret: [
    {
      resource: SECRETS,
      base: { metadata: { name: 'a', annotations: { [ACCOUNT_NAME]: 'b' } } },
      path: '',
    },
  ],
  PodDisruptionBudget: [{ resource: POD_DISRUPTION_BUDGETS, base: named, path: '' }],
  Service: [{ resource: SERVICES, base: named, path: '' }],
  Endpoints: [{ resource: ENDPOINTS, base: named, path: '' }],
  EndpointSlice: [
    { resource: ENDPOINT_SLICES, base: { ...named, addressType: 'IPv4', endpoints: [] }, path: '' },
  ],
  Ingress: [{ resource: INGRESSES, base: named, path: '' }],
  IngressClass: [{ resource: INGRESS_CLASSES, base: named, path: '' }],
  HorizontalPodAutoscaler: [{ resource: HORIZONTAL_POD_AUTOSCALERS, base: named, path: '' }],
  HorizontalPodAutoscalerSpec: [
    {
      resource: HORIZONTAL_POD_AUTOSCALERS,
      base: {
        ...named,
        spec: {
          maxReplicas: 3,
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        },
      },
      path: 'spec',
    },
  ],
  DaemonSet: [{ resource: DAEMON_SETS, base: named, path: '' }],
  Job: [{ resource: JOBS, base: named, path: '' }],
  CronJob: [{ resource: CRON_JOBS, base: named, path: '' }],
  CSIDriverSpec: [{ resource: CSI_DRIVERS, base: { ...named, spec: {} }, path: 'spec' }],
  StorageClass: [
    { resource: STORAGE_CLASSES, base: { ...named, provisioner: 'example.com/disk' }, path: '' },
  ],
  PersistentVolumeSpec: [{ resource: PERSISTENT_VOLUMES, base: VOLUME, path: 'spec' }],
  PersistentVolumeClaimSpec: [{ resource: PERSISTENT_VOLUME_CLAIMS, base: CLAIM, path: 'spec' }],
  ValidatingAdmissionPolicySpec: [
    {
      resource: VALIDATING_POLICIES,
      base: {
        ...named,
        spec: {
          validations: [{ expression: 'true' }],
          matchConstraints: {
            resourceRules: [
              { apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['pods'] },
            ],
          },
        },
      },
      path: 'spec',
    },
  ],
  ValidatingAdmissionPolicyBindingSpec: [
    {
      resource: VALIDATING_POLICY_BINDINGS,
      base: { ...named, spec: { policyName: 'p', validationActions: ['Deny'] } },
      path: 'spec',
    },
  ],
  PriorityClass: [
    { resource: PRIORITY_CLASSES, base: { ...named, preemptionPolicy: 'Never' }, path: '' },
  ],
};

const METADATA: Readonly<Record<string, readonly Omit<Home, 'path'>[]>> = {
  Node: [{ resource: NODES, base: named }],
  Namespace: [{ resource: NAMESPACES, base: named }],
  ServiceAccount: [{ resource: SERVICE_ACCOUNTS, base: named }],
};

const CONTAINER = {
  image: 'nginx:1.27',
  ports: [{ containerPort: 80 }],
  env: [{ name: 'A' }],
};
const SPEC = {
  // A sidecar may have all that a main container may.
  initContainers: [{ name: 'i', restartPolicy: 'Always', ...CONTAINER }],
  volumes: [{ name: 'v' }],
};

/** In a pod and in the templates of workloads; of containers, in each list of them. */
const podHomes = (path: string): readonly Home[] =>
  [path, path.replace('.containers[', '.initContainers[')]
    .filter((each, i, list) => list.indexOf(each) === i)
    .flatMap((each) => [
      { resource: PODS, base: pod(SPEC, CONTAINER), path: each },
      ...[DEPLOYMENTS, REPLICA_SETS].map((resource) => ({
        resource,
        base: deployment({}, pod(SPEC, CONTAINER).spec),
        path: `spec.template.${each}`,
      })),
    ]);
