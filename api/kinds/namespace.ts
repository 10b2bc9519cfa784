import { defaultNamespace } from '../defaults/config';
import { NAMESPACES } from '../resources';
import { unsupportedInNamespace } from '../unsupported';
import { validateNamespace, validateNamespaceUpdate } from '../validation/cluster';
import { ALL_VERBS, defineKind } from './kind';

export const NAMESPACE_KIND = defineKind(NAMESPACES, {
  shortNames: ['ns'],
  subresources: ['status', 'finalize'],
  verbs: ALL_VERBS.filter((verb) => verb !== 'deletecollection'),
  fields: { 'status.phase': ({ status }) => status?.phase ?? '' },
  applyDefaults: defaultNamespace,
  validateCreate: validateNamespace,
  validateUpdate: validateNamespaceUpdate,
  warnings: unsupportedInNamespace,
});
