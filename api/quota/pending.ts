import { parseJson, stringifyJson } from '../../lib/json';
import { quantitiesOf, textsOf, type Amounts } from '../amounts';

/** The annotation of a quota in which servers note what they are about to write. */
export const PENDING_USAGE = 'dhow.dev/pending-usage';

/**
 * A write that is counted in `used` already and may not be stored yet. It is under way only while its
 * object is at the version `from`, or, for a creation (`''`), is not there.
 */
export interface Pending {
  /** Of this write, and no other of any server's. */
  readonly id: string;
  readonly uid: string;
  readonly from: string;
  readonly adds: Amounts;
  /** When it was noted, RFC 3339. */
  readonly at: string;
}

/** After so long a write has come or never will: its server has gone. */
export const PENDING_LIFE_MS = 60_000;

/** Times of other servers' clocks: one that is ahead must not keep an entry for ever. */
export const isExpired = ({ at }: Pending, nowMs: number): boolean =>
  !(Math.abs(nowMs - Date.parse(at)) < PENDING_LIFE_MS);

/** Undefined when there is nothing to note. */
export const pendingText = (pending: readonly Pending[]): string | undefined =>
  pending.length === 0
    ? undefined
    : stringifyJson(pending.map(({ adds, ...rest }) => ({ ...rest, adds: textsOf(adds) })));

/** What is no note of a server's is passed over. */
export const readPending = (text: string | undefined): readonly Pending[] => {
  if (text === undefined) return [];
  try {
    const entries = parseJson(text);
    return Array.isArray(entries) ? (entries as unknown[]).flatMap(readEntry) : [];
  } catch {
    return [];
  }
};

const readEntry = (entry: unknown): readonly Pending[] => {
  if (typeof entry !== 'object' || entry === null) return [];
  const { id, uid, from, at, adds } = entry as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string' || typeof uid !== 'string') return [];
  if (typeof from !== 'string' || typeof at !== 'string') return [];
  if (typeof adds !== 'object' || adds === null) return [];
  return [{ id, uid, from, at, adds: quantitiesOf(adds as Readonly<Record<string, string>>) }];
};
