import { createHash } from 'node:crypto';

import type { RowResource } from '../../api/assignment-rows';
import type { Changes, Row, RowKey } from '../../proto/gen/dhow/agent/v1/agent';

/** One row as the agent is to have it. What it costs is computed when its version is new. */
export interface WantedRow {
  readonly key: string;
  /** Never the same for two contents; undefined: not known, its content is compared. */
  readonly version: string | undefined;
  /** Of all in it that is news to the agent, as text. @throws Error when it cannot be sent */
  readonly essence: () => string;
  /** @throws Error when it cannot be sent */
  readonly json: () => Buffer;
  /** Of a pod whose start is traced. It is no news by itself. */
  readonly traceparent?: string;
}

interface Sent {
  readonly version: string | undefined;
  readonly digest: string;
}

/**
 * What one agent was told so far. It compares with what it should know and gives the difference, so that
 * nothing needs to be queued for a slow agent.
 */
export class SentRows {
  private readonly tables = new Map<RowResource, Map<string, Sent>>();

  /** `onUnsendable` hears of each version of a row that cannot be sent; the others go. */
  constructor(
    private readonly onUnsendable: (resource: RowResource, key: string, error: unknown) => void,
  ) {}

  /** All rows of one kind: whatever else the agent has of it is to go. */
  replace(resource: RowResource, wanted: readonly WantedRow[]): Changes {
    const table = this.tableOf(resource);
    const keys = new Set(wanted.map(({ key }) => key));
    const gone = [...table.keys()].filter((key) => !keys.has(key));
    return {
      rows: wanted.flatMap((row) => this.newsOf(resource, row) ?? []),
      removed: gone.flatMap((key) => this.remove(resource, key)),
    };
  }

  /** One row alone; undefined: it is to go. */
  set(resource: RowResource, key: string, wanted: WantedRow | undefined): Changes {
    if (wanted === undefined) return { rows: [], removed: this.remove(resource, key) };
    return { rows: [this.newsOf(resource, wanted) ?? []].flat(), removed: [] };
  }

  private newsOf(resource: RowResource, wanted: WantedRow): Row | undefined {
    const { key, version, traceparent } = wanted;
    const table = this.tableOf(resource);
    const before = table.get(key);
    if (before !== undefined && version !== undefined && before.version === version)
      return undefined;
    try {
      const digest = createHash('sha256').update(wanted.essence()).digest('base64');
      const json = before?.digest === digest ? undefined : wanted.json();
      table.set(key, { version, digest });
      if (json === undefined) return undefined;
      const row = { resource, key, version: version ?? '', json };
      return traceparent === undefined ? row : { ...row, traceparent };
    } catch (error) {
      // The agent keeps what it had of it, if anything.
      table.set(key, { version, digest: before?.digest ?? '' });
      this.onUnsendable(resource, key, error);
      return undefined;
    }
  }

  private remove(resource: RowResource, key: string): RowKey[] {
    return this.tableOf(resource).delete(key) ? [{ resource, key }] : [];
  }

  private tableOf(resource: RowResource): Map<string, Sent> {
    const table = this.tables.get(resource) ?? new Map<string, Sent>();
    this.tables.set(resource, table);
    return table;
  }
}
