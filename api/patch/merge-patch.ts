import { isObject, member, objectFrom } from './json';

/** RFC 7386: objects merge, `null` removes, everything else replaces. Returns a new document. */
export const applyMergePatch = (document: unknown, patch: unknown): unknown => {
  if (!isObject(patch)) return patch;
  const target = isObject(document) ? document : {};
  const merged = new Map(Object.entries(target));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, applyMergePatch(member(target, key), value));
  }
  return objectFrom(merged);
};
