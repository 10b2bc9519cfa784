import { formatWarnings } from '../custom-resources/warnings';
import { defaultCustomResourceDefinition } from '../defaults/custom-resource-definition';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../resources';
import {
  judgeCustomResourceDefinition,
  validateCustomResourceDefinition,
  validateCustomResourceDefinitionStatusUpdate,
  validateCustomResourceDefinitionUpdate,
} from '../custom-resources/definition';
import { defineKind } from './kind';

export const CUSTOM_RESOURCE_DEFINITION_KIND = defineKind(CUSTOM_RESOURCE_DEFINITIONS, {
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  subresources: ['status'],
  applyDefaults: defaultCustomResourceDefinition,
  validateCreate: validateCustomResourceDefinition,
  validateUpdate: validateCustomResourceDefinitionUpdate,
  validateStatusUpdate: validateCustomResourceDefinitionStatusUpdate,
  judge: judgeCustomResourceDefinition,
  warnings: formatWarnings,
});
