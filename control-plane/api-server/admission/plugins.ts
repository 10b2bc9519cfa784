import type { Random } from '../../../lib/random';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';
import {
  certificateApproval,
  certificateSigning,
  certificateSubjectRestriction,
} from './certificate-requests';
import { claimResize } from './claim-resize';
import { defaultIngressClass } from './default-ingress-class';
import { defaultStorageClass } from './default-storage-class';
import { customKindLimit } from './custom-kind-limit';
import { customResourceLifecycle } from './custom-resource-lifecycle';
import { defaultTolerationSeconds } from './default-toleration-seconds';
import { limitRanger } from './limit-ranger';
import { namespaceLifecycle } from './namespace-lifecycle';
import { nodeRestriction } from './node-restriction';
import type { PoliciesDeps } from './policies/bindings';
import { mutatingAdmissionPolicy } from './policies/mutating-admission-policy';
import { validatingAdmissionPolicy } from './policies/validating-admission-policy';
import { podSecurity } from './pod-security';
import { priority } from './priority';
import { runtimeClass } from './runtime-class';
import { seenAtOnce } from './seen-at-once';
import { serviceAccount } from './service-account';
import { storageObjectInUseProtection } from './storage-in-use';
import {
  mutatingAdmissionWebhook,
  validatingAdmissionWebhook,
  type WebhooksDeps,
} from './webhooks';

/** In the order that upstream recommends (AllOrderedPlugins). */
export const admissionPlugins = (
  reader: AdmissionReader,
  { evictionSeconds, customVersionsMax }: AdmissionLimits,
  { webhooks, policies, random }: ExtensionDeps,
): readonly AdmissionPlugin[] => [
  customResourceLifecycle(reader),
  customKindLimit(reader, customVersionsMax),
  namespaceLifecycle(reader),
  limitRanger(reader),
  serviceAccount(reader, random),
  nodeRestriction(reader),
  podSecurity(reader),
  priority(reader),
  defaultTolerationSeconds(evictionSeconds),
  storageObjectInUseProtection,
  claimResize(reader),
  runtimeClass(reader),
  certificateApproval(policies.judge),
  certificateSigning(policies.judge),
  certificateSubjectRestriction,
  defaultIngressClass(reader),
  defaultStorageClass(reader),
  mutatingAdmissionPolicy({ ...policies, reader }),
  mutatingAdmissionWebhook(webhooks),
  validatingAdmissionPolicy({ ...policies, reader }),
  validatingAdmissionWebhook(webhooks),
  seenAtOnce(reader),
];

interface AdmissionLimits {
  /** How long a pod stays on a node that is gone, unless it says otherwise. */
  readonly evictionSeconds: number;
  readonly customVersionsMax: number;
}

/** What makes names, and what code of others that is asked needs. */
interface ExtensionDeps {
  readonly webhooks: WebhooksDeps;
  readonly random: Random;
  readonly policies: Omit<PoliciesDeps, 'reader'>;
}
