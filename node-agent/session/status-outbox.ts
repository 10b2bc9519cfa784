import type { ContainerStatus, PodStatus } from '../../api/types';
import type { Clock } from '../../lib/clock';
import type { PodStatusUpdate } from '../../proto/gen/dhow/agent/v1/agent';
import { stringifyJson } from '../../lib/json';

/** What a pod's worker wants the server to know. */
export interface PodReport {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly status: PodStatus;
  readonly terminated: boolean;
}

interface Update {
  readonly message: PodStatusUpdate;
  /** Not to be sent before, on the monotonic clock. */
  readonly dueMs: number;
}

interface Entry extends Update {
  readonly state: 'waiting' | 'sent' | 'stored';
  /** A newer report came while an older one was on its way. */
  readonly next?: Update | undefined;
}

/** Steps on the way to running wait this long, so that most pods report once: that they run. */
const HOLD_MS = 150;

/**
 * The latest status of every pod until the server has stored it. At most one per pod is on its way,
 * so an older one never overtakes a newer, and nothing grows beyond one entry per pod.
 */
export class StatusOutbox {
  private readonly entries = new Map<string, Entry>();
  private wake: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  put(report: PodReport): void {
    const entry = this.entries.get(report.uid);
    const message = { ...report, status: Buffer.from(stringifyJson(report.status)) };
    const update = { message, dueMs: this.dueMs(report, entry) };
    const isKnown = entry !== undefined && isSame(entry.message, message);
    if (entry?.state === 'sent')
      this.entries.set(report.uid, { ...entry, next: isKnown ? undefined : update });
    else if (entry?.state !== 'stored' || !isKnown)
      this.entries.set(report.uid, { ...update, state: 'waiting' });
    this.wake?.();
  }

  /** The pod is gone from the server: nobody wants to hear of it. */
  forget(uid: string): void {
    this.entries.delete(uid);
  }

  /** A new session begins: say everything again, the server skips what it knows. */
  restart(): void {
    for (const [uid, { message, dueMs, next }] of this.entries)
      this.entries.set(uid, { ...(next ?? { message, dueMs }), state: 'waiting' });
    this.wake?.();
  }

  /** Up to `count` updates that are due and not on their way yet. */
  take(count: number): PodStatusUpdate[] {
    const nowMs = this.clock.monotonicMs();
    const due = [...this.entries].filter(
      ([, { state, dueMs }]) => state === 'waiting' && dueMs <= nowMs,
    );
    const taken = due.slice(0, count);
    for (const [uid, entry] of taken) this.entries.set(uid, { ...entry, state: 'sent' });
    return taken.map(([, { message }]) => message);
  }

  acknowledge(uid: string): void {
    const entry = this.entries.get(uid);
    if (entry?.state !== 'sent') return;
    const { next } = entry;
    if (next === undefined) this.entries.set(uid, { ...entry, state: 'stored' });
    else this.entries.set(uid, { ...next, state: 'waiting' });
    this.wake?.();
  }

  /** True when the server has stored the latest report of this pod. */
  isStored(uid: string): boolean {
    return this.entries.get(uid)?.state === 'stored';
  }

  /** Milliseconds until `take` has something to give; Infinity while nothing waits. */
  idleMs(): number {
    const waiting = [...this.entries.values()].filter(({ state }) => state === 'waiting');
    const dueMs = Math.min(...waiting.map(({ dueMs }) => dueMs));
    return Math.max(0, dueMs - this.clock.monotonicMs());
  }

  /** `listener` runs whenever there may be something to take. */
  onWaiting(listener: () => void): void {
    this.wake = listener;
  }

  private dueMs(report: PodReport, entry: Entry | undefined): number {
    const nowMs = this.clock.monotonicMs();
    if (!isStepToRunning(report)) return nowMs;
    // The first of several steps decides how long all of them wait.
    const held = entry?.state === 'waiting' ? entry : entry?.next;
    return held?.dueMs ?? nowMs + HOLD_MS;
  }
}

/** Nothing went wrong, nothing runs yet: of little interest if better news comes soon. */
const isStepToRunning = ({ status, terminated }: PodReport): boolean => {
  const { phase, initContainerStatuses = [], containerStatuses = [] } = status;
  if (terminated || phase !== 'Pending') return false;
  return [...initContainerStatuses, ...containerStatuses].every(isAboutToStart);
};

const isAboutToStart = ({ state, lastState }: ContainerStatus): boolean =>
  lastState?.terminated === undefined &&
  (state?.waiting?.reason === 'ContainerCreating' || state?.waiting?.reason === 'PodInitializing');

const isSame = (a: PodStatusUpdate, b: PodStatusUpdate): boolean =>
  a.terminated === b.terminated && a.status.equals(b.status);
