import { hasReason } from '../../../api/errors';
import {
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  STORAGE_CLASSES,
} from '../../../api/resources';
import {
  keyOf,
  nameKey,
  nameOf,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
} from '../../../api/types';
import {
  annotated,
  claimOf,
  classNameOf,
  FOLDER_FINALIZER,
  SELECTED_NODE,
  VOLUME_NODE,
} from '../../../api/volumes';
import type { DraftOf } from '../../../client/api-client';
import type { EventType } from '../../../client/events';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { planGrowth, planProvision, planReclaim } from './plan-local-path';

/**
 * The provisioner in the box: volumes are folders on the node of their first consumer. What is on
 * the node is its agent's to make and to remove; this makes and deletes the objects.
 */
export class LocalPathController implements Controller {
  readonly name = 'local-path-provisioner';
  private readonly claims: Informer<PersistentVolumeClaim>;
  private readonly volumes: Informer<PersistentVolume>;
  private readonly classes: Informer<StorageClass>;
  private readonly nodes: Informer<Node>;
  private readonly claimQueue: WorkQueue;
  private readonly volumeQueue: WorkQueue;

  constructor(private readonly deps: ControllerDeps) {
    const { informers } = deps;
    this.claims = informers.of(PERSISTENT_VOLUME_CLAIMS);
    this.volumes = informers.of(PERSISTENT_VOLUMES);
    this.classes = informers.of(STORAGE_CLASSES);
    this.nodes = informers.of(NODES);
    this.claimQueue = new WorkQueue('local-path-claims', deps, {
      subjectOf: (key) => subject(PERSISTENT_VOLUME_CLAIMS, this.claims.get(key)),
    });
    this.volumeQueue = new WorkQueue('local-path-volumes', deps, {
      subjectOf: (key) => subject(PERSISTENT_VOLUMES, this.volumes.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const claim = (each: PersistentVolumeClaim) => this.claimQueue.add(keyOf(each));
    subscriptions.add(this.claims.subscribe({ name, onAdd: claim, onUpdate: claim }));
    const volume = (each: PersistentVolume) => this.volumeChanged(each);
    subscriptions.add(this.volumes.subscribe({ name, onAdd: volume, onUpdate: volume }));
    const onDelete = ({ metadata }: Node) => this.nodeGone(metadata.name);
    subscriptions.add(this.nodes.subscribe({ name, onDelete }));
    const needed = [this.claims, this.volumes, this.classes, this.nodes];
    await Promise.all(needed.map((informer) => informer.whenSynced()));
    await Promise.all([
      this.claimQueue.run((key, each) => this.reconcileClaim(key, each), WORKERS, signal),
      this.volumeQueue.run((key, each) => this.reconcileVolume(key, each), WORKERS, signal),
    ]);
  }

  private volumeChanged(volume: PersistentVolume): void {
    this.volumeQueue.add(keyOf(volume));
    const claim = claimOf(volume);
    // It may be growing.
    if (claim !== undefined) this.claimQueue.add(nameKey(claim));
  }

  private nodeGone(name: string): void {
    for (const volume of this.volumes.list())
      if (volume.metadata.annotations?.[VOLUME_NODE] === name) this.volumeQueue.add(keyOf(volume));
    for (const claim of this.claims.list())
      if (claim.metadata.annotations?.[SELECTED_NODE] === name) this.claimQueue.add(keyOf(claim));
  }

  private async reconcileClaim(key: string, signal: AbortSignal): Promise<void> {
    const claim = this.claims.get(key);
    if (claim === undefined) return;
    await this.provision(claim, signal);
    await this.grow(claim, signal);
  }

  private async provision(claim: PersistentVolumeClaim, signal: AbortSignal): Promise<void> {
    const nodeName = claim.metadata.annotations?.[SELECTED_NODE] ?? '';
    const plan = planProvision({
      claim,
      storageClass: this.classes.get(classNameOf(claim)),
      node: this.nodes.get(nodeName),
    });
    switch (plan.kind) {
      case 'none':
        return;
      case 'create':
        return this.create(claim, plan.draft, signal);
      case 'fail': {
        const message = `failed to provision volume with StorageClass "${classNameOf(claim)}": ${plan.message}`;
        this.tell(claim, 'Warning', 'ProvisioningFailed', message);
        return;
      }
      case 'reschedule':
        return this.reschedule(claim, nodeName, signal);
    }
  }

  private async create(
    claim: PersistentVolumeClaim,
    draft: DraftOf<PersistentVolume>,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.volumes.get(draft.metadata.name ?? '') !== undefined) return;
    const provisioning = `External provisioner is provisioning volume for claim "${keyOf(claim)}"`;
    this.tell(claim, 'Normal', 'Provisioning', provisioning);
    try {
      const volume = await this.deps.client.create(PERSISTENT_VOLUMES, draft, {}, signal);
      this.volumes.noteWritten(volume);
    } catch (error) {
      // An earlier try got through.
      if (!hasReason(error, 'AlreadyExists')) throw error;
    }
    const message = `Successfully provisioned volume ${draft.metadata.name ?? ''}`;
    this.tell(claim, 'Normal', 'ProvisioningSucceeded', message);
  }

  /** Unless the node is only not known here yet. */
  private async reschedule(
    claim: PersistentVolumeClaim,
    nodeName: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { client } = this.deps;
    try {
      await client.get(NODES, { namespace: '', name: nodeName }, signal);
      this.claimQueue.addAfter(keyOf(claim), LOOK_AGAIN_MS);
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
      const freed = annotated(claim, { [SELECTED_NODE]: undefined });
      this.claims.noteWritten(await client.update(PERSISTENT_VOLUME_CLAIMS, freed, {}, signal));
    }
  }

  private async grow(claim: PersistentVolumeClaim, signal: AbortSignal): Promise<void> {
    const { client } = this.deps;
    const volume = this.volumes.get(claim.spec?.volumeName ?? '');
    const growth = planGrowth(claim, volume);
    if (growth.kind === 'none' || volume === undefined) return;
    const capacity = { storage: growth.storage };
    if (growth.kind === 'volume') {
      const next = { ...volume, spec: { ...volume.spec, capacity } };
      this.volumes.noteWritten(await client.update(PERSISTENT_VOLUMES, next, {}, signal));
      this.claimQueue.add(keyOf(claim));
      return;
    }
    const next = { ...claim, status: { ...claim.status, capacity } };
    const options = { subresource: 'status' } as const;
    this.claims.noteWritten(await client.update(PERSISTENT_VOLUME_CLAIMS, next, options, signal));
    const message = `Resize volume succeeded: ${volume.metadata.name}`;
    this.tell(claim, 'Normal', 'VolumeResizeSuccessful', message);
  }

  private async reconcileVolume(key: string, signal: AbortSignal): Promise<void> {
    const volume = this.volumes.get(key);
    if (volume === undefined) return;
    const { client } = this.deps;
    const nodeName = volume.metadata.annotations?.[VOLUME_NODE] ?? '';
    const plan = planReclaim(volume, this.nodes.get(nodeName) !== undefined);
    const { uid = '', resourceVersion = '' } = volume.metadata;
    if (plan === 'delete') {
      const preconditions = { uid, resourceVersion };
      await client.delete(PERSISTENT_VOLUMES, nameOf(volume), { preconditions }, signal);
    } else if (plan === 'let-go') {
      const finalizers = (volume.metadata.finalizers ?? []).filter((f) => f !== FOLDER_FINALIZER);
      const next = { ...volume, metadata: { ...volume.metadata, finalizers } };
      await client.update(PERSISTENT_VOLUMES, next, {}, signal);
    }
  }

  private tell(claim: PersistentVolumeClaim, type: EventType, reason: string, message: string) {
    this.deps.events.event(PERSISTENT_VOLUME_CLAIMS, claim, type, reason, message);
  }
}

const WORKERS = 2;
const LOOK_AGAIN_MS = 1_000;
