import { jsonEqual } from '../../../api/json-value';
import type { Deployment, PodTemplate, ReplicaSet } from '../../../api/types';
import { canonicalJson } from '../../../lib/json';

export const HASH_LABEL = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

/** What the set of the present template takes over of a deployment: `kubernetes.io/change-cause`, ... */
export const annotationsForSet = ({ metadata }: Deployment): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(([name]) => !KEPT_ANNOTATIONS.has(name)),
  );

/** Of the deployment itself, or the controller's own. Source: upstream's annotationsToSkip. */
const KEPT_ANNOTATIONS: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  'deployment.kubernetes.io/revision-history',
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);

/** True if the set was made from this deployment's present template. */
export const isFromTemplate = (replicaSet: ReplicaSet, deployment: Deployment): boolean =>
  jsonEqual(withoutHash(replicaSet.spec.template), withoutHash(deployment.spec.template));

/** A short name for a template: stable for equal templates, in Kubernetes' safe alphabet. */
export const templateHash = (template: PodTemplate, collisionCount: number): string => {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(canonicalJson(template) + String(collisionCount || ''))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return String(hash).replace(/\d/g, (digit) => SAFE_ALPHABET.charAt(Number(digit)));
};

const withoutHash = (template: PodTemplate): unknown => {
  // The controller adds this label to the sets' copy; a person's own one is part of no comparison.
  const { [HASH_LABEL]: _hash, ...labels } = template?.metadata?.labels ?? {};
  return { spec: template?.spec, annotations: template?.metadata?.annotations ?? {}, labels };
};

const SAFE_ALPHABET = 'bcdf456789';

/** The revision of a set, 0 when it has none. */
export const revisionOf = ({ metadata }: ReplicaSet): number =>
  Number(metadata.annotations?.[REVISION] ?? 0) || 0;
