import { nameKey, uidOf, type ObjectName, type PersistentVolume } from '../types';
import type { PersistentVolumeClaim, Pod } from '../types';
import { BIND_COMPLETED, CLASS_BETA } from './names';

type PodVolume = NonNullable<Pod['spec']['volumes']>[number];

/** The class that a claim or a volume is of; `''` for none. */
export const classNameOf = ({ metadata, spec }: PersistentVolume | PersistentVolumeClaim): string =>
  metadata.annotations?.[CLASS_BETA] ?? spec?.storageClassName ?? '';

/** The name of the claim behind a volume of a pod; undefined where there is none. */
export const claimNameOf = (pod: Pod, volume: PodVolume): string | undefined =>
  volume.ephemeral === undefined
    ? volume.persistentVolumeClaim?.claimName
    : `${pod.metadata.name}-${volume.name}`;

/** `NAMESPACE/NAME` of every claim that a pod uses, each once. */
export const claimKeysOf = (pod: Pod): readonly string[] => {
  const { namespace = '' } = pod.metadata;
  const names = (pod.spec.volumes ?? []).flatMap((volume) => claimNameOf(pod, volume) ?? []);
  return [...new Set(names)].map((name) => nameKey({ namespace, name }));
};

/** The claim that a volume is bound to or kept for. */
export const claimOf = ({ spec }: PersistentVolume): ObjectName | undefined => {
  const { namespace = '', name = '' } = spec?.claimRef ?? {};
  return name === '' ? undefined : { namespace, name };
};

/** Does the volume name this very claim, or one of its name that was yet to be made? */
export const isKeptFor = (
  { spec }: PersistentVolume,
  { metadata }: PersistentVolumeClaim,
): boolean => {
  const { claimRef } = spec ?? {};
  return (
    claimRef?.name === metadata.name &&
    claimRef.namespace === metadata.namespace &&
    ((claimRef.uid ?? '') === '' || claimRef.uid === metadata.uid)
  );
};

/** Do both sides name each other? Then the volume is the claim's, and nobody else's. */
export const isBoundPair = (
  volume: PersistentVolume | undefined,
  claim: PersistentVolumeClaim,
): boolean =>
  volume !== undefined &&
  claim.spec?.volumeName === volume.metadata.name &&
  uidOf(claim) !== '' &&
  volume.spec?.claimRef?.uid === uidOf(claim);

/** Where claims are found by `NAMESPACE/NAME`, and volumes by name. */
export interface ClaimSource {
  readonly claim: (key: string) => PersistentVolumeClaim | undefined;
  readonly volume: (name: string) => PersistentVolume | undefined;
}

/** The volume that a pod has by a claim; undefined until the two name each other. */
export const boundVolumeOf = (
  pod: Pod,
  volume: PodVolume,
  source: ClaimSource,
): PersistentVolume | undefined => {
  const name = claimNameOf(pod, volume);
  if (name === undefined) return undefined;
  const claim = source.claim(nameKey({ namespace: pod.metadata.namespace ?? '', name }));
  const bound = source.volume(claim?.spec?.volumeName ?? '');
  return claim !== undefined && isBoundPair(bound, claim) ? bound : undefined;
};

export const isBindCompleted = ({ metadata }: PersistentVolumeClaim): boolean =>
  metadata.annotations?.[BIND_COMPLETED] !== undefined;

/** A claim made for one pod is no other's. Source: component-helpers, ephemeral.VolumeIsForPod */
export const isForPod = (pod: Pod, claim: PersistentVolumeClaim): boolean =>
  claim.metadata.ownerReferences?.some(
    ({ uid, controller }) => controller === true && uid === pod.metadata.uid,
  ) === true;
