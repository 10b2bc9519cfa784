import { hasReason } from '../api/errors';
import { EVENTS, apiVersionOf, type Resource } from '../api/resources';
import type { ApiObject, Event } from '../api/types';
import { rfc3339, type Clock } from '../lib/clock';
import type { Log } from '../lib/log';
import type { ApiClient, DraftOf } from './api-client';

export type EventType = 'Normal' | 'Warning';

/** Tells people what happened to an object. Never blocks or fails the caller. */
export interface EventRecorder {
  event(
    resource: Resource,
    object: ApiObject,
    type: EventType,
    reason: string,
    message: string,
  ): void;
}

export interface EventRecorderDeps {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly log: Log;
  /** `source.component` and `reportingComponent`. */
  readonly component: string;
  /** `source.host`; absent for the control plane. */
  readonly host?: string;
}

/**
 * Records events as `v1 Event` objects. An event like the last one of its object raises that one's
 * count; at most `MAX_PENDING` wait to be written, later ones are dropped with a log line.
 */
export class ApiEventRecorder implements EventRecorder {
  private readonly recent = new Map<string, Event>();
  private pendingCount = 0;
  private tail: Promise<void> = Promise.resolve();
  private sequence = 0;

  constructor(private readonly deps: EventRecorderDeps) {}

  event(
    resource: Resource,
    object: ApiObject,
    type: EventType,
    reason: string,
    message: string,
  ): void {
    if (this.pendingCount >= MAX_PENDING) {
      this.deps.log.warn({ reason, object: object.metadata.name }, 'event dropped, too many wait');
      return;
    }
    this.pendingCount++;
    this.tail = this.tail
      .then(() => this.write(resource, object, type, reason, message))
      .catch((error: unknown) => this.deps.log.debug({ err: error }, 'event not recorded'))
      .finally(() => this.pendingCount--);
  }

  /** Resolves when all events so far are written or dropped. */
  async flush(): Promise<void> {
    await this.tail;
  }

  private async write(
    resource: Resource,
    object: ApiObject,
    type: EventType,
    reason: string,
    message: string,
  ): Promise<void> {
    const key = [object.metadata.uid, type, reason, message].join('\0');
    const known = this.recent.get(key);
    if (known !== undefined && (await this.raiseCount(key, known))) return;
    const draft = this.draft(resource, object, type, reason, message);
    this.remember(key, await this.deps.client.create(EVENTS, draft));
  }

  private async raiseCount(key: string, known: Event): Promise<boolean> {
    try {
      const { namespace = '', name } = known.metadata;
      const patch = {
        count: (known.count ?? 1) + 1,
        lastTimestamp: rfc3339(this.deps.clock.now()),
      };
      const raised = await this.deps.client.patch(EVENTS, { namespace, name }, 'merge', patch);
      this.remember(key, raised);
      return true;
    } catch (error) {
      this.recent.delete(key);
      if (hasReason(error, 'NotFound')) return false;
      throw error;
    }
  }

  private remember(key: string, event: Event): void {
    this.recent.delete(key);
    this.recent.set(key, event);
    if (this.recent.size <= MAX_REMEMBERED) return;
    const { value: oldest } = this.recent.keys().next();
    if (oldest !== undefined) this.recent.delete(oldest);
  }

  private draft(
    resource: Resource,
    object: ApiObject,
    type: EventType,
    reason: string,
    message: string,
  ): DraftOf<Event> {
    const { metadata } = object;
    const nowMs = this.deps.clock.now();
    const stamp = rfc3339(nowMs);
    // Upstream names events after the object and a time in hexadecimal nanoseconds.
    const suffix = (BigInt(nowMs) * 1_000_000n + BigInt(this.sequence++ % 1_000_000)).toString(16);
    const namespace = metadata.namespace ?? 'default';
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${metadata.name}.${suffix}`, namespace },
      involvedObject: {
        apiVersion: apiVersionOf(resource),
        kind: resource.kind,
        name: metadata.name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
        ...(metadata.resourceVersion === undefined
          ? {}
          : { resourceVersion: metadata.resourceVersion }),
      },
      type,
      reason,
      message: message.slice(0, MAX_MESSAGE_LENGTH),
      source: {
        component: this.deps.component,
        ...(this.deps.host === undefined ? {} : { host: this.deps.host }),
      },
      reportingComponent: this.deps.component,
      reportingInstance: this.deps.host ?? '',
      firstTimestamp: stamp,
      lastTimestamp: stamp,
      count: 1,
    };
  }
}

const MAX_PENDING = 1000;
const MAX_REMEMBERED = 4096;
const MAX_MESSAGE_LENGTH = 1024;
