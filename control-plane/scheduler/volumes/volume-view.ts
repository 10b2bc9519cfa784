import {
  keyOf,
  nameKey,
  type CSIDriver,
  type CSIStorageCapacity,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
} from '../../../api/types';
import {
  claimNameOf,
  classNameOf,
  isBindCompleted,
  isFitFor,
  isForPod,
  SELECTED_NODE,
} from '../../../api/volumes';
import type { PodInfo } from '../pod-info';
import type { DelayedClaim, PodVolumes, VolumeProblem } from './pod-volumes';

/** The part of an informer that is read here. */
interface Cache<T> {
  get(key: string): T | undefined;
  list(): Iterable<T>;
}

export interface VolumeViewDeps {
  readonly claims: Cache<PersistentVolumeClaim>;
  readonly volumes: Cache<PersistentVolume>;
  readonly classes: Cache<StorageClass>;
  readonly csiDrivers: Cache<CSIDriver>;
  readonly capacities: Cache<CSIStorageCapacity>;
  /** Does a pod that has a node, other than this one, use the claim? */
  readonly isClaimUsed: (claimKey: string, butUid: string) => boolean;
}

/** What was promised to a pod whose claims are being bound. */
export interface VolumePromise {
  readonly matches: readonly { readonly claim: string; readonly volumeName: string }[];
  readonly provisions: readonly string[];
  readonly nodeName: string;
}

/** Claims and volumes as the scheduler sees them: as stored, and as promised to pods before them. */
export class VolumeView {
  /** By the volume's name: the claim that is about to get it. */
  private readonly promised = new Map<string, string>();
  /** By the claim's key: the node where its volume is about to be made. */
  private readonly chosen = new Map<string, string>();

  constructor(private readonly deps: VolumeViewDeps) {}

  /** The pod with what is behind its claims now. */
  resolve(info: PodInfo): PodInfo {
    return info.claims.length === 0 ? info : { ...info, volumes: this.volumesOf(info) };
  }

  /** Until the returned function is called nobody else is promised the same. */
  promise({ matches, provisions, nodeName }: VolumePromise): () => void {
    for (const { claim, volumeName } of matches) this.promised.set(volumeName, claim);
    for (const claim of provisions) this.chosen.set(claim, nodeName);
    return () => {
      for (const { volumeName } of matches) this.promised.delete(volumeName);
      for (const claim of provisions) this.chosen.delete(claim);
    };
  }

  private volumesOf(info: PodInfo): PodVolumes {
    const problem = this.problemOf(info);
    if (problem !== undefined) return { problem, bound: [], delayed: [], taken: undefined };
    const claims = info.claims.flatMap((key) => this.deps.claims.get(key) ?? []);
    const bound = claims.filter(isBound).map((claim) => ({
      claim,
      volume: this.deps.volumes.get(claim.spec?.volumeName ?? ''),
    }));
    const delayed = claims.filter((claim) => !isBound(claim)).flatMap((each) => this.delayed(each));
    const taken = claims.find(
      (claim) => isForOnePod(claim) && this.deps.isClaimUsed(keyOf(claim), info.uid),
    );
    return { bound, delayed, taken };
  }

  private problemOf({ pod }: PodInfo): VolumeProblem | undefined {
    const { namespace = '' } = pod.metadata;
    let unbound: VolumeProblem | undefined;
    for (const volume of pod.spec.volumes ?? []) {
      const name = claimNameOf(pod, volume);
      if (name === undefined) continue;
      const key = nameKey({ namespace, name });
      const claim = this.deps.claims.get(key);
      const isEphemeral = volume.ephemeral !== undefined;
      if (claim === undefined)
        return {
          reason: isEphemeral
            ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
            : `persistentvolumeclaim "${name}" not found`,
          claim: key,
          isMissing: true,
        };
      const reason =
        faultOf(claim) ?? (isEphemeral && !isForPod(pod, claim) ? strangerOf(pod, key) : undefined);
      if (reason !== undefined) return { reason, claim: key, isMissing: false };
      if (!isBound(claim) && this.delayingClass(claim) === undefined)
        unbound ??= { reason: UNBOUND, claim: key, isMissing: false };
    }
    return unbound;
  }

  /** Its class, if that has claims wait for their first pod and the claim does. */
  private delayingClass(claim: PersistentVolumeClaim): StorageClass | undefined {
    if ((claim.spec?.volumeName ?? '') !== '') return undefined;
    const storageClass = this.deps.classes.get(classNameOf(claim));
    return storageClass?.volumeBindingMode === 'WaitForFirstConsumer' ? storageClass : undefined;
  }

  /** None for a claim that is to be bound without a pod. */
  private delayed(claim: PersistentVolumeClaim): readonly DelayedClaim[] {
    const storageClass = this.delayingClass(claim);
    if (storageClass === undefined) return [];
    const key = keyOf(claim);
    const candidates = [...this.deps.volumes.list()].filter((volume) => {
      const owner = this.promised.get(volume.metadata.name);
      return (owner === undefined || owner === key) && isFitFor(volume, claim);
    });
    const nodeName = claim.metadata.annotations?.[SELECTED_NODE] ?? this.chosen.get(key);
    const capacities = this.capacitiesFor(storageClass);
    return [
      {
        ...{ claim, storageClass, candidates, nodeName },
        ...(capacities === undefined ? {} : { capacities }),
      },
    ];
  }

  /** Only of drivers that ask for it. */
  private capacitiesFor({
    metadata,
    provisioner,
  }: StorageClass): readonly CSIStorageCapacity[] | undefined {
    const { csiDrivers, capacities } = this.deps;
    if (csiDrivers.get(provisioner)?.spec?.storageCapacity !== true) return undefined;
    return [...capacities.list()].filter(
      ({ storageClassName }) => storageClassName === metadata.name,
    );
  }
}

/** Bound for good: both sides have been written. */
export const isBound = (claim: PersistentVolumeClaim): boolean =>
  (claim.spec?.volumeName ?? '') !== '' && isBindCompleted(claim);

const isForOnePod = ({ spec }: PersistentVolumeClaim): boolean =>
  spec?.accessModes?.includes('ReadWriteOncePod') === true;

const faultOf = ({ metadata, spec, status }: PersistentVolumeClaim): string | undefined => {
  const claim = `persistentvolumeclaim "${metadata.name}"`;
  if (status?.phase === 'Lost')
    return `${claim} bound to non-existent persistentvolume "${spec?.volumeName ?? ''}"`;
  return metadata.deletionTimestamp === undefined ? undefined : `${claim} is being deleted`;
};

const strangerOf = ({ metadata }: PodInfo['pod'], key: string): string =>
  `PVC ${key} was not created for pod ${metadata.namespace ?? ''}/${metadata.name} (pod is not owner)`;

const UNBOUND = 'pod has unbound immediate PersistentVolumeClaims';
