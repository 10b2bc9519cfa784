import { member, objectFrom } from './json';
import { isJsonObject } from '../../lib/json';

/** RFC 7386: objects merge, `null` removes, everything else replaces. Returns a new document. */
export const applyMergePatch = (document: unknown, patch: unknown): unknown => {
  if (!isJsonObject(patch)) return patch;
  const target = isJsonObject(document) ? document : {};
  const merged = new Map(Object.entries(target));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, applyMergePatch(member(target, key), value));
  }
  return objectFrom(merged);
};
