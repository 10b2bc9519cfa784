import { isNodeReady, isOutOfService } from '../../../api/nodes';
import { isTerminal } from '../../../api/pods';
import type { CSIDriver, Node, PersistentVolume, Pod, VolumeAttachment } from '../../../api/types';
import {
  attachmentNameOf,
  boundVolumeOf,
  uniqueVolumeName,
  type ClaimSource,
} from '../../../api/volumes';

/** What is looked at for one node. */
export interface NodeWorld extends ClaimSource {
  readonly nodeName: string;
  /** Undefined when there is no such node. */
  readonly node: Node | undefined;
  /** All pods that are bound to the node. */
  readonly pods: readonly Pod[];
  /** Of this node. */
  readonly attachments: readonly VolumeAttachment[];
  readonly driver: (name: string) => CSIDriver | undefined;
  /** Nodes that the volume is attached to, or is to be. */
  readonly nodesOf: (volumeName: string) => readonly string[];
}

interface Attachable {
  readonly name: string;
  readonly volume: PersistentVolume;
  readonly pods: readonly Pod[];
}

export interface AttachPlan {
  readonly attach: readonly Attachable[];
  /** Volumes for one node that another has still. */
  readonly blocked: readonly Attachable[];
  readonly detach: readonly VolumeAttachment[];
  /** To be detached once the node no longer has them mounted. */
  readonly waiting: readonly VolumeAttachment[];
}

/**
 * Pure: what is to be attached to a node, and what to be detached. A volume that the node says it has in use
 * stays, whatever became of its pods: data may be on its way to it.
 * Source: pkg/controller/volume/attachdetach/reconciler
 */
export const planAttachments = (world: NodeWorld): AttachPlan => {
  const wanted = wantedOf(world);
  const present = new Set(world.attachments.map(({ metadata }) => metadata.name));
  const missing = [...wanted.values()].filter(({ name }) => !present.has(name));
  const isBlocked = ({ volume }: Attachable) =>
    isForOneNode(volume) &&
    world.nodesOf(volume.metadata.name).some((other) => other !== world.nodeName);
  const surplus = world.attachments.filter(
    (each) =>
      !wanted.has(each.metadata.name) &&
      each.metadata.deletionTimestamp === undefined &&
      isOurs(each, world),
  );
  const isHeld = (each: VolumeAttachment) => isInUse(each, world);
  return {
    attach: missing.filter((each) => !isBlocked(each)),
    blocked: missing.filter(isBlocked),
    detach: surplus.filter((each) => !isHeld(each)),
    waiting: surplus.filter(isHeld),
  };
};

/** May what a node that is not there to answer has in use be taken from it, once it had its time? */
export const isUnresponsive = (node: Node | undefined): boolean =>
  node !== undefined && (!isNodeReady(node) || isOutOfService(node));

const wantedOf = (world: NodeWorld): ReadonlyMap<string, Attachable> => {
  const wanted = new Map<string, Attachable>();
  if (world.node === undefined) return wanted;
  for (const pod of world.pods) {
    if (isTerminal(pod)) continue;
    for (const volume of volumesOf(pod, world)) {
      const { driver = '', volumeHandle = '' } = volume.spec?.csi ?? {};
      const name = attachmentNameOf(volumeHandle, driver, world.nodeName);
      wanted.set(name, { name, volume, pods: [...(wanted.get(name)?.pods ?? []), pod] });
    }
  }
  return wanted;
};

/** Those behind the pod's claims whose driver has them attached. */
const volumesOf = (pod: Pod, world: NodeWorld): readonly PersistentVolume[] =>
  (pod.spec.volumes ?? []).flatMap((each) => {
    const bound = boundVolumeOf(pod, each, world);
    const source = bound?.spec?.csi;
    if (bound === undefined || source === undefined) return [];
    // One that says nothing of itself wants it, as upstream.
    return world.driver(source.driver)?.spec?.attachRequired === false ? [] : [bound];
  });

const isForOneNode = ({ spec }: PersistentVolume): boolean => {
  const modes = spec?.accessModes ?? [];
  return modes.length > 0 && modes.every((mode) => mode.startsWith('ReadWriteOnce'));
};

/** Others may attach by names of their own. */
const isOurs = ({ metadata, spec }: VolumeAttachment, { volume }: NodeWorld): boolean => {
  const source = volume(spec?.source.persistentVolumeName ?? '')?.spec?.csi;
  return source === undefined
    ? OUR_NAME.test(metadata.name)
    : metadata.name === attachmentNameOf(source.volumeHandle, source.driver, spec?.nodeName ?? '');
};

const OUR_NAME = /^csi-[0-9a-f]{64}$/;

const isInUse = ({ spec }: VolumeAttachment, { node, volume }: NodeWorld): boolean => {
  const source = volume(spec?.source.persistentVolumeName ?? '')?.spec?.csi;
  if (node === undefined || source === undefined) return false;
  const name = uniqueVolumeName(source.driver, source.volumeHandle);
  return (node.status.volumesInUse ?? []).includes(name);
};
