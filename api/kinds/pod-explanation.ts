import { POD_EXPLANATIONS } from '../resources';
import { defineKind } from './kind';

/** Made by the scheduler when asked for. */
export const POD_EXPLANATION_KIND = defineKind(POD_EXPLANATIONS, {
  verbs: ['get'],
  validateCreate: () => [],
  validateUpdate: () => [],
});
