import { CERTIFICATE_REQUEST } from './certificate-signing-request';
import { defineKind } from '../../../api/kinds';
import type { VirtualResource } from '../../../client/virtual-resource';
import {
  MUTATING_POLICY,
  MUTATING_POLICY_BINDING,
  VALIDATING_POLICY,
  VALIDATING_POLICY_BINDING,
} from './admission-policies';
import { CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING } from './access';
import { CONFIG_MAP } from './config-map';
import { CONTROLLER_REVISION } from './controller-revision';
import { CUSTOM_RESOURCE_DEFINITION } from './custom-resource-definition';
import { DEPLOYMENT } from './deployment';
import { ENDPOINTS, ENDPOINT_SLICE } from './endpoints';
import { EVENT, EVENT_VIEW } from './event';
import { LEASE } from './lease';
import { LIMIT_RANGE } from './limit-range';
import { NAMESPACE } from './namespace';
import { NODE } from './node';
import { POD } from './pod';
import { POD_DISRUPTION_BUDGET } from './pod-disruption-budget';
import { POD_EXPLANATION } from './pod-explanation';
import { POD_GROUP } from './pod-group';
import { PRIORITY_CLASS } from './priority-class';
import { REPLICA_SET } from './replica-set';
import { POD_TEMPLATE } from './pod-template';
import { REPLICATION_CONTROLLER } from './replication-controller';
import { NODE_METRICS_KIND, POD_METRICS_KIND } from './resource-metrics';
import { RESOURCE_QUOTA } from './resource-quota';
import { RUNTIME_CLASS } from './runtime-class';
import { ENCRYPTION_KEY } from './encryption-key';
import { SCHEDULING_DECISION } from './scheduling-decision';
import { SECRET } from './secret';
import { serveKind, type ServedKind } from './served-kind';
import { SERVER } from './server';
import { SERVICE } from './service';
import { SERVICE_CIDR } from './service-cidr';
import { SERVICE_ACCOUNT } from './service-account';
import { INGRESS, INGRESS_CLASS } from './ingress';
import {
  HORIZONTAL_POD_AUTOSCALER,
  HORIZONTAL_POD_AUTOSCALER_V1,
} from './horizontal-pod-autoscaler';
import { NETWORK_POLICY } from './network-policy';
import { STATEFUL_SET } from './stateful-set';
import { DAEMON_SET } from './daemon-set';
import { JOB } from './job';
import { CRON_JOB } from './cron-job';
import { CSI_DRIVER, CSI_NODE, CSI_STORAGE_CAPACITY, VOLUME_ATTACHMENT } from './csi';
import { PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, STORAGE_CLASS } from './storage';
import {
  MUTATING_WEBHOOK_CONFIGURATION,
  VALIDATING_WEBHOOK_CONFIGURATION,
} from './webhook-configuration';

/** Every kind that is always kept in the store, each as its module has it. */
export const STORED_KINDS: readonly ServedKind[] = [
  NAMESPACE,
  NODE,
  POD,
  CONFIG_MAP,
  SECRET,
  SERVICE_ACCOUNT,
  LIMIT_RANGE,
  RESOURCE_QUOTA,
  EVENT,
  EVENT_VIEW,
  LEASE,
  REPLICA_SET,
  REPLICATION_CONTROLLER,
  POD_TEMPLATE,
  DEPLOYMENT,
  POD_DISRUPTION_BUDGET,
  SERVICE,
  ENDPOINTS,
  ENDPOINT_SLICE,
  INGRESS,
  INGRESS_CLASS,
  SERVICE_CIDR,
  HORIZONTAL_POD_AUTOSCALER,
  HORIZONTAL_POD_AUTOSCALER_V1,
  NETWORK_POLICY,
  CONTROLLER_REVISION,
  STATEFUL_SET,
  DAEMON_SET,
  JOB,
  CRON_JOB,
  STORAGE_CLASS,
  CSI_DRIVER,
  CSI_NODE,
  CSI_STORAGE_CAPACITY,
  VOLUME_ATTACHMENT,
  PERSISTENT_VOLUME,
  PERSISTENT_VOLUME_CLAIM,
  POD_GROUP,
  PRIORITY_CLASS,
  RUNTIME_CLASS,
  CERTIFICATE_REQUEST,
  CUSTOM_RESOURCE_DEFINITION,
  ROLE,
  ROLE_BINDING,
  CLUSTER_ROLE,
  CLUSTER_ROLE_BINDING,
  MUTATING_WEBHOOK_CONFIGURATION,
  VALIDATING_WEBHOOK_CONFIGURATION,
  VALIDATING_POLICY,
  VALIDATING_POLICY_BINDING,
  MUTATING_POLICY,
  MUTATING_POLICY_BINDING,
];

/** A read-only kind whose owner answers. */
export const virtualKind = (virtual: VirtualResource): ServedKind => {
  const { group, kind } = virtual.resource;
  const known = VIRTUAL_KINDS.find(
    ({ resource }) => resource.group === group && resource.kind === kind,
  );
  return { ...(known ?? serveKind(unknownKind(virtual))), virtual };
};

const VIRTUAL_KINDS: readonly ServedKind[] = [
  SCHEDULING_DECISION,
  POD_EXPLANATION,
  ENCRYPTION_KEY,
  SERVER,
  NODE_METRICS_KIND,
  POD_METRICS_KIND,
];

const unknownKind = (virtual: VirtualResource) =>
  defineKind(virtual.resource, {
    verbs: virtual.list === undefined ? ['get'] : ['get', 'list', 'watch'],
    validateCreate: () => [],
    validateUpdate: () => [],
  });
