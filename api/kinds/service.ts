import { defaultService } from '../defaults/service';
import { SERVICES } from '../resources';
import {
  validateService,
  validateServiceStatusUpdate,
  validateServiceUpdate,
} from '../validation/service';
import { defineKind } from './kind';

export const SERVICE_KIND = defineKind(SERVICES, {
  shortNames: ['svc'],
  categories: ['all'],
  subresources: ['status', 'proxy'],
  fields: {
    'spec.clusterIP': ({ spec }) => spec?.clusterIP ?? '',
    'spec.type': ({ spec }) => spec?.type ?? '',
  },
  applyDefaults: defaultService,
  validateCreate: validateService,
  validateUpdate: validateServiceUpdate,
  validateStatusUpdate: validateServiceStatusUpdate,
});
