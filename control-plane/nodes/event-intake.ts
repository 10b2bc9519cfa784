import { hasReason } from '../../api/errors';
import { EVENTS } from '../../api/resources';
import type { Event } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { Semaphore } from '../../lib/async/semaphore';
import { rfc3339, type Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';

const MAX_REMEMBERED_EVENTS = 4096;
const MAX_WAITING_EVENTS = 1000;
const MAX_MESSAGE_LENGTH = 1024;
const CONCURRENT_WRITES = 8;

interface Remembered {
  readonly namespace: string;
  readonly name: string;
  readonly count: number;
}

/**
 * Writes the events that agents report. A repeated one raises the count of the first instead of
 * making another. Events are a courtesy: beyond its bounds the intake drops them.
 */
export class EventIntake {
  private readonly remembered = new Map<string, Remembered>();
  private readonly slots = new Semaphore(CONCURRENT_WRITES);
  private waitingCount = 0;

  constructor(
    private readonly deps: {
      readonly client: ApiClient;
      readonly clock: Clock;
      readonly log: Log;
    },
  ) {}

  async accept(nodeName: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const event = parseEvent(bytes);
    if (event === undefined || this.waitingCount >= MAX_WAITING_EVENTS) return;
    this.waitingCount++;
    try {
      await this.slots.use(() => this.write(nodeName, event, signal));
    } catch (error) {
      if (!signal.aborted)
        this.deps.log.debug({ node: nodeName, err: describeError(error) }, 'event not stored');
    } finally {
      this.waitingCount--;
    }
  }

  private async write(nodeName: string, event: EventDraft, signal: AbortSignal): Promise<void> {
    const key = JSON.stringify([nodeName, event.involvedObject, event.reason, event.message]);
    const before = this.remembered.get(key);
    if (before !== undefined && (await this.repeat(key, before, signal))) return;
    const created = await this.deps.client.create(EVENTS, this.draft(nodeName, event), {}, signal);
    const { namespace = '', name } = created.metadata;
    this.remember(key, { namespace, name, count: 1 });
  }

  private async repeat(key: string, before: Remembered, signal: AbortSignal): Promise<boolean> {
    const count = before.count + 1;
    const patch = { count, lastTimestamp: rfc3339(this.deps.clock.now()) };
    try {
      await this.deps.client.patch(EVENTS, before, 'merge', patch, {}, signal);
    } catch (error) {
      this.remembered.delete(key);
      if (hasReason(error, 'NotFound')) return false;
      throw error;
    }
    this.remember(key, { ...before, count });
    return true;
  }

  private remember(key: string, event: Remembered): void {
    this.remembered.delete(key);
    this.remembered.set(key, event);
    for (const oldest of this.remembered.keys()) {
      if (this.remembered.size <= MAX_REMEMBERED_EVENTS) break;
      this.remembered.delete(oldest);
    }
  }

  private draft(nodeName: string, event: EventDraft) {
    const now = this.deps.clock.now();
    const { involvedObject } = event;
    const namespace = involvedObject.namespace ?? '';
    const unique = process.hrtime.bigint().toString(16);
    return {
      ...event,
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        namespace: namespace === '' ? 'default' : namespace,
        name: `${involvedObject.name ?? nodeName}.${unique}`,
      },
      source: { component: 'kubelet', host: nodeName },
      reportingComponent: 'kubelet',
      reportingInstance: nodeName,
      firstTimestamp: rfc3339(now),
      lastTimestamp: rfc3339(now),
      count: 1,
    };
  }
}

type EventDraft = Pick<Event, 'reason' | 'message' | 'type'> & {
  readonly involvedObject: NonNullable<Event['involvedObject']>;
};

const parseEvent = (bytes: Uint8Array): EventDraft | undefined => {
  let value: Partial<Event>;
  try {
    value = JSON.parse(Buffer.from(bytes).toString()) as Partial<Event>;
  } catch {
    return undefined;
  }
  const { involvedObject, reason, message, type } = value;
  if (typeof involvedObject !== 'object' || typeof reason !== 'string') return undefined;
  if (typeof message !== 'string') return undefined;
  return {
    involvedObject,
    reason: reason.slice(0, 128),
    message: message.slice(0, MAX_MESSAGE_LENGTH),
    type: type === 'Warning' ? 'Warning' : 'Normal',
  };
};
