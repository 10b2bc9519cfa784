import { ingressWarnings } from '../ingresses';
import { INGRESSES } from '../resources';
import {
  validateIngress,
  validateIngressStatusUpdate,
  validateIngressUpdate,
} from '../validation/ingress';
import { defineKind } from './kind';

export const INGRESS_KIND = defineKind(INGRESSES, {
  shortNames: ['ing'],
  subresources: ['status'],
  validateCreate: validateIngress,
  validateUpdate: validateIngressUpdate,
  validateStatusUpdate: validateIngressStatusUpdate,
  warnings: ingressWarnings,
});
