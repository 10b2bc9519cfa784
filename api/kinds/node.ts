import { defaultNode } from '../defaults/config';
import { NODES } from '../resources';
import { unsupportedInNode } from '../unsupported';
import { validateNode, validateNodeStatusUpdate, validateNodeUpdate } from '../validation/cluster';
import { defineKind } from './kind';

export const NODE_KIND = defineKind(NODES, {
  shortNames: ['no'],
  subresources: ['status', 'proxy'],
  fields: { 'spec.unschedulable': ({ spec }) => String(spec.unschedulable === true) },
  applyDefaults: defaultNode,
  validateCreate: validateNode,
  validateUpdate: validateNodeUpdate,
  validateStatusUpdate: validateNodeStatusUpdate,
  warnings: unsupportedInNode,
});
