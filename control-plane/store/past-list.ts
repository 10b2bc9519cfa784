import { compareKeys, type StoredObject } from './store';
import type { CacheEvent } from './watch-cache';

/** What a list was before the events that led to it. */
export const withoutEvents = (
  items: readonly StoredObject[],
  events: readonly CacheEvent[],
  namespace: string | undefined,
): readonly StoredObject[] => {
  const before = new Map<string, StoredObject | undefined>();
  for (const event of events) {
    if (event.type === 'progress') continue;
    const { key } = event.current;
    const isAsked = namespace === undefined || key.namespace === namespace;
    // What it was before the first of its events.
    if (isAsked && !before.has(placeOf(event.current)))
      before.set(placeOf(event.current), event.previous);
  }
  if (before.size === 0) return items;
  const unchanged = items.filter((item) => !before.has(placeOf(item)));
  const former = [...before.values()].filter((item) => item !== undefined);
  return [...unchanged, ...former].sort((a, b) => compareKeys(a.key, b.key));
};

const placeOf = ({ key: { namespace, name } }: StoredObject): string => `${namespace}/${name}`;
