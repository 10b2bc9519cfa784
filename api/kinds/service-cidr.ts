import { SERVICE_CIDRS } from '../resources';
import {
  validateServiceCidr,
  validateServiceCidrStatusUpdate,
  validateServiceCidrUpdate,
} from '../validation/service-cidr';
import { defineKind } from './kind';

export const SERVICE_CIDR_KIND = defineKind(SERVICE_CIDRS, {
  subresources: ['status'],
  validateCreate: validateServiceCidr,
  validateUpdate: validateServiceCidrUpdate,
  validateStatusUpdate: validateServiceCidrStatusUpdate,
});
