import type { Event } from '../../../proto/gen/etcd/kv';
import type { WatchResponse } from '../../../proto/gen/etcd/rpc';

export type WatchItem =
  /** Every event of one revision, in the order of its writes. */
  | { readonly type: 'revision'; readonly revision: number; readonly events: readonly Event[] }
  /** Nothing more is to come up to `revision`. */
  | { readonly type: 'progress'; readonly revision: number };

/**
 * Turns watch responses into whole revisions. A response may end in the middle of one when it is a
 * fragment; and after a lost connection, or by etcd's error, events may come twice.
 */
export class RevisionAssembler {
  private open: Event[] = [];
  private openRevision = 0;
  private next: number;

  constructor(
    startRevision: number,
    private readonly trustsProgress: boolean,
  ) {
    this.next = startRevision;
  }

  /** Where to resume: after the last whole revision. */
  get nextRevision(): number {
    return this.next;
  }

  /** A new stream starts: what is incomplete comes again. */
  begin(): void {
    this.open = [];
    this.openRevision = 0;
  }

  add({ events, fragment, created, header }: WatchResponse): readonly WatchItem[] {
    if (events.length === 0) return created ? [] : this.progress(header?.revision ?? 0);
    const items: WatchItem[] = [];
    for (const event of events) {
      const revision = event.kv?.modRevision ?? 0;
      if (revision < this.next) continue;
      if (revision !== this.openRevision) items.push(...this.close());
      this.openRevision = revision;
      this.open.push(event);
    }
    if (!fragment) items.push(...this.close());
    return items;
  }

  private close(): readonly WatchItem[] {
    const [revision, events] = [this.openRevision, this.open];
    this.begin();
    if (events.length === 0 || revision < this.next) return [];
    this.next = revision + 1;
    return [{ type: 'revision', revision, events }];
  }

  private progress(revision: number): readonly WatchItem[] {
    if (!this.trustsProgress || this.open.length > 0 || revision < this.next) return [];
    this.next = revision + 1;
    return [{ type: 'progress', revision }];
  }
}
