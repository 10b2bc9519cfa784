import { ACCESS_EFFECTS, REQUEST_EFFECTS } from './access';
import { BATCH_EFFECTS } from './batch';
import { AUTOSCALING_EFFECTS } from './autoscaling';
import { CERTIFICATE_EFFECTS } from './certificates';
import { CLUSTER_EFFECTS } from './cluster';
import { CONTAINER_EFFECTS } from './containers';
import { CUSTOM_RESOURCE_EFFECTS } from './custom-resources';
import { DISRUPTION_EFFECTS } from './disruption';
import type { Effects } from './effect';
import { INGRESS_EFFECTS } from './ingresses';
import { LIMIT_EFFECTS } from './limits';
import { METADATA_EFFECTS } from './metadata';
import { NETWORK_POLICY_EFFECTS } from './network-policies';
import { POD_EFFECTS } from './pods';
import { POD_GROUP_EFFECTS } from './pod-groups';
import { POLICY_EFFECTS } from './policies';
import { SERVICE_EFFECTS } from './services';
import { STORAGE_EFFECTS } from './storage';
import { VOLUME_EFFECTS } from './volumes';
import { WEBHOOK_EFFECTS } from './webhooks';
import { WORKLOAD_EFFECTS } from './workloads';

export type { Effects, FieldEffect } from './effect';
export { WELL_KNOWN, type WellKnown } from './well-known';

/** By what they are about; no two speak of one definition. */
export const EFFECT_TABLES: readonly Effects[] = [
  METADATA_EFFECTS,
  POD_EFFECTS,
  POD_GROUP_EFFECTS,
  CONTAINER_EFFECTS,
  VOLUME_EFFECTS,
  SERVICE_EFFECTS,
  STORAGE_EFFECTS,
  WORKLOAD_EFFECTS,
  BATCH_EFFECTS,
  AUTOSCALING_EFFECTS,
  CLUSTER_EFFECTS,
  CERTIFICATE_EFFECTS,
  LIMIT_EFFECTS,
  INGRESS_EFFECTS,
  DISRUPTION_EFFECTS,
  ACCESS_EFFECTS,
  CUSTOM_RESOURCE_EFFECTS,
  REQUEST_EFFECTS,
  WEBHOOK_EFFECTS,
  POLICY_EFFECTS,
  NETWORK_POLICY_EFFECTS,
];

/**
 * What every field of every kind does that a client may send: plain data, which
 * test/unit/field-effects.test.ts holds to the schema and to the API. A field that is not here, or
 * that does not do what is said here, fails there.
 */
export const FIELD_EFFECTS: Effects = Object.assign({}, ...EFFECT_TABLES) as Effects;
