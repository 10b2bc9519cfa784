import { ROW, type TokenOrder } from '../../api/assignment-rows';
import {
  keyOf,
  nameKey,
  type CSIDriver,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type Secret,
  type VolumeAttachment,
} from '../../api/types';
import { boundVolumeOf, claimOf, type ClaimSource } from '../../api/volumes';
import { KeyedListeners } from '../../lib/keyed-listeners';
import type { ObjectView } from './deps';
import type { NodeVolumes } from './node-volumes';
import type { PodIndex } from './pod-index';

interface CsiViewDeps {
  readonly csiDrivers: ObjectView<CSIDriver>;
  readonly attachments: ObjectView<VolumeAttachment>;
  readonly volumes: ObjectView<PersistentVolume>;
  readonly claims: Pick<ObjectView<PersistentVolumeClaim>, 'get'>;
  readonly secrets: Pick<ObjectView<Secret>, 'subscribe'>;
  readonly podIndex: Pick<PodIndex, 'usersOf'>;
  readonly nodeVolumes: Pick<NodeVolumes, 'volumesOf'>;
}

export type CsiChange = typeof ROW.csiDrivers | typeof ROW.attachments | typeof ROW.secrets;

/** What nodes need to know of drivers: all of these, what is attached to each, and whose secrets. */
export class CsiView implements Disposable {
  private readonly attached = new Map<string, Map<string, VolumeAttachment>>();
  /** `NAMESPACE/NAME` of a secret → the volumes whose driver is given it, by name. */
  private readonly secretUsers = new Map<string, Map<string, PersistentVolume>>();
  private readonly listeners = new KeyedListeners<[CsiChange]>();
  private readonly driverListeners = new Set<() => void>();
  private readonly undo: readonly (() => void)[];

  constructor(private readonly deps: CsiViewDeps) {
    const { csiDrivers, attachments, volumes, secrets } = deps;
    const driverChanged = () => {
      for (const listener of this.driverListeners) listener();
    };
    const secretChanged = (secret: Secret) => this.secretChanged(keyOf(secret));
    this.undo = [
      csiDrivers.subscribe({
        onAdd: driverChanged,
        onUpdate: driverChanged,
        onDelete: driverChanged,
      }),
      attachments.subscribe({
        onAdd: (attachment) => this.noteAttachment(undefined, attachment),
        onUpdate: (attachment, previous) => this.noteAttachment(previous, attachment),
        onDelete: (attachment) => this.noteAttachment(attachment, undefined),
      }),
      volumes.subscribe({
        onAdd: (volume) => this.noteVolume(undefined, volume),
        onUpdate: (volume, previous) => this.noteVolume(previous, volume),
        onDelete: (volume) => this.noteVolume(volume, undefined),
      }),
      secrets.subscribe({
        onAdd: secretChanged,
        onUpdate: secretChanged,
        onDelete: secretChanged,
      }),
    ];
  }

  [Symbol.dispose](): void {
    for (const undo of this.undo) undo();
  }

  drivers(): readonly CSIDriver[] {
    return [...this.deps.csiDrivers.list()];
  }

  attachmentsOf(nodeName: string): readonly VolumeAttachment[] {
    return [...(this.attached.get(nodeName)?.values() ?? [])];
  }

  /** `NAMESPACE/NAME` of the secrets that drivers are given on the node for the volumes of its pods. */
  secretKeysOf(nodeName: string): readonly string[] {
    return this.deps.nodeVolumes.volumesOf(nodeName).flatMap(secretKeysIn);
  }

  /** The tokens that drivers want of the pod. */
  ordersOf(pod: Pod): readonly TokenOrder[] {
    const source: ClaimSource = {
      claim: (key) => this.deps.claims.get(key),
      volume: (name) => this.deps.volumes.get(name),
    };
    const drivers = (pod.spec.volumes ?? []).flatMap(
      (each) => each.csi?.driver ?? boundVolumeOf(pod, each, source)?.spec?.csi?.driver ?? [],
    );
    const names = new Set(drivers);
    return [...names].flatMap((name) => this.deps.csiDrivers.get(name)?.spec?.tokenRequests ?? []);
  }

  /** Calls `listener` when something of it changes for the node; returns the undo. */
  onChange(nodeName: string, listener: (change: CsiChange) => void): () => void {
    const ofDriver = () => listener(ROW.csiDrivers);
    this.driverListeners.add(ofDriver);
    const undo = this.listeners.add(nodeName, listener);
    return () => {
      undo();
      this.driverListeners.delete(ofDriver);
    };
  }

  private noteAttachment(
    before: VolumeAttachment | undefined,
    after: VolumeAttachment | undefined,
  ): void {
    if (before !== undefined) this.attached.get(nodeOf(before))?.delete(keyOf(before));
    if (after !== undefined) {
      const all = this.attached.get(nodeOf(after)) ?? new Map<string, VolumeAttachment>();
      this.attached.set(nodeOf(after), all.set(keyOf(after), after));
    }
    const nodes = new Set([before, after].flatMap((each) => (each ? [nodeOf(each)] : [])));
    for (const node of nodes) {
      if (this.attached.get(node)?.size === 0) this.attached.delete(node);
      this.listeners.tell(node, ROW.attachments);
    }
  }

  private noteVolume(
    before: PersistentVolume | undefined,
    after: PersistentVolume | undefined,
  ): void {
    if (before !== undefined)
      for (const key of secretKeysIn(before)) {
        const users = this.secretUsers.get(key);
        users?.delete(before.metadata.name);
        if (users?.size === 0) this.secretUsers.delete(key);
      }
    if (after !== undefined)
      for (const key of secretKeysIn(after)) {
        const users = this.secretUsers.get(key) ?? new Map<string, PersistentVolume>();
        this.secretUsers.set(key, users.set(after.metadata.name, after));
      }
  }

  private secretChanged(key: string): void {
    for (const volume of this.secretUsers.get(key)?.values() ?? []) {
      const claim = claimOf(volume);
      if (claim === undefined) continue;
      for (const node of this.deps.podIndex.usersOf(ROW.claims, nameKey(claim)))
        this.listeners.tell(node, ROW.secrets);
    }
  }
}

const nodeOf = ({ spec }: VolumeAttachment): string => spec?.nodeName ?? '';

/** Of a volume, those that its node needs. */
const secretKeysIn = ({ spec }: PersistentVolume): readonly string[] => {
  const { nodeStageSecretRef, nodePublishSecretRef, nodeExpandSecretRef } = spec?.csi ?? {};
  return [nodeStageSecretRef, nodePublishSecretRef, nodeExpandSecretRef].flatMap((ref) =>
    ref?.name === undefined || ref.namespace === undefined
      ? []
      : [nameKey({ namespace: ref.namespace, name: ref.name })],
  );
};
