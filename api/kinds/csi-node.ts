import { CSI_NODES } from '../resources';
import { validateCsiNode, validateCsiNodeUpdate } from '../validation/csi';
import { defineKind } from './kind';

export const CSI_NODE_KIND = defineKind(CSI_NODES, {
  validateCreate: validateCsiNode,
  validateUpdate: validateCsiNodeUpdate,
});
