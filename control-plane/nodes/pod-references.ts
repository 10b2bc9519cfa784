import { containersIn } from '../../api/pod-in';
import { ROW } from '../../api/assignment-rows';
import { nameKey, nameOf, type Pod } from '../../api/types';
import { claimKeysOf } from '../../api/volumes';

/** Of what pods use, all that their agent must know of. */
export const REFERENCED = [ROW.secrets, ROW.configMaps, ROW.claims, ROW.runtimeClasses] as const;

export type ReferencedResource = (typeof REFERENCED)[number];

/** By resource: `NAMESPACE/NAME`, or `NAME`, of the objects that a pod's containers may read and its class. */
export type PodReferences = Readonly<Record<ReferencedResource, readonly string[]>>;

/**
 * Pure, and remembered: pods are never changed in place. A pod of another shape than the API lets in uses
 * nothing: it is for its agent to say what is wrong, and must not stop what is told of others.
 */
export const referencesOf = (pod: Pod): PodReferences => {
  const known = remembered.get(pod) ?? attempt(pod);
  remembered.set(pod, known);
  return known;
};

const attempt = (pod: Pod): PodReferences => {
  try {
    return findReferences(pod);
  } catch {
    return { secrets: [], configmaps: [], persistentvolumeclaims: [], runtimeclasses: [] };
  }
};

const remembered = new WeakMap<Pod, PodReferences>();

const findReferences = (pod: Pod): PodReferences => {
  const { spec } = pod;
  const { namespace } = nameOf(pod);
  const found = { [ROW.secrets]: new Set<string>(), [ROW.configMaps]: new Set<string>() };
  const add = (resource: keyof typeof found, name: string | undefined) => {
    if (name !== undefined && name !== '') found[resource].add(nameKey({ namespace, name }));
  };
  for (const { name } of spec.imagePullSecrets ?? []) add(ROW.secrets, name);
  for (const [container] of containersIn(spec)) {
    for (const { valueFrom } of container.env ?? []) {
      add(ROW.secrets, valueFrom?.secretKeyRef?.name);
      add(ROW.configMaps, valueFrom?.configMapKeyRef?.name);
    }
    for (const source of container.envFrom ?? []) {
      add(ROW.secrets, source.secretRef?.name);
      add(ROW.configMaps, source.configMapRef?.name);
    }
  }
  for (const volume of spec.volumes ?? []) {
    add(ROW.secrets, volume.secret?.secretName);
    add(ROW.configMaps, volume.configMap?.name);
    add(ROW.secrets, volume.csi?.nodePublishSecretRef?.name);
    for (const source of volume.projected?.sources ?? []) {
      add(ROW.secrets, source.secret?.name);
      add(ROW.configMaps, source.configMap?.name);
    }
  }
  const { runtimeClassName = '' } = spec;
  return {
    secrets: [...found.secrets],
    configmaps: [...found.configmaps],
    persistentvolumeclaims: claimKeysOf(pod),
    runtimeclasses: runtimeClassName === '' ? [] : [runtimeClassName],
  };
};
