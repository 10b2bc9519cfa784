import type * as admission from 'kubernetes-types/admissionregistration/v1';
import type * as apps from 'kubernetes-types/apps/v1';
import type * as certificates from 'kubernetes-types/certificates/v1';
import type { Lease as CoordinationLease } from 'kubernetes-types/coordination/v1';
import type {
  ClusterRole as RbacClusterRole,
  ClusterRoleBinding as RbacClusterRoleBinding,
  PolicyRule as RbacPolicyRule,
  Role as RbacRole,
  RoleBinding as RbacRoleBinding,
  RoleRef as RbacRoleRef,
  Subject as RbacSubject,
} from 'kubernetes-types/rbac/v1';
// Its first version is as this was.
import type {
  IPAddress as AlphaIpAddress,
  ServiceCIDR as AlphaServiceCidr,
} from 'kubernetes-types/networking/v1alpha1';
import type { PodDisruptionBudget as PolicyPodDisruptionBudget } from 'kubernetes-types/policy/v1';
import type {
  CustomResourceDefinition as ApiextensionsCustomResourceDefinition,
  CustomResourceDefinitionCondition as ApiextensionsCondition,
  CustomResourceDefinitionNames as ApiextensionsNames,
  CustomResourceDefinitionVersion as ApiextensionsVersion,
} from 'kubernetes-types/apiextensions/v1';
import type { Event as EventsEvent } from 'kubernetes-types/events/v1';
import type * as discovery from 'kubernetes-types/discovery/v1';
import type { RuntimeClass as NodeRuntimeClass } from 'kubernetes-types/node/v1';
import type { PriorityClass as SchedulingPriorityClass } from 'kubernetes-types/scheduling/v1';
import type * as storage from 'kubernetes-types/storage/v1';
import type * as core from 'kubernetes-types/core/v1';
import type { Int64, INT64_FIELDS } from './int64';
import type * as networking from 'kubernetes-types/networking/v1';
import type * as autoscaling from 'kubernetes-types/autoscaling/v2';
import type { HorizontalPodAutoscaler as AutoscalingV1 } from 'kubernetes-types/autoscaling/v1';
import type * as batch from 'kubernetes-types/batch/v1';
import type * as meta from 'kubernetes-types/meta/v1';

/** Newer than the declarations. */
declare module 'kubernetes-types/core/v1' {
  interface Volume {
    image?: { reference?: string; pullPolicy?: string };
  }
  interface PodSpec {
    resources?: ResourceRequirements;
  }
}

declare module 'kubernetes-types/apps/v1' {
  interface DeploymentStatus {
    terminatingReplicas?: number;
  }
  interface ReplicaSetStatus {
    terminatingReplicas?: number;
  }
}

declare module 'kubernetes-types/storage/v1' {
  interface CSIDriverSpec {
    nodeAllocatableUpdatePeriodSeconds?: number;
    serviceAccountTokenInSecrets?: boolean;
  }
  interface VolumeError {
    errorCode?: number;
  }
}

/**
 * An object shared by every reader: copy to change it. A 64-bit integer is an `Int64`, whatever the
 * declarations say, so that no arithmetic meets a `bigint` unawares.
 */
export type DeepReadonly<T> = T extends (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? {
        readonly [Key in keyof T]: Key extends Int64Field
          ? Int64 | Exclude<T[Key], number>
          : DeepReadonly<T[Key]>;
      }
    : T;

type Int64Field = (typeof INT64_FIELDS)[number];

export type OwnerReference = DeepReadonly<meta.OwnerReference>;
export type LabelSelector = DeepReadonly<meta.LabelSelector>;

/** Metadata as every stored object has it. Namespaced objects have `namespace`, others have not. */
export interface Metadata extends DeepReadonly<
  Omit<meta.ObjectMeta, 'name' | 'creationTimestamp' | 'deletionTimestamp'>
> {
  readonly name: string;
  readonly creationTimestamp?: string | null;
  readonly deletionTimestamp?: string;
}

/** Any object of any kind. */
export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
}

