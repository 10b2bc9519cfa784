import type { ApiObject } from '../../api/types';
import type { Clock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';

export interface EventReport {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** Where the agent's parts report what people should see in `describe`. */
export interface EventSink {
  /** `fieldPath`: `spec.containers{web}` */
  emit(object: ApiObject, event: EventReport, fieldPath?: string): void;
}

/** As the kubelet refers to its node in events: by its name for a uid. */
export const nodeObject = (name: string): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, uid: name },
});

const MAX_WAITING_EVENTS = 1000;
/** Events are in nobody's way for this long, and then go several at a time. */
const HOLD_MS = 100;

/** Events until they are sent. When the server is away the oldest are dropped. */
export class EventOutbox implements EventSink {
  private waiting: Buffer[] = [];
  private dueMs = Infinity;
  private wake: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  emit(object: ApiObject, { type, reason, message }: EventReport, fieldPath?: string): void {
    const { namespace, name, uid, resourceVersion } = object.metadata;
    const involvedObject = {
      apiVersion: object.apiVersion,
      kind: object.kind,
      namespace,
      name,
      uid,
      resourceVersion,
      fieldPath,
    };
    this.waiting.push(Buffer.from(stringifyJson({ involvedObject, type, reason, message })));
    if (this.waiting.length > MAX_WAITING_EVENTS) this.waiting.shift();
    if (this.waiting.length === 1) this.dueMs = this.clock.monotonicMs() + HOLD_MS;
    this.wake?.();
  }

  /** Up to `count` events, once they are due. */
  take(count: number): Buffer[] {
    return this.idleMs() > 0 ? [] : this.waiting.splice(0, count);
  }

  /** Milliseconds until `take` has something to give; Infinity while nothing waits. */
  idleMs(): number {
    if (this.waiting.length === 0) return Infinity;
    return Math.max(0, this.dueMs - this.clock.monotonicMs());
  }

  onWaiting(listener: () => void): void {
    this.wake = listener;
  }
}
