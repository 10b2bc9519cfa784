import type { ApiObject } from '../../api/types';

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

const MAX_WAITING_EVENTS = 1000;

/** Events until they are sent. When the server is away the oldest are dropped. */
export class EventOutbox implements EventSink {
  private waiting: Buffer[] = [];
  private wake: (() => void) | undefined;

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
    this.waiting.push(Buffer.from(JSON.stringify({ involvedObject, type, reason, message })));
    if (this.waiting.length > MAX_WAITING_EVENTS) this.waiting.shift();
    this.wake?.();
  }

  take(count: number): Buffer[] {
    return this.waiting.splice(0, count);
  }

  get hasWaiting(): boolean {
    return this.waiting.length > 0;
  }

  onWaiting(listener: () => void): void {
    this.wake = listener;
  }
}
