import { coreEventOf } from '../event-views';
import { jsonEqual } from '../json-value';
import { qualifiedNameProblems } from '../names';
import type { Event, EventView } from '../types';
import { immutable, invalid, invalidFor, required, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';

/*
 * Source: upstream's pkg/apis/core/validation/events.go. Fields are called as the core group calls
 * them, through whichever group an event comes; the stricter rules are those of `events.k8s.io`.
 */

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };
const [TEXT_MAX, NOTE_MAX] = [128, 1024];

export const validateEvent = (event: Event): readonly FieldError[] => [
  ...validateMetadata(event, RULES),
  ...validateContent(event),
];

export const validateEventUpdate = (event: Event, old: Event): readonly FieldError[] => [
  ...validateMetadataUpdate(event, old, RULES),
  ...validateContent(event),
];

export const validateEventView = (view: EventView): readonly FieldError[] => {
  const event = coreEventOf(view);
  const { type = '', count = 0, source = {} } = event;
  return [
    ...validateEvent(event),
    ...validateSeries(event),
    ...(isUnset(event.eventTime) ? [required('eventTime')] : []),
    ...(type === 'Normal' || type === 'Warning'
      ? []
      : [invalid('type', '', `has invalid value: ${type}`)]),
    ...(isUnset(event.firstTimestamp) ? [] : [unset('firstTimestamp')]),
    ...(isUnset(event.lastTimestamp) ? [] : [unset('lastTimestamp')]),
    ...(count === 0 ? [] : [unset('count')]),
    ...((source.component ?? '') === '' && (source.host ?? '') === '' ? [] : [unset('source')]),
  ];
};

/** What has happened once stays as it was told: only the series goes on. */
export const validateEventViewUpdate = (
  view: EventView,
  oldView: EventView,
): readonly FieldError[] => {
  const [event, old] = [coreEventOf(view), coreEventOf(oldView)];
  return [
    ...validateEventUpdate(event, old),
    ...(jsonEqual(event.series, old.series) ? [] : validateSeries(event)),
    ...IMMUTABLE.filter((field) => !jsonEqual(event[field], old[field])).map((field) =>
      immutable(field === 'reportingComponent' ? 'reportingController' : field, event[field]),
    ),
  ];
};

const IMMUTABLE = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
] as const;

/** Events of the newer sort have a time, and with it more to say. */
const validateContent = (event: Event): readonly FieldError[] =>
  isUnset(event.eventTime) ? validateOlder(event) : validateNewer(event);

/** Those about cluster-scoped objects live in `default`. */
const validateOlder = ({ metadata, involvedObject }: Event): readonly FieldError[] => {
  const { namespace = '' } = involvedObject;
  const own = metadata.namespace ?? '';
  return namespace === own || (namespace === '' && own === 'default') ? [] : [elsewhere(namespace)];
};

const validateNewer = (event: Event): readonly FieldError[] => {
  const { namespace = '' } = event.involvedObject;
  const { action = '', reason = '', message = '' } = event;
  const { reportingComponent: component = '', reportingInstance: instance = '' } = event;
  return [
    ...(namespace === '' && !CLUSTER_NAMESPACES.includes(event.metadata.namespace ?? '')
      ? [elsewhere(namespace)]
      : []),
    ...(component === '' ? [required('reportingController')] : []),
    ...invalidFor('reportingController', component, qualifiedNameProblems(component)),
    ...(instance === '' ? [required('reportingInstance')] : []),
    ...bounded('reportingInstance', instance, TEXT_MAX),
    ...(action === '' ? [required('action')] : []),
    ...bounded('action', action, TEXT_MAX),
    ...(reason === '' ? [required('reason')] : []),
    ...bounded('reason', reason, TEXT_MAX),
    ...bounded('message', message, NOTE_MAX),
  ];
};

const CLUSTER_NAMESPACES = ['default', 'kube-system'];

const validateSeries = ({ series }: Event): readonly FieldError[] =>
  series === undefined
    ? []
    : [
        ...((series.count ?? 0) < 2 ? [invalid('series.count', '', 'should be at least 2')] : []),
        ...(isUnset(series.lastObservedTime) ? [required('series.lastObservedTime')] : []),
      ];

const elsewhere = (namespace: string): FieldError =>
  invalid('involvedObject.namespace', namespace, 'does not match event.namespace');

const unset = (field: string): FieldError => invalid(field, '', 'needs to be unset');

const bounded = (field: string, value: string, bytesMax: number): readonly FieldError[] =>
  Buffer.byteLength(value) <= bytesMax
    ? []
    : [invalid(field, '', `can have at most ${bytesMax} characters`)];

/** Times that are not there may be null. */
const isUnset = (time: unknown): boolean => time === undefined || time === null;
