import { stringifyJson } from '../lib/json';

/** The annotation in which `apply` keeps what it applied. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * A manifest as kubectl records it in `last-applied-configuration`, byte for byte: keys in order, and
 * what HTML minds escaped. Then the two take turns without either calling an object changed.
 */
export const lastApplied = (manifest: object): string =>
  `${stringifyJson(sorted(manifest)).replace(/[<>&\u2028\u2029]/g, escaped)}\n`;

const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Integer-like keys stay first, as JavaScript has them. */
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
};
