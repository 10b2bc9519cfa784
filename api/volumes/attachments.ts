import { createHash } from 'node:crypto';

/** The name of the VolumeAttachment. Source: pkg/volume/csi, getAttachmentName */
export const attachmentNameOf = (handle: string, driver: string, nodeName: string): string =>
  `csi-${createHash('sha256').update(`${handle}${driver}${nodeName}`).digest('hex')}`;

/** How a volume is called in the status of a node. Source: pkg/volume/util, GetUniqueVolumeName */
export const uniqueVolumeName = (driver: string, handle: string): string =>
  `kubernetes.io/csi/${driver}^${handle}`;
