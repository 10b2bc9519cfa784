import { defaultBinding, defaultPriorityClass } from './defaults/access';
import { defaultNamespace, defaultNode, defaultSecret } from './defaults/config';
import { defaultPod } from './defaults/pod';
import { defaultDeployment, defaultReplicaSet } from './defaults/workloads';
import type { KindInfo, KindRules } from './kind-info';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  DEPLOYMENTS,
  EVENTS,
  LEASES,
  NAMESPACES,
  NODES,
  POD_EXPLANATIONS,
  PODS,
  PRIORITY_CLASSES,
  REPLICA_SETS,
  ROLE_BINDINGS,
  ROLES,
  SCHEDULING_DECISIONS,
  SECRETS,
  SERVICE_ACCOUNTS,
  type Resource,
} from './resources';
import type { ApiObject } from './types';
import * as access from './validation/access';
import * as cluster from './validation/cluster';
import * as config from './validation/config';
import * as pod from './validation/pod';
import * as priority from './validation/priority';
import * as workloads from './validation/workloads';

const ALL_VERBS = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];
const READ_VERBS = ['get', 'list', 'watch'];

const noDefaults = (): void => undefined;

/** Defaults are written over the mutable declarations; what they get is a private copy. */
const inPlace =
  (applyTo: (object: never) => void) =>
  (object: unknown): void =>
    applyTo(object as never);

const define = <T extends ApiObject>(
  resource: Resource<T>,
  info: Partial<Omit<KindInfo<T>, 'resource' | 'rules'>>,
  rules: Omit<KindRules<T>, 'validateStatusUpdate'> & Partial<KindRules<T>>,
): KindInfo =>
  ({
    resource,
    singular: resource.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    verbs: ALL_VERBS,
    subresources: [],
    fields: {},
    ...info,
    rules: { validateStatusUpdate: rules.validateUpdate, ...rules },
    // The registry holds kinds of every type; `resource` ties each entry's functions together.
  }) as unknown as KindInfo;

