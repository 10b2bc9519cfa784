import type { CSIDriver, CSINode, PersistentVolume, Pod, VolumeAttachment } from '../../api/types';
import type { Trouble, OwnReason } from './known-trouble';

/** What is known of a volume of a pod that a driver provides. What may not be read is absent. */
export interface DriverVolume {
  /** In the pod. */
  readonly name: string;
  readonly driverName: string;
  /** Absent: it lives with its pod. */
  readonly volume?: PersistentVolume;
  readonly object?: Found<CSIDriver>;
  readonly csiNode?: Found<CSINode>;
  /** Only of those behind claims. */
  readonly attachment?: Found<VolumeAttachment>;
}

/** `undefined` within: it was looked for, and there is none. */
export interface Found<T> {
  readonly value: T | undefined;
}

/** Pure: what the volumes of a pod that has its node wait for, as far as their drivers are concerned. */
export const volumeTroubles = (pod: Pod, volumes: readonly DriverVolume[]): readonly Trouble[] =>
  volumes.flatMap((each) => unattached(pod, each) ?? unregistered(pod, each) ?? []);

/** What nobody has attached yet; its driver on the node is asked afterwards. */
const unattached = (
  { spec: { nodeName = '' } }: Pod,
  { name, driverName, volume, object, attachment }: DriverVolume,
): Trouble | undefined => {
  if (volume === undefined || object === undefined || attachment === undefined) return undefined;
  if (object.value?.spec?.attachRequired === false) return undefined;
  const what = `volume ${name} (${volume.metadata.name})`;
  const reason: OwnReason = 'VolumeNotAttached';
  const { value } = attachment;
  if (value === undefined)
    return {
      reason,
      message: `${what} waits for being attached to ${nodeName}: nobody has been told to yet`,
      next: `where it is attached still: dhow get volumeattachments`,
    };
  if (value.status?.attached === true && value.metadata.deletionTimestamp === undefined)
    return undefined;
  const { message: why = '', time } = value.status?.attachError ?? {};
  const since = time ?? value.metadata.creationTimestamp;
  return {
    reason,
    message:
      why === ''
        ? `${what} waits for the attacher of ${driverName} to attach it to ${nodeName}, which has not answered`
        : `${what} cannot be attached to ${nodeName} by ${driverName}: ${why}`,
    ...(typeof since === 'string' ? { since } : {}),
    next: `what it was told: dhow get volumeattachment ${value.metadata.name} -o yaml`,
  };
};

const unregistered = (
  { spec: { nodeName = '' } }: Pod,
  { name, driverName, csiNode }: DriverVolume,
): Trouble | undefined => {
  if (csiNode === undefined) return undefined;
  const there = (csiNode.value?.spec?.drivers ?? []).map((driver) => driver.name);
  if (there.includes(driverName)) return undefined;
  const others = there.length === 0 ? 'none is' : `${there.join(', ')} is`;
  return {
    reason: 'DriverNotRegistered' satisfies OwnReason,
    message: `volume ${name} needs the driver ${driverName}, which is not registered on ${nodeName}: ${others}`,
    next: `run the node plugin of ${driverName} on ${nodeName}`,
  };
};
