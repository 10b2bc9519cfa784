import { CONFIG_MAPS } from '../resources';
import { validateConfigMap, validateConfigMapUpdate } from '../validation/config';
import { defineKind } from './kind';

export const CONFIG_MAP_KIND = defineKind(CONFIG_MAPS, {
  shortNames: ['cm'],
  validateCreate: validateConfigMap,
  validateUpdate: validateConfigMapUpdate,
});