/** Every kind the API serves: a kind is one entry here. */
export const KINDS: readonly KindInfo[] = [
  define(
    NAMESPACES,
    {
      shortNames: ['ns'],
      subresources: ['status', 'finalize'],
      verbs: ALL_VERBS.filter((verb) => verb !== 'deletecollection'),
      fields: { 'status.phase': ({ status }) => status?.phase ?? '' },
    },
    {
      applyDefaults: inPlace(defaultNamespace),
      validateCreate: cluster.validateNamespace,
      validateUpdate: cluster.validateNamespaceUpdate,
    },
  ),
  define(
    NODES,
    {
      shortNames: ['no'],
      subresources: ['status'],
      fields: { 'spec.unschedulable': ({ spec }) => String(spec.unschedulable === true) },
    },
    {
      applyDefaults: inPlace(defaultNode),
      validateCreate: cluster.validateNode,
      validateUpdate: cluster.validateNodeUpdate,
      validateStatusUpdate: cluster.validateNodeStatusUpdate,
    },
  ),
  define(
    PODS,
    {
      shortNames: ['po'],
      categories: ['all'],
      subresources: [
        'status',
        'binding',
        'eviction',
        'log',
        'exec',
        'attach',
        'portforward',
        'ephemeralcontainers',
      ],
      fields: {
        'spec.nodeName': ({ spec }) => spec.nodeName ?? '',
        'spec.restartPolicy': ({ spec }) => spec.restartPolicy ?? '',
        'spec.schedulerName': ({ spec }) => spec.schedulerName ?? '',
        'spec.serviceAccountName': ({ spec }) => spec.serviceAccountName ?? '',
        'spec.hostNetwork': ({ spec }) => String(spec.hostNetwork === true),
        'status.phase': ({ status }) => status.phase ?? '',
        'status.podIP': ({ status }) => status.podIP ?? '',
        'status.podIPs': ({ status }) => status.podIP ?? '',
        'status.nominatedNodeName': ({ status }) => status.nominatedNodeName ?? '',
      },
    },
    {
      applyDefaults: inPlace(defaultPod),
      validateCreate: pod.validatePod,
      validateUpdate: pod.validatePodUpdate,
      validateStatusUpdate: pod.validatePodStatusUpdate,
    },
  ),
  define(
    CONFIG_MAPS,
    { shortNames: ['cm'] },
    {
      applyDefaults: noDefaults,
      validateCreate: config.validateConfigMap,
      validateUpdate: config.validateConfigMapUpdate,
    },
  ),
  define(
    SECRETS,
    { fields: { type: ({ type }) => type ?? '' } },
    {
      applyDefaults: inPlace(defaultSecret),
      validateCreate: config.validateSecret,
      validateUpdate: config.validateSecretUpdate,
    },
  ),
  define(
    SERVICE_ACCOUNTS,
    { shortNames: ['sa'], subresources: ['token'] },
    {
      applyDefaults: noDefaults,
      validateCreate: cluster.validateServiceAccount,
      validateUpdate: cluster.validateServiceAccountUpdate,
    },
  ),
  define(
    EVENTS,
    {
      shortNames: ['ev'],
      fields: {
        'involvedObject.kind': ({ involvedObject }) => involvedObject.kind ?? '',
        'involvedObject.namespace': ({ involvedObject }) => involvedObject.namespace ?? '',
        'involvedObject.name': ({ involvedObject }) => involvedObject.name ?? '',
        'involvedObject.uid': ({ involvedObject }) => involvedObject.uid ?? '',
        'involvedObject.apiVersion': ({ involvedObject }) => involvedObject.apiVersion ?? '',
        'involvedObject.resourceVersion': ({ involvedObject }) =>
          involvedObject.resourceVersion ?? '',
        'involvedObject.fieldPath': ({ involvedObject }) => involvedObject.fieldPath ?? '',
        reason: ({ reason }) => reason ?? '',
        reportingComponent: ({ reportingComponent }) => reportingComponent ?? '',
        source: ({ source }) => source?.component ?? '',
        type: ({ type }) => type ?? '',
      },
    },
    {
      applyDefaults: noDefaults,
      validateCreate: cluster.validateEvent,
      validateUpdate: cluster.validateEventUpdate,
    },
  ),
  define(
    LEASES,
    {},
    {
      applyDefaults: noDefaults,
      validateCreate: cluster.validateLease,
      validateUpdate: cluster.validateLeaseUpdate,
    },
  ),
  define(
    REPLICA_SETS,
    {
      shortNames: ['rs'],
      categories: ['all'],
      subresources: ['status', 'scale'],
      fields: { 'status.replicas': ({ status }) => String(status.replicas) },
    },
    {
      applyDefaults: inPlace(defaultReplicaSet),
      validateCreate: workloads.validateReplicaSet,
      validateUpdate: workloads.validateReplicaSetUpdate,
      validateStatusUpdate: workloads.validateReplicaSetStatusUpdate,
    },
  ),
  define(
    DEPLOYMENTS,
    { shortNames: ['deploy'], categories: ['all'], subresources: ['status', 'scale'] },
    {
      applyDefaults: inPlace(defaultDeployment),
      validateCreate: workloads.validateDeployment,
      validateUpdate: workloads.validateDeploymentUpdate,
      validateStatusUpdate: workloads.validateDeploymentStatusUpdate,
    },
  ),
  define(
    PRIORITY_CLASSES,
    { shortNames: ['pc'] },
    {
      applyDefaults: inPlace(defaultPriorityClass),
      validateCreate: priority.validatePriorityClass,
      validateUpdate: priority.validatePriorityClassUpdate,
    },
  ),
  define(
    ROLES,
    {},
    {
      applyDefaults: noDefaults,
      validateCreate: access.validateRole,
      validateUpdate: access.validateRoleUpdate,
    },
  ),
  define(
    ROLE_BINDINGS,
    {},
    {
      applyDefaults: inPlace(defaultBinding),
      validateCreate: access.validateRoleBinding,
      validateUpdate: access.validateRoleBindingUpdate,
    },
  ),
  define(
    CLUSTER_ROLES,
    {},
    {
      applyDefaults: noDefaults,
      validateCreate: access.validateClusterRole,
      validateUpdate: access.validateClusterRoleUpdate,
    },
  ),
  define(
    CLUSTER_ROLE_BINDINGS,
    {},
    {
      applyDefaults: inPlace(defaultBinding),
      validateCreate: access.validateClusterRoleBinding,
      validateUpdate: access.validateClusterRoleBindingUpdate,
    },
  ),
  ...[SCHEDULING_DECISIONS, POD_EXPLANATIONS].map((resource) =>
    define<ApiObject>(
      resource,
      { verbs: resource === POD_EXPLANATIONS ? ['get'] : READ_VERBS },
      { applyDefaults: noDefaults, validateCreate: () => [], validateUpdate: () => [] },
    ),
  ),
];
