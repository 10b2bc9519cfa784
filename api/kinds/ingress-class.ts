import { defaultIngressClass } from '../defaults/networking';
import { INGRESS_CLASSES } from '../resources';
import { validateIngressClass, validateIngressClassUpdate } from '../validation/ingress-class';
import { defineKind } from './kind';

export const INGRESS_CLASS_KIND = defineKind(INGRESS_CLASSES, {
  applyDefaults: defaultIngressClass,
  validateCreate: validateIngressClass,
  validateUpdate: validateIngressClassUpdate,
});
