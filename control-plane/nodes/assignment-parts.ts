import type { Changes, SessionResponse } from '../../proto/gen/dhow/agent/v1/agent';

type Message = NonNullable<SessionResponse['message']>;

/** Cuts changes into ones of about `maxBytes` each, to be sent in order. Nothing becomes no part. */
export const partsOf = ({ rows, removed }: Changes, maxBytes: number): Changes[] => {
  if (rows.length + removed.length === 0) return [];
  const parts: Changes[] = [{ rows: [], removed }];
  let bytes = 0;
  for (const row of rows) {
    if (bytes > 0 && bytes + row.json.length > maxBytes) {
      parts.push({ rows: [], removed: [] });
      bytes = 0;
    }
    parts.at(-1)?.rows.push(row);
    bytes += row.json.length;
  }
  return parts;
};

export const changesOf = (value: Changes): Message => ({ $case: 'changes', value });

/** What a session begins with; there is at least one part, also for a node without anything. */
export const snapshotOf = (parts: readonly Changes[]): Message[] =>
  (parts.length === 0 ? [{ rows: [], removed: [] }] : parts).map(({ rows }, index) => ({
    $case: 'snapshot',
    value: { rows, partial: index < parts.length - 1 },
  }));
