import type { Event } from '../../api/types';
import type { EventDraft, EventWriter } from '../../client/event-writer';
import type { Clock } from '../../lib/clock';
import { parseObject } from './agent-json';

const MAX_REASON_LENGTH = 128;

const MAX_MESSAGE_LENGTH = 4096;
/** As long as a name may be; a path to a field is about that. */
const MAX_FIELD_LENGTH = 253;
const REFERENCE_FIELDS = [
  ...['apiVersion', 'kind', 'namespace', 'name', 'uid', 'resourceVersion', 'fieldPath'],
];
const MAX_EVENT_BYTES = 64 * 1024;
/** As the kubelet's event-qps and event-burst. */
const EVENTS_PER_SECOND = 50;
const EVENTS_BURST = 100;

/**
 * Takes the events that one node's agent reports. They are a courtesy: malformed ones are dropped,
 * and those beyond a rate, as one node's must not crowd out the others'.
 */
export class EventIntake {
  private allowance = EVENTS_BURST;
  private atMs: number;

  constructor(
    private readonly writer: Pick<EventWriter, 'record'>,
    private readonly clock: Clock,
  ) {
    this.atMs = clock.monotonicMs();
  }

  accept(nodeName: string, bytes: Uint8Array): void {
    if (bytes.length > MAX_EVENT_BYTES || !this.isAllowed()) return;
    const draft = parseEvent(nodeName, bytes);
    if (draft !== undefined) this.writer.record(draft);
  }

  private isAllowed(): boolean {
    const nowMs = this.clock.monotonicMs();
    const earned = ((nowMs - this.atMs) * EVENTS_PER_SECOND) / 1000;
    this.allowance = Math.min(EVENTS_BURST, this.allowance + earned);
    this.atMs = nowMs;
    if (this.allowance < 1) return false;
    this.allowance--;
    return true;
  }
}

/** Only what a reference has, cut: events are remembered by it. */
const referenceOf = (object: Readonly<Record<string, unknown>>): EventDraft['involvedObject'] => {
  const fields = REFERENCE_FIELDS.flatMap((field) => {
    const value = object[field];
    return typeof value === 'string' ? [[field, value.slice(0, MAX_FIELD_LENGTH)]] : [];
  });
  return Object.fromEntries(fields) as EventDraft['involvedObject'];
};

const parseEvent = (host: string, bytes: Uint8Array): EventDraft | undefined => {
  const { involvedObject, reason, message, type } =
    parseObject<Record<keyof Event, unknown>>(bytes) ?? {};
  if (typeof involvedObject !== 'object' || involvedObject === null) return undefined;
  if (typeof reason !== 'string' || typeof message !== 'string') return undefined;
  return {
    involvedObject: referenceOf(involvedObject as Readonly<Record<string, unknown>>),
    reason: reason.slice(0, MAX_REASON_LENGTH),
    message: message.slice(0, MAX_MESSAGE_LENGTH),
    type: type === 'Warning' ? 'Warning' : 'Normal',
    // The name that upstream's tools know for what runs pods on a node.
    source: { component: 'kubelet', host },
  };
};
