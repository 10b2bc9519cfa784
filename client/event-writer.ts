import { hasReason } from '../api/errors';
import { EVENTS } from '../api/resources';
import { nameOf, type Event, type ObjectName } from '../api/types';
import { rfc3339, type Clock } from '../lib/clock';
import { describeError, type Log } from '../lib/log';
import type { ApiClient, DraftOf } from './api-client';
import { SpamFilter } from './spam-filter';
import { stringifyJson } from '../lib/json';

export interface EventWriterDeps {
  readonly client: Pick<ApiClient, 'create' | 'patch'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is said of an object, by whom: all of an event but its name and its times. */
export type EventDraft = Pick<Event, 'type' | 'reason' | 'message' | 'source'> & {
  readonly involvedObject: NonNullable<Event['involvedObject']>;
};

interface Waiting {
  readonly event: DraftOf<Event>;
  count: number;
}

interface Written extends ObjectName {
  readonly count: number;
}

/**
 * Writes `v1 Event` objects, a little later and a few at a time: they inform people and must not
 * hold up the writes that make things happen, nor the thread that makes them. One like an earlier one
 * raises the count of that.
 * At most `MAX_WAITING` wait, later ones are dropped: the log says how many. Of one source about one object
 * they are bounded by a `SpamFilter`.
 */
export class EventWriter {
  private waiting = new Map<string, Waiting>();
  private readonly written = new Map<string, Written>();
  private readonly spam: SpamFilter;
  private isWriting = false;
  private sequence = 0;
  private droppedCount = 0;

  constructor(private readonly deps: EventWriterDeps) {
    this.spam = new SpamFilter(deps.clock);
  }

  /** Never blocks or fails the caller. */
  record(draft: EventDraft): void {
    if (!this.spam.admits(subjectOf(draft))) return;
    const key = keyOf(draft);
    const alike = this.waiting.get(key);
    if (alike !== undefined) alike.count++;
    else if (this.waiting.size < MAX_WAITING)
      this.waiting.set(key, { event: this.eventOf(draft), count: 1 });
    else this.droppedCount++;
    if (!this.isWriting) void this.writeAll();
  }

  private async writeAll(): Promise<void> {
    this.isWriting = true;
    while (this.waiting.size > 0) {
      await this.deps.clock.sleep(DELAY_MS);
      this.tellDropped();
      const batch = this.waiting;
      this.waiting = new Map();
      const rest = batch.entries();
      await Promise.all(Array.from({ length: WRITERS }, () => this.writeEach(rest)));
    }
    this.isWriting = false;
  }

  /** In one line, whatever their number: a flood of events is not to become one of the log. */
  private tellDropped(): void {
    if (this.droppedCount === 0) return;
    this.deps.log.warn({ count: this.droppedCount }, 'events dropped, too many wait');
    this.droppedCount = 0;
  }

  private async writeEach(rest: Iterable<readonly [string, Waiting]>): Promise<void> {
    for (const [key, waiting] of rest) await this.write(key, waiting);
  }

  private async write(key: string, { event, count }: Waiting): Promise<void> {
    try {
      const known = this.written.get(key);
      if (known !== undefined && (await this.raise(key, known, count))) return;
      const stored = await this.deps.client.create(EVENTS, { ...event, count });
      this.remember(key, { ...nameOf(stored), count });
    } catch (error) {
      this.deps.log.debug({ reason: event.reason, err: describeError(error) }, 'event not stored');
    }
  }

  /** False when the earlier one has expired. */
  private async raise(key: string, known: Written, by: number): Promise<boolean> {
    const count = known.count + by;
    const patch = { count, lastTimestamp: rfc3339(this.deps.clock.now()) };
    this.written.delete(key);
    try {
      await this.deps.client.patch(EVENTS, known, 'merge', patch);
    } catch (error) {
      if (hasReason(error, 'NotFound')) return false;
      throw error;
    }
    this.remember(key, { ...known, count });
    return true;
  }

  private remember(key: string, event: Written): void {
    this.written.set(key, event);
    if (this.written.size <= MAX_REMEMBERED) return;
    const { value: oldest } = this.written.keys().next();
    if (oldest !== undefined) this.written.delete(oldest);
  }

  private eventOf(draft: EventDraft): DraftOf<Event> {
    const { involvedObject, source } = draft;
    const nowMs = this.deps.clock.now();
    const stamp = rfc3339(nowMs);
    // Upstream names events after the object and a time in hexadecimal nanoseconds.
    const suffix = (BigInt(nowMs) * 1_000_000n + BigInt(this.sequence++ % 1_000_000)).toString(16);
    const name = `${involvedObject.name ?? source?.host ?? ''}.${suffix}`;
    // Objects without a namespace have their events in the default one.
    const namespace = involvedObject.namespace ?? '';
    return {
      ...draft,
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: namespace === '' ? 'default' : namespace },
      message: (draft.message ?? '').slice(0, MAX_MESSAGE_LENGTH),
      reportingComponent: source?.component ?? '',
      reportingInstance: source?.host ?? '',
      firstTimestamp: stamp,
      lastTimestamp: stamp,
    };
  }
}

/** Alike are events that say the same of the same object: not of an earlier object of its name. */
const keyOf = ({ involvedObject, type, reason, message, source }: EventDraft): string => {
  const { kind, namespace, name, uid, fieldPath } = involvedObject;
  const { component, host } = source ?? {};
  const parts = [kind, namespace, name, uid, fieldPath, component, host, type, reason, message];
  return stringifyJson(parts);
};

/** Who speaks of what. Source: upstream's getSpamKey. */
const subjectOf = ({ involvedObject, source }: EventDraft): string => {
  const { kind, namespace, name, uid } = involvedObject;
  return stringifyJson([source?.component, source?.host, kind, namespace, name, uid]);
};

const DELAY_MS = 200;
/** Enough to fill a commit of the store. */
const WRITERS = 32;
const MAX_WAITING = 1000;
const MAX_REMEMBERED = 4096;
const MAX_MESSAGE_LENGTH = 1024;
