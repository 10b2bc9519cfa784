import { SCHEDULING_DECISIONS } from '../resources';
import { defineKind } from './kind';

/** Kept by the scheduler: nobody writes it. */
export const SCHEDULING_DECISION_KIND = defineKind(SCHEDULING_DECISIONS, {
  // What people type.
  shortNames: ['decisions', 'decision'],
  verbs: ['get', 'list', 'watch'],
  validateCreate: () => [],
  validateUpdate: () => [],
});
