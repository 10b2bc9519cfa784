import { hasReason } from '../../../api/errors';
import { jsonEqual } from '../../../api/json-value';
import {
  CSI_DRIVERS,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  VOLUME_ATTACHMENTS,
} from '../../../api/resources';
import {
  nameOf,
  type CSIDriver,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type VolumeAttachment,
} from '../../../api/types';
import { claimKeysOf } from '../../../api/volumes';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { KeyedIndex } from '../../../client/keyed-index';
import { isUnresponsive, planAttachments, type AttachPlan, type NodeWorld } from './plan';

/**
 * Asks for volumes to be attached to the nodes whose pods use them, and to be detached when none does: the
 * driver's own attacher does it. Source: pkg/controller/volume/attachdetach
 */
export class AttachDetachController implements Controller {
  readonly name = 'attach-detach';
  private readonly pods: Informer<Pod>;
  private readonly nodes: Informer<Node>;
  private readonly claims: Informer<PersistentVolumeClaim>;
  private readonly volumes: Informer<PersistentVolume>;
  private readonly drivers: Informer<CSIDriver>;
  private readonly attachments: Informer<VolumeAttachment>;
  private readonly podsByNode: KeyedIndex<Pod>;
  private readonly byNode: KeyedIndex<VolumeAttachment>;
  private readonly byVolume: KeyedIndex<VolumeAttachment>;
  private readonly queue: WorkQueue;
  /** Since when (monotonic) a node that does not answer keeps what nobody wants there. */
  private readonly heldSinceMs = new Map<string, number>();

