import { compareQuantities } from '../../../api/quantity';
import { apiVersionOf, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from '../../../api/resources';
import {
  uidOf,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
} from '../../../api/types';
import {
  classNameOf,
  FOLDER_FINALIZER,
  isBoundPair,
  LOCAL_PATH,
  PROVISIONED_BY,
  SELECTED_NODE,
  STORAGE_PROVISIONER,
  storageOf,
  VOLUME_NODE,
} from '../../../api/volumes';
import type { DraftOf } from '../../../client/api-client';

export type Provision =
  | { readonly kind: 'none' }
  | { readonly kind: 'create'; readonly draft: DraftOf<PersistentVolume> }
  /** The node that was chosen is gone: another is to be. */
  | { readonly kind: 'reschedule' }
  | { readonly kind: 'fail'; readonly message: string };

export interface ProvisionInput {
  readonly claim: PersistentVolumeClaim;
  readonly storageClass: StorageClass | undefined;
  readonly node: Node | undefined;
}

/** Pure: what the provisioner does for a claim that was handed to it. */
export const planProvision = ({ claim, storageClass, node }: ProvisionInput): Provision => {
  const { annotations = {}, deletionTimestamp } = claim.metadata;
  const isOurs =
    annotations[STORAGE_PROVISIONER] === LOCAL_PATH && storageClass?.provisioner === LOCAL_PATH;
  if (!isOurs || deletionTimestamp !== undefined || (claim.spec?.volumeName ?? '') !== '')
    return NONE;
  const message = refusalOf(claim);
  if (message !== undefined) return { kind: 'fail', message };
  if (annotations[SELECTED_NODE] === undefined)
    return {
      kind: 'fail',
      message:
        'no node was chosen: a class of this provisioner needs volumeBindingMode WaitForFirstConsumer',
    };
  if (node === undefined) return { kind: 'reschedule' };
  return { kind: 'create', draft: draftOf(claim, storageClass, node) };
};

const NONE: Provision = { kind: 'none' };

const refusalOf = ({ spec = {} }: PersistentVolumeClaim): string | undefined => {
  if (spec.volumeMode === 'Block') return 'only volumeMode Filesystem is supported';
  if (spec.selector !== undefined) return 'claim.Spec.Selector is not supported';
  if (spec.dataSource !== undefined || spec.dataSourceRef !== undefined)
    return 'a volume cannot be filled from a data source';
  const modes = ['ReadWriteOnce', 'ReadWriteOncePod'];
  if (!(spec.accessModes ?? []).every((mode) => modes.includes(mode)))
    return 'only ReadWriteOnce and ReadWriteOncePod access modes are supported';
  return undefined;
};

const draftOf = (
  claim: PersistentVolumeClaim,
  { reclaimPolicy = 'Delete', mountOptions = [] }: StorageClass,
  node: Node,
): DraftOf<PersistentVolume> => {
  const { namespace = '', name, uid = '', resourceVersion = '' } = claim.metadata;
  const volumeName = volumeNameOf(claim);
  const hostname = node.metadata.labels?.[HOSTNAME] ?? node.metadata.name;
  return {
    apiVersion: apiVersionOf(PERSISTENT_VOLUMES),
    kind: PERSISTENT_VOLUMES.kind,
    metadata: {
      name: volumeName,
      annotations: { [PROVISIONED_BY]: LOCAL_PATH, [VOLUME_NODE]: node.metadata.name },
      finalizers: [FOLDER_FINALIZER],
    },
    spec: {
      accessModes: claim.spec?.accessModes ?? [],
      capacity: { storage: claim.spec?.resources?.requests?.['storage'] ?? '0' },
      persistentVolumeReclaimPolicy: reclaimPolicy,
      storageClassName: classNameOf(claim),
      volumeMode: 'Filesystem',
      ...(mountOptions.length === 0 ? {} : { mountOptions }),
      // Below the agent's own folder of volumes, wherever that is.
      local: { path: volumeName },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: HOSTNAME, operator: 'In', values: [hostname] }] },
          ],
        },
      },
      claimRef: {
        apiVersion: apiVersionOf(PERSISTENT_VOLUME_CLAIMS),
        kind: PERSISTENT_VOLUME_CLAIMS.kind,
        ...{ namespace, name, uid, resourceVersion },
      },
    },
  };
};

/** The same each time: whoever dies after the creation finds it there. */
export const volumeNameOf = (claim: PersistentVolumeClaim): string => `pvc-${uidOf(claim)}`;

export type Reclaim = 'none' | 'delete' | 'let-go';

/**
 * Pure: what becomes of a volume of ours. The folder is the agent's to remove, who then takes the
 * finalizer off; where there is nothing to remove, or nobody to do it, it is taken off here.
 */
export const planReclaim = (volume: PersistentVolume, hasNode: boolean): Reclaim => {
  const { annotations = {}, deletionTimestamp, finalizers = [] } = volume.metadata;
  if (annotations[PROVISIONED_BY] !== LOCAL_PATH) return 'none';
  const isDoomed = volume.spec?.persistentVolumeReclaimPolicy === 'Delete';
  if (deletionTimestamp === undefined)
    return isDoomed && volume.status?.phase === 'Released' ? 'delete' : 'none';
  if (!finalizers.includes(FOLDER_FINALIZER)) return 'none';
  return isDoomed && hasNode ? 'none' : 'let-go';
};

export type Growth =
  | { readonly kind: 'none' }
  | { readonly kind: 'volume'; readonly storage: string }
  | { readonly kind: 'claim'; readonly storage: string };

/** Pure: the next write for a claim that has come to ask for more. A folder has no size to change. */
export const planGrowth = (
  claim: PersistentVolumeClaim,
  volume: PersistentVolume | undefined,
): Growth => {
  const isOurs = volume?.metadata.annotations?.[PROVISIONED_BY] === LOCAL_PATH;
  if (!isOurs || !isBoundPair(volume, claim) || claim.status?.phase !== 'Bound')
    return { kind: 'none' };
  const wanted = claim.spec?.resources?.requests?.['storage'] ?? '0';
  const asked = storageOf({ storage: wanted });
  if (compareQuantities(storageOf(volume.spec?.capacity), asked) < 0)
    return { kind: 'volume', storage: wanted };
  if (compareQuantities(storageOf(claim.status.capacity), asked) < 0)
    return { kind: 'claim', storage: volume.spec?.capacity?.['storage'] ?? wanted };
  return { kind: 'none' };
};

const HOSTNAME = 'kubernetes.io/hostname';
