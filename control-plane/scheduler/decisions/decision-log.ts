import { onAbort } from '../../../lib/async/on-abort';
import { ApiError, notFound } from '../../../api/errors';
import { SCHEDULING_GROUP, type SchedulingDecision } from '../../../api/decisions';
import { SCHEDULING_DECISIONS } from '../../../api/resources';
import { keyOf, nameKey, type ObjectName } from '../../../api/types';
import type { ListResult, WatchEvent } from '../../../client/api-client';
import type { VirtualResource } from '../../../client/virtual-resource';
import { Channel } from '../../../lib/async/channel';
import type { Decision } from '../decide';
import { RecordHistory, type RecordEvent } from './record-history';
import {
  errorRecordOf,
  parseRecord,
  recordOf,
  type RecordContext,
  type RecordedAttempt,
} from './record';
import type { Segments } from './segments';
import { stringifyJson } from '../../../lib/json';

/**
 * The last records, in memory and in files, served as `SchedulingDecision` objects. A record never
 * changes; the oldest is deleted when a new one needs its room.
 */
export class DecisionLog implements VirtualResource<SchedulingDecision> {
  readonly resource = SCHEDULING_DECISIONS;
  /** Insertion order is age. */
  private readonly records = new Map<string, SchedulingDecision>();
  private readonly latestByPod = new Map<string, SchedulingDecision>();
  private readonly watchers = new Set<Channel<RecordEvent>>();
  private history: RecordHistory;
  private sequence = 0;

  /** Without `segments` records live in memory only. */
  constructor(
    private readonly segments?: Segments,
    private readonly recordCountMax = RECORD_COUNT_MAX,
  ) {
    this.history = this.newHistory();
  }

  /**
   * Reads back what an earlier run wrote. Call before anything else.
   * @param nowMs Wall-clock time. Versions go on from there, as a crash may have lost the last lines,
   * and none of their versions may come again.
   */
  async load(nowMs: number): Promise<void> {
    for (const line of (await this.segments?.load(this.recordCountMax)) ?? []) {
      const record = parseRecord(line);
      if (record === undefined) continue;
      this.sequence = Math.max(this.sequence, Number(record.metadata.resourceVersion));
      this.keep(record);
    }
    this.sequence = Math.max(Math.floor(nowMs), this.sequence + RESTART_GAP);
    this.history = this.newHistory();
  }

  record(decision: Decision, context: RecordContext): SchedulingDecision {
    this.makeRoom();
    return this.publish(recordOf(decision, context, ++this.sequence));
  }

  recordError(attempt: RecordedAttempt, message: string, timeMs: number): SchedulingDecision {
    this.makeRoom();
    return this.publish(errorRecordOf(attempt, message, timeMs, ++this.sequence));
  }

  /** The last attempt at placing this pod that is still remembered. */
  latest(podUid: string): SchedulingDecision | undefined {
    return this.latestByPod.get(podUid);
  }

  async get(name: ObjectName): Promise<SchedulingDecision> {
    const record = this.records.get(nameKey(name));
    if (record === undefined) {
      throw notFound(SCHEDULING_DECISIONS.plural, SCHEDULING_GROUP, name.name);
    }
    return record;
  }

  async list(namespace: string | undefined): Promise<ListResult<SchedulingDecision>> {
    const items = [...this.records.values()].filter(isIn(namespace));
    return { items, resourceVersion: String(this.sequence) };
  }

  /** `fromVersion` absent, empty or `0`: everything remembered, then what follows. */
  async *watch(
    namespace: string | undefined,
    fromVersion: string,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<SchedulingDecision>> {
    const known = this.knownSince(fromVersion);
    const channel = new Channel<RecordEvent>(WATCH_BUFFER_MAX + known.length);
    for (const event of known) channel.push(event);
    const end = () => channel.end();
    this.watchers.add(channel);
    onAbort(signal, end);
    try {
      if (signal.aborted) return;
      for await (const event of channel) if (isIn(namespace)(event.object)) yield event;
    } finally {
      this.watchers.delete(channel);
      signal.removeEventListener('abort', end);
    }
  }

  private knownSince(version: string): readonly RecordEvent[] {
    if (version === '' || version === '0')
      return [...this.records.values()].map((object) => ({ type: 'ADDED', object }));
    if (!/^\d{1,15}$/.test(version))
      throw new ApiError('BadRequest', `resourceVersion: Invalid value: "${version}"`);
    // From the future: another server's version, or one whose files are gone.
    const isKnown = Number(version) <= this.sequence;
    const events = isKnown ? this.history.since(Number(version)) : undefined;
    if (events !== undefined) return events;
    throw new ApiError('Expired', `too old resource version: ${version} (${this.sequence})`);
  }

  /** A record that comes means another that goes. */
  private newHistory(): RecordHistory {
    return new RecordHistory(this.sequence, 2 * this.recordCountMax);
  }

  private publish(record: SchedulingDecision): SchedulingDecision {
    this.keep(record);
    this.segments?.append(stringifyJson(record));
    this.tell({ type: 'ADDED', object: record });
    return record;
  }

  private tell(event: RecordEvent): void {
    this.history.append(event);
    for (const watcher of this.watchers) watcher.push(event);
  }

  private keep(record: SchedulingDecision): void {
    this.records.set(keyOf(record), record);
    this.latestByPod.set(record.spec.podUID, record);
  }

  private makeRoom(): void {
    const [oldest] = this.records.values();
    if (oldest === undefined || this.records.size < this.recordCountMax) return;
    this.records.delete(keyOf(oldest));
    const { podUID } = oldest.spec;
    if (this.latestByPod.get(podUID) === oldest) this.latestByPod.delete(podUID);
    const metadata = { ...oldest.metadata, resourceVersion: String(++this.sequence) };
    this.tell({ type: 'DELETED', object: { ...oldest, metadata } });
  }
}

const isIn =
  (namespace = '') =>
  ({ metadata }: SchedulingDecision): boolean =>
    namespace === '' || metadata.namespace === namespace;

const RECORD_COUNT_MAX = 10_000;
const WATCH_BUFFER_MAX = 10_000;
/** More versions than records wait to be written. */
const RESTART_GAP = 100_000;
