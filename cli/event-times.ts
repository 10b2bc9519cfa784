import type { Event } from '../api/types';
import { formatAge } from '../lib/age';

/** When an event was seen last: of a series, its newest. */
export const lastSeenMs = ({ series, lastTimestamp, eventTime, metadata }: Event): number =>
  Date.parse(
    series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '',
  ) || 0;

/** `13s`, or `13s (x3 over 14s)` of one that was seen again. */
export const seenText = (event: Event, nowMs: number): string => {
  const firstMs = Date.parse(event.firstTimestamp ?? event.eventTime ?? '') || lastSeenMs(event);
  const count = event.series?.count ?? event.count ?? 1;
  if (count <= 1) return formatAge(nowMs - firstMs);
  return `${formatAge(nowMs - lastSeenMs(event))} (x${count} over ${formatAge(nowMs - firstMs)})`;
};
