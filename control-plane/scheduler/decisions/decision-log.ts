import { ApiError, notFound } from '../../../api/errors';
import { SCHEDULING_GROUP, type SchedulingDecision } from '../../../api/decisions';
import { SCHEDULING_DECISIONS } from '../../../api/resources';
import { keyOf, nameKey, type ObjectName } from '../../../api/types';
import type { ListResult, WatchEvent } from '../../../client/api-client';
import type { VirtualResource } from '../../../client/virtual-resource';
import { Channel } from '../../../lib/async/channel';
import type { Decision } from '../decide';
import type { Attempt } from '../queue';
import { errorRecordOf, parseRecord, recordOf, type RecordContext } from './record';
import type { Segments } from './segments';

/**
 * The last records, in memory and in files, served as `SchedulingDecision` objects. Records only
 * ever appear: a watch sends no deletion when an old one makes room.
 */
export class DecisionLog implements VirtualResource<SchedulingDecision> {
  readonly resource = SCHEDULING_DECISIONS;
  /** Insertion order is age. */
  private readonly records = new Map<string, SchedulingDecision>();
  private readonly latestByPod = new Map<string, SchedulingDecision>();
  private readonly watchers = new Set<Channel<SchedulingDecision>>();
  private sequence = 0;
  private evictedUpTo = 0;

  /** Without `segments` records live in memory only. */
  constructor(
    private readonly segments?: Segments,
    private readonly recordCountMax = RECORD_COUNT_MAX,
  ) {}

  /** Reads back what an earlier run wrote. Call before anything else. */
  async load(): Promise<void> {
    for (const line of (await this.segments?.load(this.recordCountMax)) ?? []) {
      const record = parseRecord(line);
      if (record === undefined) continue;
      this.sequence = Math.max(this.sequence, Number(record.metadata.resourceVersion));
      this.keep(record);
    }
    // What the files no longer hold, a watcher cannot be told of.
    const [oldest] = this.records.values();
    this.evictedUpTo = Math.max(0, Number(oldest?.metadata.resourceVersion ?? 1) - 1);
  }

  record(decision: Decision, context: RecordContext): SchedulingDecision {
    return this.publish(recordOf(decision, context, ++this.sequence));
  }

  recordError(attempt: Attempt, message: string, timeMs: number): SchedulingDecision {
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
    const from = this.parseVersion(fromVersion);
    const channel = new Channel<SchedulingDecision>(WATCH_BUFFER_MAX + this.records.size);
    for (const record of this.records.values()) {
      if (Number(record.metadata.resourceVersion) > from) channel.push(record);
    }
    const end = () => channel.end();
    this.watchers.add(channel);
    signal.addEventListener('abort', end, { once: true });
    try {
      if (signal.aborted) return;
      for await (const object of channel) {
        if (isIn(namespace)(object)) yield { type: 'ADDED', object };
      }
    } finally {
      this.watchers.delete(channel);
      signal.removeEventListener('abort', end);
    }
  }

  private parseVersion(version: string): number {
    if (version === '' || version === '0') return 0;
    const from = Number(version);
    if (!/^\d{1,15}$/.test(version)) {
      throw new ApiError('BadRequest', `resourceVersion: Invalid value: "${version}"`);
    }
    if (from < this.evictedUpTo) {
      throw new ApiError('Expired', `too old resource version: ${from} (${this.evictedUpTo + 1})`);
    }
    return from;
  }

  private publish(record: SchedulingDecision): SchedulingDecision {
    this.keep(record);
    this.segments?.append(JSON.stringify(record));
    for (const watcher of this.watchers) watcher.push(record);
    return record;
  }

  private keep(record: SchedulingDecision): void {
    const key = keyOf(record);
    this.records.delete(key);
    this.records.set(key, record);
    this.latestByPod.set(record.spec.podUID, record);
    if (this.records.size <= this.recordCountMax) return;
    const [oldest] = this.records.values();
    if (oldest !== undefined) this.evict(oldest);
  }

  private evict(oldest: SchedulingDecision): void {
    this.records.delete(keyOf(oldest));
    this.evictedUpTo = Number(oldest.metadata.resourceVersion);
    const { podUID } = oldest.spec;
    if (this.latestByPod.get(podUID) === oldest) this.latestByPod.delete(podUID);
  }
}

const isIn =
  (namespace = '') =>
  ({ metadata }: SchedulingDecision): boolean =>
    namespace === '' || metadata.namespace === namespace;

const RECORD_COUNT_MAX = 10_000;
const WATCH_BUFFER_MAX = 10_000;
