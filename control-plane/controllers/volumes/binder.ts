import { hasReason } from '../../../api/errors';
import {
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  STORAGE_CLASSES,
} from '../../../api/resources';
import {
  keyOf,
  nameKey,
  uidOf,
  type ApiObject,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type StorageClass,
} from '../../../api/types';
import { CLAIM_PROTECTION, claimKeysOf, claimOf, classNameOf } from '../../../api/volumes';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { ClaimUsers, uses } from './claim-users';
import { planClaim } from './plan-claim';
import { planVolume } from './plan-volume';
import type { Step, VolumeWorld } from './step';

/**
 * Binds claims and volumes, keeps both while they are in use, and says what became of them. Every
 * write is guarded by the version it was planned on: of two claims that want a volume one gets it.
 */
export class VolumeBinderController implements Controller {
  readonly name = 'persistent-volume-binder';
  private readonly claims: Informer<PersistentVolumeClaim>;
  private readonly volumes: Informer<PersistentVolume>;
  private readonly classes: Informer<StorageClass>;
  private readonly pods: Informer<Pod>;
  private readonly users: ClaimUsers;
  private readonly claimQueue: WorkQueue;
  private readonly volumeQueue: WorkQueue;
  private readonly world: VolumeWorld;

  constructor(private readonly deps: ControllerDeps) {
    const { informers } = deps;
    this.claims = informers.of(PERSISTENT_VOLUME_CLAIMS);
    this.volumes = informers.of(PERSISTENT_VOLUMES);
    this.classes = informers.of(STORAGE_CLASSES);
    this.pods = informers.of(PODS);
    this.users = new ClaimUsers(this.pods);
    this.claimQueue = new WorkQueue('volume-claims', deps, {
      subjectOf: (key) => subject(PERSISTENT_VOLUME_CLAIMS, this.claims.get(key)),
    });
    this.volumeQueue = new WorkQueue('volumes', deps, {
      subjectOf: (key) => subject(PERSISTENT_VOLUMES, this.volumes.get(key)),
    });
    this.world = {
      claim: (key) => this.claims.get(key),
      volume: (name) => this.volumes.get(name),
      volumes: () => this.volumes.list(),
      storageClass: (name) => this.classes.get(name),
      waitingPod: (key) => this.users.waitingPod(key),
      isUsed: (key) => this.users.isUsed(key),
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    using subscriptions = new Subscriptions();
    this.follow(subscriptions);
    const needed = [this.claims, this.volumes, this.classes, this.pods];
    await Promise.all(needed.map((informer) => informer.whenSynced()));
    await Promise.all([
      this.claimQueue.run((key, each) => this.reconcileClaim(key, each), WORKERS, signal),
      this.volumeQueue.run((key, each) => this.reconcileVolume(key, each), WORKERS, signal),
    ]);
  }

  private follow(subscriptions: Subscriptions): void {
    const { name } = this;
    const claim = (each: PersistentVolumeClaim) => this.claimChanged(each);
    subscriptions.add(
      this.claims.subscribe({ name, onAdd: claim, onUpdate: claim, onDelete: claim }),
    );
    const volume = (each: PersistentVolume) => this.volumeChanged(each);
    subscriptions.add(
      this.volumes.subscribe({ name, onAdd: volume, onUpdate: volume, onDelete: volume }),
    );
    const storageClass = ({ metadata }: StorageClass) => this.enqueueWaiting(metadata.name);
    subscriptions.add(
      this.classes.subscribe({ name, onAdd: storageClass, onUpdate: storageClass }),
    );
    const pod = (each: Pod) => this.podChanged(each);
    subscriptions.add(this.pods.subscribe({ name, onUpdate: pod, onDelete: pod }));
  }

  private claimChanged(claim: PersistentVolumeClaim): void {
    this.claimQueue.add(keyOf(claim));
    const { volumeName = '' } = claim.spec ?? {};
    if (volumeName !== '') this.volumeQueue.add(volumeName);
    // Also one that names the claim while the claim does not name it yet.
    else if (this.claims.get(keyOf(claim)) === undefined)
      for (const volume of this.volumes.list())
        if (volume.spec?.claimRef?.uid === uidOf(claim)) this.volumeQueue.add(keyOf(volume));
  }

  private volumeChanged(volume: PersistentVolume): void {
    this.volumeQueue.add(keyOf(volume));
    const name = claimOf(volume);
    if (name !== undefined) this.claimQueue.add(nameKey(name));
    else if (volume.status?.phase === 'Available') this.enqueueWaiting(classNameOf(volume));
  }

  /** Claims without a volume that may now get one. */
  private enqueueWaiting(className: string): void {
    for (const claim of this.claims.list())
      if (claim.status?.phase !== 'Bound' && classNameOf(claim) === className)
        this.claimQueue.add(keyOf(claim));
  }

  /** A pod that ends may have been the last to keep a claim. */
  private podChanged(pod: Pod): void {
    for (const key of claimKeysOf(pod))
      if (this.claims.get(key)?.metadata.deletionTimestamp !== undefined) this.claimQueue.add(key);
  }

  private async reconcileClaim(key: string, signal: AbortSignal): Promise<void> {
    for (let writes = 0; writes < WRITES_MAX; writes++) {
      const claim = this.claims.get(key);
      if (claim === undefined) return;
      const step = planClaim(claim, this.world);
      if (isLettingGo(claim, step) && (await this.isUsedAfterAll(claim, signal))) return;
      if (!(await this.carryOut(step, PERSISTENT_VOLUME_CLAIMS, claim, signal))) return;
    }
    this.claimQueue.add(key);
  }

  private async reconcileVolume(key: string, signal: AbortSignal): Promise<void> {
    for (let writes = 0; writes < WRITES_MAX; writes++) {
      const volume = this.volumes.get(key);
      if (volume === undefined) return;
      const step = planVolume(volume, this.world);
      if (!(await this.carryOut(step, PERSISTENT_VOLUMES, volume, signal))) return;
    }
    this.volumeQueue.add(key);
  }

  /** Returns whether something was written, so that there may be more to do. */
  private async carryOut(
    step: Step,
    resource: typeof PERSISTENT_VOLUME_CLAIMS | typeof PERSISTENT_VOLUMES,
    object: ApiObject,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (step.kind !== 'none' && !(await this.isProved(step, signal))) return false;
    const { tell } = step;
    if (tell !== undefined)
      this.deps.events.event(resource, object, tell.type, tell.reason, tell.message);
    if (step.alsoClaim !== undefined && resource === PERSISTENT_VOLUMES)
      this.claimQueue.add(step.alsoClaim);
    return this.write(step, signal);
  }

  private async write(step: Step, signal: AbortSignal): Promise<boolean> {
    const { client } = this.deps;
    if (step.kind === 'none') return false;
    const options = step.isStatus ? ({ subresource: 'status' } as const) : {};
    if (step.kind === 'claim')
      this.claims.noteWritten(
        await client.update(PERSISTENT_VOLUME_CLAIMS, step.object, options, signal),
      );
    else
      this.volumes.noteWritten(
        await client.update(PERSISTENT_VOLUMES, step.object, options, signal),
      );
    // Without its last finalizer it is gone.
    const { deletionTimestamp, finalizers = [] } = step.object.metadata;
    return deletionTimestamp === undefined || finalizers.length > 0;
  }

  /** The cache may be behind: what would be taken for gone is asked for once more. */
  private async isProved({ ifGone }: Step, signal: AbortSignal): Promise<boolean> {
    if (ifGone === undefined) return true;
    const { client } = this.deps;
    try {
      if (ifGone.resource === PERSISTENT_VOLUMES) {
        this.volumes.noteWritten(await client.get(PERSISTENT_VOLUMES, ifGone.key, signal));
        return false;
      }
      const claim = await client.get(PERSISTENT_VOLUME_CLAIMS, ifGone.key, signal);
      if (uidOf(claim) !== ('uid' in ifGone ? ifGone.uid : '')) return true;
      this.claims.noteWritten(claim);
      return false;
    } catch (error) {
      if (hasReason(error, 'NotFound')) return true;
      throw error;
    }
  }

  /** A pod that was placed a moment ago may not have been seen. */
  private async isUsedAfterAll(
    { metadata: { namespace = '', name } }: PersistentVolumeClaim,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { items } = await this.deps.client.list(PODS, { namespace }, signal);
    const key = nameKey({ namespace, name });
    return items.some((pod) => uses(pod) && claimKeysOf(pod).includes(key));
  }
}

const isLettingGo = (claim: PersistentVolumeClaim, step: Step): boolean =>
  step.kind === 'claim' &&
  claim.metadata.finalizers?.includes(CLAIM_PROTECTION) === true &&
  step.object.metadata.finalizers?.includes(CLAIM_PROTECTION) !== true;

const WORKERS = 2;
/** No object needs more at a time; whatever goes on beyond that takes its turn behind the others. */
const WRITES_MAX = 8;
