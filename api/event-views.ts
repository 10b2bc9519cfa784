import { EVENTS, EVENT_VIEWS } from './resources';
import { convert } from './schema/decode';
import type { ApiObject, Event, EventView } from './types';

/*
 * One event under the names of two groups. Source: upstream's pkg/apis/events/v1/conversion.go.
 */

/** The core group's name of a field → that of `events.k8s.io`. All others are called the same. */
const VIEW_NAMES: ReadonlyMap<string, string> = new Map([
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
]);
const CORE_NAMES: ReadonlyMap<string, string> = new Map(
  [...VIEW_NAMES].map(([core, view]) => [view, core]),
);

/** What is the core group's already stays itself. */
export const coreEventOf = (event: ApiObject): Event =>
  event.apiVersion === 'v1'
    ? (event as Event)
    : convert<Event>(EVENTS, renamed(event, CORE_NAMES)).object;

/** What is of `events.k8s.io` already stays itself. */
export const eventViewOf = (event: ApiObject): EventView =>
  event.apiVersion === 'v1'
    ? convert<EventView>(EVENT_VIEWS, renamed(event, VIEW_NAMES)).object
    : (event as EventView);

const renamed = (event: ApiObject, names: ReadonlyMap<string, string>): object => {
  const { apiVersion: _apiVersion, ...fields } = event;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [names.get(name) ?? name, value]),
  );
};
