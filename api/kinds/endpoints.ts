import { defaultEndpoints } from '../defaults/endpoints';
import { ENDPOINTS } from '../resources';
import { validateEndpoints, validateEndpointsUpdate } from '../validation/endpoints';
import { defineKind } from './kind';

export const ENDPOINTS_KIND = defineKind(ENDPOINTS, {
  shortNames: ['ep'],
  applyDefaults: defaultEndpoints,
  validateCreate: validateEndpoints,
  validateUpdate: validateEndpointsUpdate,
});
