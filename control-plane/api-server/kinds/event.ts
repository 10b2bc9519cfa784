import { coreEventOf, eventViewOf } from '../../../api/event-views';
import { EVENT_KIND, EVENT_VIEW_KIND } from '../../../api/kinds/event';
import { EVENTS } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import { ageOf } from '../printing/ages';
import { count, printer, text, wide } from '../printing/columns';
import { fieldsAt, numberAt, textAt } from './mutable';
import { presentedBy } from './presented';
import { PLAIN, serveKind, type ServedKind, type Strategy } from './served-kind';

const PRINTER = printer(
  text('Last Seen', (event, nowMs) =>
    ageOf(
      fieldsAt(event, 'series')['lastObservedTime'] ??
        firstTime(event, 'lastTimestamp', 'firstTimestamp', 'eventTime'),
      nowMs,
    ),
  ),
  text('Type', (event) => textAt(event, 'type')),
  text('Reason', (event) => textAt(event, 'reason')),
  text('Object', eventObject),
  wide('Subobject', (event) => textAt(event, 'involvedObject', 'fieldPath')),
  wide('Source', eventSource),
  text('Message', (event) => textAt(event, 'message').trim()),
  wide('First Seen', (event, nowMs) =>
    ageOf(firstTime(event, 'firstTimestamp', 'eventTime'), nowMs),
  ),
  count(
    'Count',
    (event) => numberAt(event, 'series', 'count') || Math.max(1, numberAt(event, 'count')),
    1,
  ),
  wide('Name', ({ metadata }) => metadata.name),
);

function eventObject(event: ApiObject): string {
  const kind = textAt(event, 'involvedObject', 'kind').toLowerCase();
  const name = textAt(event, 'involvedObject', 'name');
  return name === '' ? kind : `${kind}/${name}`;
}

function eventSource(event: ApiObject): string {
  const component = textAt(event, 'source', 'component') || textAt(event, 'reportingComponent');
  const host = textAt(event, 'source', 'host') || textAt(event, 'reportingInstance');
  return host === '' ? component : `${component}, ${host}`;
}

const firstTime = (event: ApiObject, ...fields: readonly string[]): string | undefined =>
  fields.map((field) => textAt(event, field)).find((time) => time !== '');

const STRATEGY: Strategy = { ...PLAIN, createsOnUpdate: true };

export const EVENT: ServedKind = {
  ...serveKind(EVENT_KIND, { strategy: STRATEGY, printer: PRINTER }),
  convertedFrom: coreEventOf,
};

/** One event is stored, and both groups serve it: what is written through one is seen through the other. */
export const EVENT_VIEW: ServedKind = {
  ...serveKind(EVENT_VIEW_KIND, {
    strategy: STRATEGY,
    printer: { ...PRINTER, cells: (view, nowMs) => PRINTER.cells(coreEventOf(view), nowMs) },
  }),
  storedAs: EVENTS,
  present: presentedBy(eventViewOf),
  toStored: coreEventOf,
  convertedFrom: eventViewOf,
};
