import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES } from '../../api/resources';
import {
  keyOf,
  nameOf,
  uidOf,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
} from '../../api/types';
import { hasReason } from '../../api/errors';
import { bytesOf } from '../../api/quantity';
import type { ApiClient } from '../../client/api-client';

/** What a driver does for the whole cluster. */
export interface Backend {
  /** Asked again for the same volume, it has it already. @throws OutOfRoom */
  create(handle: string, bytes: number): void;
  remove(handle: string): void;
  /** Whether nodes have to do their part. @throws Error */
  expand(handle: string, bytes: number): boolean;
}

/** There is no room for the volume where it is to be. */
export class OutOfRoom extends Error {}

export interface CsiControllerOptions {
  /** As whom it speaks to the API: anybody with the rights of such a controller. */
  readonly client: ApiClient;
  readonly driverName: string;
  readonly backend: Backend;
}

/**
 * What runs beside a driver and makes volumes for claims, larger ones when they ask for that, by nothing
 * but the public API: the ways of external-provisioner and external-resizer, without their speed.
 */
export class CsiController implements AsyncDisposable {
  private readonly stop = new AbortController();
  private readonly running: Promise<void>;
  /** Objects that could not be handled, and why; it goes on with the others. */
  readonly failures: string[] = [];

  constructor(private readonly options: CsiControllerOptions) {
    this.running = this.run(this.stop.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort();
    await this.running;
  }

  private async run(signal: AbortSignal): Promise<void> {
    const { client } = this.options;
    while (!signal.aborted) {
      try {
        const classes = (await client.list(STORAGE_CLASSES)).items;
        for (const claim of (await client.list(PERSISTENT_VOLUME_CLAIMS)).items)
          await this.attempt(keyOf(claim), async () => {
            await this.provision(claim, classes);
            await this.resize(claim);
          });
        for (const volume of (await client.list(PERSISTENT_VOLUMES)).items)
          await this.attempt(keyOf(volume), () => this.reclaim(volume));
      } catch (error) {
        this.failures.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    }
  }

  private async attempt(key: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Another wrote meanwhile: the next round sees what.
      if (!hasReason(error, 'Conflict')) this.failures.push(`${key}: ${String(error)}`);
    }
  }

  private async provision(
    claim: PersistentVolumeClaim,
    classes: readonly StorageClass[],
  ): Promise<void> {
    const { client, driverName, backend } = this.options;
    const { annotations = {}, deletionTimestamp } = claim.metadata;
    const storageClass = classes.find(
      ({ metadata }) => metadata.name === claim.spec?.storageClassName,
    );
    const isOurs = annotations['volume.kubernetes.io/storage-provisioner'] === driverName;
    const node = annotations[SELECTED_NODE];
    const waits = storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && node === undefined;
    if (!isOurs || storageClass === undefined || waits || deletionTimestamp !== undefined) return;
    if ((claim.spec?.volumeName ?? '') !== '') return;
    const name = `pvc-${uidOf(claim)}`;
    const storage = claim.spec?.resources?.requests?.['storage'] ?? '0';
    try {
      backend.create(name, bytesOf(storage));
    } catch (error) {
      if (!(error instanceof OutOfRoom) || node === undefined) throw error;
      // The scheduler is to choose again.
      const { [SELECTED_NODE]: _node, ...others } = annotations;
      const freed = { ...claim, metadata: { ...claim.metadata, annotations: others } };
      await client.update(PERSISTENT_VOLUME_CLAIMS, freed);
      return;
    }
    try {
      await client.create(PERSISTENT_VOLUMES, draftOf(claim, storageClass, name, storage));
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
    }
  }

  private async resize(claim: PersistentVolumeClaim): Promise<void> {
    const { client, driverName, backend } = this.options;
    const storage = claim.spec?.resources?.requests?.['storage'] ?? '0';
    const asked = bytesOf(storage);
    const { capacity, phase, conditions = [] } = claim.status ?? {};
    if (phase !== 'Bound' || asked <= bytesOf(capacity?.['storage'])) return;
    if (conditions.some(({ type }) => type === 'FileSystemResizePending')) return;
    const name = { namespace: '', name: claim.spec?.volumeName ?? '' };
    const volume = await client.get(PERSISTENT_VOLUMES, name);
    if (volume.spec?.csi?.driver !== driverName) return;
    const status = { subresource: 'status' } as const;
    const allocated = { allocatedResources: { storage } };
    const resizing = await client.update(
      PERSISTENT_VOLUME_CLAIMS,
      {
        ...claim,
        status: {
          ...claim.status,
          ...allocated,
          conditions: [{ type: 'Resizing', status: 'True' }],
          allocatedResourceStatuses: { storage: 'ControllerResizeInProgress' },
        },
      },
      status,
    );
    const isForNodes = backend.expand(volume.spec.csi.volumeHandle, asked);
    const spec = { ...volume.spec, capacity: { storage } };
    await client.update(PERSISTENT_VOLUMES, { ...volume, spec });
    const { conditions: _c, allocatedResourceStatuses: _s, ...before } = resizing.status ?? {};
    const after = isForNodes
      ? {
          conditions: [{ type: 'FileSystemResizePending', status: 'True' }],
          allocatedResourceStatuses: { storage: 'NodeResizePending' },
        }
      : { capacity: { storage } };
    await client.update(
      PERSISTENT_VOLUME_CLAIMS,
      { ...resizing, status: { ...before, ...after } },
      status,
    );
  }

  private async reclaim(volume: PersistentVolume): Promise<void> {
    const { client, driverName, backend } = this.options;
    const { annotations = {}, finalizers = [], deletionTimestamp } = volume.metadata;
    const isDoomed =
      annotations[PROVISIONED_BY] === driverName &&
      volume.spec?.persistentVolumeReclaimPolicy === 'Delete' &&
      volume.status?.phase === 'Released';
    if (!isDoomed) return;
    backend.remove(volume.spec.csi?.volumeHandle ?? '');
    if (deletionTimestamp === undefined) await client.delete(PERSISTENT_VOLUMES, nameOf(volume));
    if (!finalizers.includes(FINALIZER)) return;
    const now = await client.get(PERSISTENT_VOLUMES, nameOf(volume));
    const left = (now.metadata.finalizers ?? []).filter((each) => each !== FINALIZER);
    await client.update(PERSISTENT_VOLUMES, {
      ...now,
      metadata: { ...now.metadata, finalizers: left },
    });
  }
}

const draftOf = (
  claim: PersistentVolumeClaim,
  { metadata, provisioner, reclaimPolicy = 'Delete' }: StorageClass,
  name: string,
  storage: string,
) => {
  const { namespace = '', name: claimName, uid = '', resourceVersion = '' } = claim.metadata;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, annotations: { [PROVISIONED_BY]: provisioner }, finalizers: [FINALIZER] },
    spec: {
      accessModes: claim.spec?.accessModes ?? [],
      capacity: { storage },
      csi: { driver: provisioner, volumeHandle: name },
      persistentVolumeReclaimPolicy: reclaimPolicy,
      storageClassName: metadata.name,
      volumeMode: claim.spec?.volumeMode ?? 'Filesystem',
      claimRef: {
        ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claimName },
        ...{ uid, resourceVersion },
      },
    },
  };
};

const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
const FINALIZER = 'external-provisioner.volume.kubernetes.io/finalizer';
const ROUND_MS = 200;
