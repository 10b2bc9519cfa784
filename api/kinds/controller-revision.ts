import { CONTROLLER_REVISIONS } from '../resources';
import {
  validateControllerRevision,
  validateControllerRevisionUpdate,
} from '../validation/controller-revision';
import { defineKind } from './kind';

export const CONTROLLER_REVISION_KIND = defineKind(CONTROLLER_REVISIONS, {
  validateCreate: validateControllerRevision,
  validateUpdate: validateControllerRevisionUpdate,
});
