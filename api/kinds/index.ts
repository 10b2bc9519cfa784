import { CERTIFICATE_REQUEST_KIND } from './certificate-signing-request';
import { CLUSTER_ROLE_KIND } from './cluster-role';
import { CLUSTER_ROLE_BINDING_KIND } from './cluster-role-binding';
import { CONFIG_MAP_KIND } from './config-map';
import { CONTROLLER_REVISION_KIND } from './controller-revision';
import { CSI_DRIVER_KIND } from './csi-driver';
import { CSI_NODE_KIND } from './csi-node';
import { CSI_STORAGE_CAPACITY_KIND } from './csi-storage-capacity';
import { CUSTOM_RESOURCE_DEFINITION_KIND } from './custom-resource-definition';
import { DEPLOYMENT_KIND } from './deployment';
import { ENDPOINTS_KIND } from './endpoints';
import { ENDPOINT_SLICE_KIND } from './endpoint-slice';
import { EVENT_KIND, EVENT_VIEW_KIND } from './event';
import type { KindInfo } from './kind';
import { LEASE_KIND } from './lease';
import { LIMIT_RANGE_KIND } from './limit-range';
import { MUTATING_POLICY_KIND } from './mutating-admission-policy';
import { MUTATING_POLICY_BINDING_KIND } from './mutating-admission-policy-binding';
import { MUTATING_WEBHOOK_CONFIGURATION_KIND } from './mutating-webhook-configuration';
import { NAMESPACE_KIND } from './namespace';
import { NODE_KIND } from './node';
import { PERSISTENT_VOLUME_KIND } from './persistent-volume';
import { PERSISTENT_VOLUME_CLAIM_KIND } from './persistent-volume-claim';
import { POD_KIND } from './pod';
import { POD_DISRUPTION_BUDGET_KIND } from './pod-disruption-budget';
import { POD_EXPLANATION_KIND } from './pod-explanation';
import { POD_GROUP_KIND } from './pod-group';
import { PRIORITY_CLASS_KIND } from './priority-class';
import { REPLICA_SET_KIND } from './replica-set';
import { POD_TEMPLATE_KIND } from './pod-template';
import { REPLICATION_CONTROLLER_KIND } from './replication-controller';
import { RESOURCE_QUOTA_KIND } from './resource-quota';
import { ROLE_KIND } from './role';
import { ROLE_BINDING_KIND } from './role-binding';
import { RUNTIME_CLASS_KIND } from './runtime-class';
import { SCHEDULING_DECISION_KIND } from './scheduling-decision';
import { SECRET_KIND } from './secret';
import { SERVICE_KIND } from './service';
import { IP_ADDRESS_KIND } from './ip-address';
import { SERVICE_CIDR_KIND } from './service-cidr';
import { SERVICE_ACCOUNT_KIND } from './service-account';
import { INGRESS_KIND } from './ingress';
import { INGRESS_CLASS_KIND } from './ingress-class';
import {
  HORIZONTAL_POD_AUTOSCALER_KIND,
  HORIZONTAL_POD_AUTOSCALER_V1_KIND,
} from './horizontal-pod-autoscaler';
import { NETWORK_POLICY_KIND } from './network-policy';
import { STATEFUL_SET_KIND } from './stateful-set';
import { DAEMON_SET_KIND } from './daemon-set';
import { JOB_KIND } from './job';
import { CRON_JOB_KIND } from './cron-job';
import { STORAGE_CLASS_KIND } from './storage-class';
import { VOLUME_ATTACHMENT_KIND } from './volume-attachment';
import { VALIDATING_WEBHOOK_CONFIGURATION_KIND } from './validating-webhook-configuration';
import { VALIDATING_POLICY_KIND } from './validating-admission-policy';
import { VALIDATING_POLICY_BINDING_KIND } from './validating-admission-policy-binding';

export { defineKind, type KindInfo } from './kind';

/** Every kind that is always there, each as its module has it. */
export const KINDS: readonly KindInfo[] = [
  NAMESPACE_KIND,
  NODE_KIND,
  POD_KIND,
  CONFIG_MAP_KIND,
  SECRET_KIND,
  SERVICE_ACCOUNT_KIND,
  LIMIT_RANGE_KIND,
  RESOURCE_QUOTA_KIND,
  EVENT_KIND,
  EVENT_VIEW_KIND,
  LEASE_KIND,
  REPLICA_SET_KIND,
  REPLICATION_CONTROLLER_KIND,
  POD_TEMPLATE_KIND,
  DEPLOYMENT_KIND,
  POD_DISRUPTION_BUDGET_KIND,
  SERVICE_KIND,
  ENDPOINTS_KIND,
  ENDPOINT_SLICE_KIND,
  INGRESS_KIND,
  INGRESS_CLASS_KIND,
  SERVICE_CIDR_KIND,
  HORIZONTAL_POD_AUTOSCALER_KIND,
  HORIZONTAL_POD_AUTOSCALER_V1_KIND,
  NETWORK_POLICY_KIND,
  CONTROLLER_REVISION_KIND,
  STATEFUL_SET_KIND,
  DAEMON_SET_KIND,
  JOB_KIND,
  CRON_JOB_KIND,
  STORAGE_CLASS_KIND,
  CSI_DRIVER_KIND,
  CSI_NODE_KIND,
  CSI_STORAGE_CAPACITY_KIND,
  VOLUME_ATTACHMENT_KIND,
  PERSISTENT_VOLUME_KIND,
  PERSISTENT_VOLUME_CLAIM_KIND,
  POD_GROUP_KIND,
  PRIORITY_CLASS_KIND,
  RUNTIME_CLASS_KIND,
  CERTIFICATE_REQUEST_KIND,
  CUSTOM_RESOURCE_DEFINITION_KIND,
  ROLE_KIND,
  ROLE_BINDING_KIND,
  CLUSTER_ROLE_KIND,
  CLUSTER_ROLE_BINDING_KIND,
  MUTATING_WEBHOOK_CONFIGURATION_KIND,
  VALIDATING_WEBHOOK_CONFIGURATION_KIND,
  VALIDATING_POLICY_KIND,
  VALIDATING_POLICY_BINDING_KIND,
  MUTATING_POLICY_KIND,
  MUTATING_POLICY_BINDING_KIND,
  SCHEDULING_DECISION_KIND,
  POD_EXPLANATION_KIND,
  IP_ADDRESS_KIND,
];
