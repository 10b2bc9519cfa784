import { EVENTS, EVENT_VIEWS } from '../resources';
import {
  validateEvent,
  validateEventUpdate,
  validateEventView,
  validateEventViewUpdate,
} from '../validation/events';
import { defineKind } from './kind';

export const EVENT_KIND = defineKind(EVENTS, {
  shortNames: ['ev'],
  fields: {
    'involvedObject.kind': ({ involvedObject }) => involvedObject.kind ?? '',
    'involvedObject.namespace': ({ involvedObject }) => involvedObject.namespace ?? '',
    'involvedObject.name': ({ involvedObject }) => involvedObject.name ?? '',
    'involvedObject.uid': ({ involvedObject }) => involvedObject.uid ?? '',
    'involvedObject.apiVersion': ({ involvedObject }) => involvedObject.apiVersion ?? '',
    'involvedObject.resourceVersion': ({ involvedObject }) => involvedObject.resourceVersion ?? '',
    'involvedObject.fieldPath': ({ involvedObject }) => involvedObject.fieldPath ?? '',
    reason: ({ reason }) => reason ?? '',
    reportingComponent: ({ reportingComponent }) => reportingComponent ?? '',
    source: ({ source }) => source?.component ?? '',
    type: ({ type }) => type ?? '',
  },
  validateCreate: validateEvent,
  validateUpdate: validateEventUpdate,
});

/** The same events, in the group that newer clients write them through. */
export const EVENT_VIEW_KIND = defineKind(EVENT_VIEWS, {
  shortNames: ['ev'],
  fields: {
    'regarding.kind': ({ regarding }) => regarding?.kind ?? '',
    'regarding.namespace': ({ regarding }) => regarding?.namespace ?? '',
    'regarding.name': ({ regarding }) => regarding?.name ?? '',
    'regarding.uid': ({ regarding }) => regarding?.uid ?? '',
    'regarding.apiVersion': ({ regarding }) => regarding?.apiVersion ?? '',
    'regarding.resourceVersion': ({ regarding }) => regarding?.resourceVersion ?? '',
    'regarding.fieldPath': ({ regarding }) => regarding?.fieldPath ?? '',
    reason: ({ reason }) => reason ?? '',
    reportingController: ({ reportingController }) => reportingController ?? '',
    type: ({ type }) => type ?? '',
  },
  validateCreate: validateEventView,
  validateUpdate: validateEventViewUpdate,
});