  constructor(private readonly deps: ControllerDeps) {
    const { informers } = deps;
    this.pods = informers.of(PODS);
    this.nodes = informers.of(NODES);
    this.claims = informers.of(PERSISTENT_VOLUME_CLAIMS);
    this.volumes = informers.of(PERSISTENT_VOLUMES);
    this.drivers = informers.of(CSI_DRIVERS);
    this.attachments = informers.of(VOLUME_ATTACHMENTS);
    this.podsByNode = new KeyedIndex(this.pods, (pod) =>
      claimKeysOf(pod).length === 0 ? undefined : pod.spec.nodeName,
    );
    this.byNode = new KeyedIndex(this.attachments, ({ spec }) => spec?.nodeName);
    this.byVolume = new KeyedIndex(
      this.attachments,
      ({ spec }) => spec?.source.persistentVolumeName,
    );
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(NODES, this.nodes.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    using subscriptions = new Subscriptions();
    for (const end of this.subscribe()) subscriptions.add(end);
    const { pods, nodes, claims, volumes, drivers, attachments } = this;
    const all = [pods, nodes, claims, volumes, drivers, attachments];
    await Promise.all(all.map((each) => each.whenSynced()));
    await this.queue.run((key, each) => this.reconcile(key, each), WORKERS, signal);
  }

  private subscribe(): readonly (() => void)[] {
    const { name } = this;
    const ofPod = (pod: Pod) => {
      if (claimKeysOf(pod).length > 0) this.queue.add(pod.spec.nodeName ?? '');
    };
    const ofVolume = ({ spec }: PersistentVolume) => {
      if (spec?.csi !== undefined) this.addAll();
    };
    const all = () => this.addAll();
    return [
      this.pods.subscribe({ name, onAdd: ofPod, onUpdate: ofPod, onDelete: ofPod }),
      this.nodes.subscribe({
        name,
        onAdd: ({ metadata }) => this.queue.add(metadata.name),
        onUpdate: (node, before) => {
          const isSame = jsonEqual(node.status.volumesInUse, before.status.volumesInUse);
          if (!isSame || isUnresponsive(node) !== isUnresponsive(before))
            this.queue.add(node.metadata.name);
        },
        onDelete: ({ metadata }) => this.queue.add(metadata.name),
      }),
      this.claims.subscribe({
        name,
        onUpdate: (claim, before) => {
          if (claim.spec?.volumeName !== before.spec?.volumeName) this.addAll();
        },
      }),
      this.volumes.subscribe({
        name,
        onAdd: ofVolume,
        onUpdate: (volume, before) => {
          if (!jsonEqual(volume.spec?.claimRef, before.spec?.claimRef)) ofVolume(volume);
        },
      }),
      this.drivers.subscribe({ name, onAdd: all, onUpdate: all, onDelete: all }),
      this.attachments.subscribe({
        name,
        onAdd: ({ spec }) => this.queue.add(spec?.nodeName ?? ''),
        onUpdate: (attachment, before) => {
          this.tell(attachment, before);
          this.queue.add(attachment.spec?.nodeName ?? '');
        },
        // Another node may have waited for it.
        onDelete: all,
      }),
    ];
  }

  private addAll(): void {
    for (const { metadata } of this.nodes.list())
      if (this.podsByNode.in(metadata.name).length > 0) this.queue.add(metadata.name);
  }

  private async reconcile(nodeName: string, signal: AbortSignal): Promise<void> {
    if (nodeName === '') return;
    const { client, events } = this.deps;
    const node = this.nodes.get(nodeName);
    const plan = planAttachments(this.worldOf(nodeName, node));
    for (const { name, volume } of plan.attach) {
      const draft = draftOf(name, nodeName, volume);
      await client
        .create(VOLUME_ATTACHMENTS, draft, {}, signal)
        .then((written) => this.attachments.noteWritten(written))
        .catch((error: unknown) => {
          if (!hasReason(error, 'AlreadyExists')) throw error;
        });
    }
    for (const { volume, pods } of plan.blocked)
      for (const pod of pods) events.event(PODS, pod, 'Warning', FAILED, multiAttach(volume));
    if (plan.blocked.length > 0) this.queue.addAfter(nodeName, LOOK_MS);
    for (const attachment of [...plan.detach, ...this.forced(plan, nodeName, node)])
      await client
        .delete(
          VOLUME_ATTACHMENTS,
          nameOf(attachment),
          { preconditions: { uid: attachment.metadata.uid ?? '' } },
          signal,
        )
        .catch((error: unknown) => {
          if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
        });
  }

  /** What a node that does not answer has kept for too long. */
  private forced(
    { waiting }: AttachPlan,
    nodeName: string,
    node: Node | undefined,
  ): readonly VolumeAttachment[] {
    if (waiting.length === 0 || !isUnresponsive(node)) {
      this.heldSinceMs.delete(nodeName);
      return [];
    }
    const nowMs = this.deps.clock.monotonicMs();
    const sinceMs = this.heldSinceMs.get(nodeName) ?? nowMs;
    this.heldSinceMs.set(nodeName, sinceMs);
    if (nowMs - sinceMs >= UNMOUNT_MAX_MS) return waiting;
    this.queue.addAfter(nodeName, LOOK_MS);
    return [];
  }

  private worldOf(nodeName: string, node: Node | undefined): NodeWorld {
    return {
      nodeName,
      node,
      pods: this.podsByNode.in(nodeName),
      attachments: this.byNode.in(nodeName),
      claim: (key) => this.claims.get(key),
      volume: (name) => this.volumes.get(name),
      driver: (name) => this.drivers.get(name),
      nodesOf: (name) => this.byVolume.in(name).map(({ spec }) => spec?.nodeName ?? ''),
    };
  }

  /** What became of the attaching, to who looks at the pods that wait for it. */
  private tell(attachment: VolumeAttachment, before: VolumeAttachment): void {
    const { attached, attachError } = attachment.status ?? {};
    const isNew = attached === true && before.status?.attached !== true;
    const hasFailed =
      attachError?.message !== undefined && !jsonEqual(attachError, before.status?.attachError);
    if (!isNew && !hasFailed) return;
    const { nodeName = '', source } = attachment.spec ?? {};
    const name = source?.persistentVolumeName ?? '';
    const wanted = planAttachments({
      ...this.worldOf(nodeName, this.nodes.get(nodeName)),
      attachments: [],
      nodesOf: () => [],
    }).attach.find((each) => each.name === attachment.metadata.name);
    const [type, reason, message] = isNew
      ? (['Normal', 'SuccessfulAttachVolume', attachSucceeded(name)] as const)
      : (['Warning', FAILED, attachFailed(name, attachError?.message ?? '')] as const);
    for (const pod of wanted?.pods ?? []) this.deps.events.event(PODS, pod, type, reason, message);
  }
}

const draftOf = (name: string, nodeName: string, { metadata, spec }: PersistentVolume) => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'VolumeAttachment',
  metadata: { name },
  spec: {
    attacher: spec?.csi?.driver ?? '',
    nodeName,
    source: { persistentVolumeName: metadata.name },
  },
});

const attachSucceeded = (name: string): string =>
  `AttachVolume.Attach succeeded for volume "${name}" `;

const attachFailed = (name: string, why: string): string =>
  `AttachVolume.Attach failed for volume "${name}" : ${why}`;

const multiAttach = ({ metadata: { name } }: PersistentVolume): string =>
  `Multi-Attach error for volume "${name}" Volume is already exclusively attached to one node and can't be attached to another`;

const FAILED = 'FailedAttachVolume';
const WORKERS = 2;
const LOOK_MS = 30_000;
/** Upstream's maxWaitForUnmountDuration. */
const UNMOUNT_MAX_MS = 6 * 60_000;
