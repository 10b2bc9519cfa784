import type { Event } from '../api/types';
import { lastSeenMs, seenText } from './event-times';

const at = (second: number): string => new Date(second * 1000).toISOString();
const event = (fields: object): Event =>
  ({ apiVersion: 'v1', kind: 'Event', metadata: {}, involvedObject: {}, ...fields }) as Event;

it.each([
  [{ firstTimestamp: at(100), lastTimestamp: at(100) }, '50s'],
  [{ firstTimestamp: at(100), lastTimestamp: at(140), count: 3 }, '10s (x3 over 50s)'],
  [{ eventTime: at(100), series: { count: 5, lastObservedTime: at(149) } }, '1s (x5 over 50s)'],
  [{ eventTime: at(30) }, '2m'],
])('tells of %j: %s', (fields, text) => {
  expect(seenText(event(fields), 150_000)).toBe(text);
});

it('takes an event without any time for the oldest', () => {
  expect(lastSeenMs(event({}))).toBe(0);
});
