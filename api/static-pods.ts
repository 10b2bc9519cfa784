import { containersIn } from './pod-in';
import type { Pod } from './types';

/** Annotations of pods that a node has from elsewhere than the server. Source: upstream's pod_update.go. */
export const CONFIG = {
  source: 'kubernetes.io/config.source',
  hash: 'kubernetes.io/config.hash',
  mirror: 'kubernetes.io/config.mirror',
  seen: 'kubernetes.io/config.seen',
} as const;

type Annotated = Pick<Pod, 'metadata'>;

/** It comes from a file of its node; its mirror on the server counts too. */
export const isStaticPod = ({ metadata }: Annotated): boolean =>
  (metadata.annotations?.[CONFIG.source] ?? 'api') !== 'api' || isMirrorPod({ metadata });

/** It shows a static pod on the server, and is none by itself. */
export const isMirrorPod = ({ metadata }: Annotated): boolean =>
  metadata.annotations?.[CONFIG.mirror] !== undefined;

/**
 * What a static pod must not name: it runs without the server, and a node must not get by one what is not
 * its own. Undefined: it names nothing. Source: upstream's HasAPIObjectReference.
 */
export const apiReferenceOf = ({ spec }: Pick<Pod, 'spec'>): string | undefined => {
  if ((spec.serviceAccountName ?? '') !== '') return 'serviceaccounts';
  if ((spec.imagePullSecrets ?? []).length > 0) return 'secrets';
  if ((spec as { readonly resourceClaims?: unknown }).resourceClaims !== undefined)
    return 'resourceclaims';
  for (const volume of spec.volumes ?? []) {
    const kind = Object.keys(volume).find((source) => !SELF_CONTAINED.includes(source));
    if (kind !== undefined) return REFERENCES[kind] ?? kind;
  }
  for (const [{ env = [], envFrom = [] }] of containersIn(spec)) {
    if (envFrom.length > 0) return 'configmaps or secrets';
    for (const { valueFrom } of env) {
      if (valueFrom?.secretKeyRef !== undefined) return 'secrets';
      if (valueFrom?.configMapKeyRef !== undefined) return 'configmaps';
    }
  }
  return undefined;
};

/** Volumes that need nothing of the server; whatever comes later is not among them until it is known. */
const SELF_CONTAINED = ['name', 'emptyDir', 'hostPath', 'downwardAPI'];
const REFERENCES: Readonly<Record<string, string>> = {
  secret: 'secrets',
  configMap: 'configmaps',
  persistentVolumeClaim: 'persistentvolumeclaims',
  projected: 'serviceaccounts, secrets or configmaps',
  ephemeral: 'persistentvolumeclaims',
};