/** The public type of a kind, with what validation guarantees: metadata, and the fields in `K`. */
export type Kind<T, K extends keyof T = never> = ApiObject &
  DeepReadonly<Omit<T, 'apiVersion' | 'kind' | 'metadata' | K>> & {
    readonly [Key in K]-?: DeepReadonly<NonNullable<T[Key]>>;
  };

export type Namespace = Kind<core.Namespace>;
export type Node = Kind<core.Node, 'spec' | 'status'>;
export type Pod = Kind<core.Pod, 'spec' | 'status'>;
export type ReplicaSet = Kind<apps.ReplicaSet, 'spec' | 'status'>;
export type ReplicationController = Kind<core.ReplicationController, 'spec' | 'status'>;
/** The kind of that name; `PodTemplate` is what workloads hold of theirs. */
export type StoredPodTemplate = Kind<core.PodTemplate>;
export type Deployment = Kind<apps.Deployment, 'spec' | 'status'>;
export type ConfigMap = Kind<core.ConfigMap>;
export type Secret = Kind<core.Secret>;
export type ServiceAccount = Kind<core.ServiceAccount>;
export type Event = Kind<core.Event>;
/** The same stored object, as `events.k8s.io` shows it. */
export type EventView = Kind<EventsEvent>;
export type Lease = Kind<CoordinationLease>;
export type CertificateSigningRequest = Kind<certificates.CertificateSigningRequest>;
export type LimitRange = Kind<core.LimitRange>;
export type ResourceQuota = Kind<core.ResourceQuota>;

export type PodDisruptionBudget = Kind<PolicyPodDisruptionBudget>;
export type Service = Kind<core.Service>;
export type Endpoints = Kind<core.Endpoints>;
export type EndpointSlice = Kind<discovery.EndpointSlice>;
export type Ingress = Kind<networking.Ingress>;
export type IngressClass = Kind<networking.IngressClass>;
export type HorizontalPodAutoscaler = Kind<autoscaling.HorizontalPodAutoscaler>;
/** The same stored object, as `autoscaling/v1` shows it. */
export type HorizontalPodAutoscalerV1 = Kind<AutoscalingV1>;
export type NetworkPolicy = Kind<networking.NetworkPolicy>;
export type ServiceCidr = Kind<AlphaServiceCidr>;
export type IpAddress = Kind<AlphaIpAddress>;
/** Whatever its author wrote into it. */
export type ControllerRevision = ApiObject & {
  readonly data?: unknown;
  readonly revision: Int64;
};
export type StatefulSet = Kind<apps.StatefulSet, 'spec' | 'status'>;
export type DaemonSet = Kind<apps.DaemonSet, 'spec' | 'status'>;
export type Job = Kind<batch.Job>;
export type CronJob = Kind<batch.CronJob>;
export type StorageClass = Kind<storage.StorageClass>;
export type CSIDriver = Kind<Partial<storage.CSIDriver>>;
export type CSINode = Kind<Partial<storage.CSINode>>;
export type CSIStorageCapacity = Kind<storage.CSIStorageCapacity>;
export type VolumeAttachment = Kind<Partial<storage.VolumeAttachment>>;
export type PersistentVolume = Kind<core.PersistentVolume>;
export type PersistentVolumeClaim = Kind<core.PersistentVolumeClaim>;
export type PriorityClass = Kind<SchedulingPriorityClass>;
export type RuntimeClass = Kind<NodeRuntimeClass>;
export type Role = Kind<RbacRole>;
export type ClusterRole = Kind<RbacClusterRole>;
export type RoleBinding = Kind<RbacRoleBinding>;
export type ClusterRoleBinding = Kind<RbacClusterRoleBinding>;
export type MutatingWebhookConfiguration = ApiObject & {
  readonly webhooks?: readonly MutatingWebhook[];
};
export type ValidatingWebhookConfiguration = ApiObject & {
  readonly webhooks?: readonly ValidatingWebhook[];
};

