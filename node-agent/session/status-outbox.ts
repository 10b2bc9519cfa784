import type { PodStatus } from '../../api/types';
import type { PodStatusUpdate } from '../../proto/gen/dhow/agent/v1/agent';

/** What a pod's worker wants the server to know. */
export interface PodReport {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly status: PodStatus;
  readonly terminated: boolean;
}

interface Entry {
  readonly update: PodStatusUpdate;
  state: 'waiting' | 'sent' | 'stored';
  /** A newer report came while an older one was on its way. */
  next: PodStatusUpdate | undefined;
}

/**
 * The latest status of every pod until the server has stored it. At most one per pod is on its way,
 * so an older one never overtakes a newer, and nothing grows beyond one entry per pod.
 */
export class StatusOutbox {
  private readonly entries = new Map<string, Entry>();
  private wake: (() => void) | undefined;

  put(report: PodReport): void {
    const status = Buffer.from(JSON.stringify(report.status));
    const update: PodStatusUpdate = { ...report, status };
    const entry = this.entries.get(report.uid);
    if (entry?.state === 'sent') entry.next = update;
    else if (entry?.state !== 'stored' || !isSame(entry.update, update))
      this.entries.set(report.uid, { update, state: 'waiting', next: undefined });
    this.wake?.();
  }

  /** The pod is gone from the server: nobody wants to hear of it. */
  forget(uid: string): void {
    this.entries.delete(uid);
  }

  /** A new session begins: say everything again, the server skips what it knows. */
  restart(): void {
    for (const [uid, { update, next }] of this.entries)
      this.entries.set(uid, { update: next ?? update, state: 'waiting', next: undefined });
    this.wake?.();
  }

  /** Up to `count` updates that are not on their way yet. */
  take(count: number): PodStatusUpdate[] {
    const waiting = [...this.entries.values()].filter(({ state }) => state === 'waiting');
    const taken = waiting.slice(0, count);
    for (const entry of taken) entry.state = 'sent';
    return taken.map(({ update }) => update);
  }

  acknowledge(uid: string): void {
    const entry = this.entries.get(uid);
    if (entry?.state !== 'sent') return;
    if (entry.next === undefined) entry.state = 'stored';
    else this.entries.set(uid, { update: entry.next, state: 'waiting', next: undefined });
    this.wake?.();
  }

  /** True when the server has stored the latest report of this pod. */
  isStored(uid: string): boolean {
    return this.entries.get(uid)?.state === 'stored';
  }

  get hasWaiting(): boolean {
    return [...this.entries.values()].some(({ state }) => state === 'waiting');
  }

  /** `listener` runs whenever there may be something to take. */
  onWaiting(listener: () => void): void {
    this.wake = listener;
  }
}

const isSame = (a: PodStatusUpdate, b: PodStatusUpdate): boolean =>
  a.terminated === b.terminated && a.status.equals(b.status);
