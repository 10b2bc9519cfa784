import type { Event } from '../../api/types';
import type { EventDraft, EventWriter } from '../../client/event-writer';
import { parseObject } from './agent-json';

const MAX_REASON_LENGTH = 128;

/** Takes the events that agents report. They are a courtesy: malformed ones are dropped. */
export class EventIntake {
  constructor(private readonly writer: EventWriter) {}

  accept(nodeName: string, bytes: Uint8Array): void {
    const draft = parseEvent(nodeName, bytes);
    if (draft !== undefined) this.writer.record(draft);
  }
}

const parseEvent = (host: string, bytes: Uint8Array): EventDraft | undefined => {
  const { involvedObject, reason, message, type } =
    parseObject<Record<keyof Event, unknown>>(bytes) ?? {};
  if (typeof involvedObject !== 'object' || involvedObject === null) return undefined;
  if (typeof reason !== 'string' || typeof message !== 'string') return undefined;
  return {
    involvedObject: involvedObject,
    reason: reason.slice(0, MAX_REASON_LENGTH),
    message,
    type: type === 'Warning' ? 'Warning' : 'Normal',
    // The name that upstream's tools know for what runs pods on a node.
    source: { component: 'kubelet', host },
  };
};
