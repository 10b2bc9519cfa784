import {
  nameKey,
  type CSINode,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
  type VolumeAttachment,
} from '../../../api/types';
import { classNameOf, claimOf } from '../../../api/volumes';

/** A volume that a driver counts against what a node can have of it. */
export interface CountedVolume {
  readonly driver: string;
  /** The same for the same volume, whoever uses it. */
  readonly id: string;
}

/** What rules may ask of the drivers of volumes, beyond the claims of the pod itself. */
export interface StorageFacts {
  /** The most volumes that a node can have, by driver; those without a limit are absent. */
  limitsOn(nodeName: string): ReadonlyMap<string, number>;
  /** Undefined where no driver counts it, or there is no such claim. */
  countedBy(claimKey: string): CountedVolume | undefined;
  /** By node: what is attached there still, though no pod there uses it any more. */
  leftovers(): ReadonlyMap<string, readonly CountedVolume[]>;
}

/** Of a cluster without drivers. */
export const NO_STORAGE: StorageFacts = {
  limitsOn: () => new Map(),
  countedBy: () => undefined,
  leftovers: () => new Map(),
};

interface Cache<T> {
  get(key: string): T | undefined;
  list(): Iterable<T>;
}

export interface DriverFactsDeps {
  readonly claims: Pick<Cache<PersistentVolumeClaim>, 'get'>;
  readonly volumes: Pick<Cache<PersistentVolume>, 'get'>;
  readonly classes: Pick<Cache<StorageClass>, 'get'>;
  readonly csiNodes: Pick<Cache<CSINode>, 'get'>;
  readonly attachments: Pick<Cache<VolumeAttachment>, 'list'>;
  /** Does a pod that is placed on the node use the claim? */
  readonly isClaimUsedOn: (claimKey: string, nodeName: string) => boolean;
}

/** By the objects in which drivers say what they can. Source: nodevolumelimits/csi.go */
export class DriverFacts implements StorageFacts {
  constructor(private readonly deps: DriverFactsDeps) {}

  limitsOn(nodeName: string): ReadonlyMap<string, number> {
    const { drivers = [] } = this.deps.csiNodes.get(nodeName)?.spec ?? {};
    return new Map(
      drivers.flatMap(({ name, allocatable }) =>
        allocatable?.count === undefined ? [] : [[name, allocatable.count] as const],
      ),
    );
  }

  countedBy(claimKey: string): CountedVolume | undefined {
    const { claims, volumes, classes } = this.deps;
    const claim = claims.get(claimKey);
    if (claim === undefined) return undefined;
    const volume = volumes.get(claim.spec?.volumeName ?? '');
    if (volume !== undefined) return countedOf(volume.spec?.csi);
    // It is yet to be made: by whom says its class.
    const { provisioner } = classes.get(classNameOf(claim)) ?? {};
    return provisioner === undefined ? undefined : { driver: provisioner, id: `claim ${claimKey}` };
  }

  leftovers(): ReadonlyMap<string, readonly CountedVolume[]> {
    const { attachments, volumes, isClaimUsedOn } = this.deps;
    const found = new Map<string, CountedVolume[]>();
    for (const { spec } of attachments.list()) {
      const { nodeName = '', source } = spec ?? {};
      const volume = volumes.get(source?.persistentVolumeName ?? '');
      const counted = countedOf(volume?.spec?.csi ?? source?.inlineVolumeSpec?.csi);
      if (counted === undefined) continue;
      const claim = volume && claimOf(volume);
      if (claim !== undefined && isClaimUsedOn(nameKey(claim), nodeName)) continue;
      found.set(nodeName, [...(found.get(nodeName) ?? []), counted]);
    }
    return found;
  }
}

const countedOf = (
  source: { readonly driver: string; readonly volumeHandle: string } | undefined,
): CountedVolume | undefined =>
  source === undefined
    ? undefined
    : { driver: source.driver, id: `volume ${source.driver}^${source.volumeHandle}` };
