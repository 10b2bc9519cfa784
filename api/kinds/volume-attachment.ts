import { VOLUME_ATTACHMENTS } from '../resources';
import { validateAttachment, validateAttachmentUpdate } from '../validation/csi';
import { defineKind } from './kind';

export const VOLUME_ATTACHMENT_KIND = defineKind(VOLUME_ATTACHMENTS, {
  subresources: ['status'],
  validateCreate: validateAttachment,
  validateUpdate: validateAttachmentUpdate,
});