export type MutatingWebhook = WithRules<admission.MutatingWebhook>;
export type ValidatingWebhook = WithRules<admission.ValidatingWebhook>;
export type ValidatingAdmissionPolicy = Kind<admission.ValidatingAdmissionPolicy>;
export type ValidatingAdmissionPolicyBinding = Kind<admission.ValidatingAdmissionPolicyBinding>;
/** The declarations have these of older versions only. */
export type MutatingAdmissionPolicy = ApiObject & {
  readonly spec?: Pick<
    NonNullable<ValidatingAdmissionPolicy['spec']>,
    'failurePolicy' | 'matchConditions' | 'matchConstraints' | 'paramKind' | 'variables'
  > & {
    readonly mutations?: readonly Mutation[];
    readonly reinvocationPolicy?: string;
  };
};
export interface Mutation {
  readonly patchType: string;
  readonly applyConfiguration?: { readonly expression: string };
  readonly jsonPatch?: { readonly expression: string };
}
export type MutatingAdmissionPolicyBinding = ApiObject & {
  readonly spec?: Omit<NonNullable<ValidatingAdmissionPolicyBinding['spec']>, 'validationActions'>;
};
export type MatchResources = DeepReadonly<
  Omit<admission.MatchResources, 'resourceRules' | 'excludeResourceRules'> & {
    resourceRules?: NamedWebhookRule[];
    excludeResourceRules?: NamedWebhookRule[];
  }
>;
type NamedWebhookRule = WebhookRule & { resourceNames?: string[] };
/** The declarations lack what a rule embeds. */
type WithRules<T> = DeepReadonly<Omit<T, 'rules'> & { rules?: WebhookRule[] }>;
export type WebhookRule = admission.RuleWithOperations & { resources?: string[]; scope?: string };
export type MatchCondition = DeepReadonly<admission.MatchCondition>;
export type WebhookClientConfig = DeepReadonly<admission.WebhookClientConfig>;
export type CustomResourceDefinition = Kind<
  ApiextensionsCustomResourceDefinition,
  'spec' | 'status'
>;
export type CustomResourceDefinitionVersion = DeepReadonly<ApiextensionsVersion>;
export type CustomResourceDefinitionNames = DeepReadonly<ApiextensionsNames>;
export type CustomResourceDefinitionCondition = DeepReadonly<ApiextensionsCondition>;

export type PolicyRule = DeepReadonly<RbacPolicyRule>;
export type RoleRef = DeepReadonly<RbacRoleRef>;
export type Subject = DeepReadonly<RbacSubject>;
export type PodSpec = Pod['spec'];
export type PodStatus = Pod['status'];
export type PodTemplate = ReplicaSet['spec']['template'];
export type Container = DeepReadonly<core.Container> & {
  /** Newer than the declarations. */
  readonly restartPolicyRules?: readonly {
    readonly action?: string;
    readonly exitCodes?: { readonly operator?: string; readonly values?: readonly number[] };
  }[];
};
export type ContainerStatus = DeepReadonly<core.ContainerStatus>;
export type Toleration = DeepReadonly<core.Toleration>;
export type Taint = DeepReadonly<core.Taint>;
export type NodeSelector = DeepReadonly<core.NodeSelector>;
export type NodeSelectorTerm = DeepReadonly<core.NodeSelectorTerm>;
export type NodeSelectorRequirement = DeepReadonly<core.NodeSelectorRequirement>;
export type Affinity = DeepReadonly<core.Affinity>;
export type PodCondition = DeepReadonly<core.PodCondition>;
export type NodeCondition = DeepReadonly<core.NodeCondition>;

/** Names one object. `namespace` is `''` for cluster-scoped kinds. */
export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

/** `namespace/name`, or `name` alone for cluster-scoped kinds: the key in maps and logs. */
export const nameKey = ({ namespace, name }: ObjectName): string =>
  namespace === '' ? name : `${namespace}/${name}`;

export const nameOf = ({ metadata }: ApiObject): ObjectName => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name,
});

export const keyOf = (object: ApiObject): string => nameKey(nameOf(object));

/** Empty for what has not been stored yet. */
export const uidOf = ({ metadata }: ApiObject): string => metadata.uid ?? '';
