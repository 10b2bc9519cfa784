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

/** Pods that the server knows by other uids than this node. */
interface PodNames {
  /** Undefined: the server does not know the pod yet. */
  reportedUid(uid: string): string | undefined;
  ownUid(reportedUid: string): string;
}

const SAME_NAMES: PodNames = { reportedUid: (uid) => uid, ownUid: (uid) => uid };

interface Update {
  readonly message: PodStatusUpdate;
  /** Not to be sent before, on the monotonic clock. */
  readonly dueMs: number;
}

interface Entry extends Update {
  readonly state: 'waiting' | 'sent' | 'stored';
  /** When it was sent, on the monotonic clock. */
  readonly sentMs?: number;
  /** A newer report came while an older one was on its way. */
  readonly next?: Update | undefined;
  /** Older ones on their way whose answers may still come: an answer does not say what it is to. */
  readonly olderCount: number;
}

/** Steps on the way to running wait this long, so that most pods report once: that they run. */
const HOLD_MS = 150;

/** An answer that takes longer may never come: say it again, the server keeps one of each pod. */
const REPEAT_AFTER_MS = 60_000;
/** The server cannot store an older one, its store may be full: a newer may be of more use. */
const REPLACE_AFTER_MS = 1_000;

/**
 * The latest status of every pod, and whether the server has stored it. A newer one waits a moment
 * for the answer to the older, and the server keeps the latest it got: an older one never overtakes
 * a newer, and nothing grows beyond one entry per pod.
 */
export class StatusOutbox {
  private readonly entries = new Map<string, Entry>();
  private wake: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly names: PodNames = SAME_NAMES,
  ) {}

  put(report: PodReport): void {
    const entry = this.entries.get(report.uid);
    const message = { ...report, status: Buffer.from(stringifyJson(report.status)) };
    const update = { message, dueMs: this.dueMs(report, entry) };
    const isKnown = entry !== undefined && isSame(entry.message, message);
    if (entry?.state === 'sent')
      this.entries.set(report.uid, { ...entry, next: isKnown ? undefined : update });
    else if (entry?.state !== 'stored' || !isKnown)
      this.entries.set(report.uid, {
        ...update,
        state: 'waiting',
        olderCount: entry?.olderCount ?? 0,
      });
    this.wake?.();
  }

  /** The pod is gone from the server: nobody wants to hear of it. */
  forget(uid: string): void {
    this.entries.delete(uid);
  }

  /** The server knows the pod by another name now: say everything again. */
  renamed(uid: string): void {
    const entry = this.entries.get(uid);
    if (entry === undefined) return;
    const { message, dueMs, next } = entry;
    this.entries.set(uid, { ...(next ?? { message, dueMs }), state: 'waiting', olderCount: 0 });
    this.wake?.();
  }

  /** A new session begins: say everything again, the server skips what it knows. */
  restart(): void {
    for (const [uid, { message, dueMs, next }] of this.entries)
      this.entries.set(uid, { ...(next ?? { message, dueMs }), state: 'waiting', olderCount: 0 });
    this.wake?.();
  }

  /** Up to `count` updates that are due and not on their way yet. */
  take(count: number): PodStatusUpdate[] {
    const nowMs = this.clock.monotonicMs();
    const due = [...this.entries].flatMap(([uid, entry]) => {
      const name = this.names.reportedUid(uid);
      return name === undefined || sendAtMs(entry) > nowMs ? [] : [{ uid, entry, name }];
    });
    return due.slice(0, count).map(({ uid, entry, name }) => {
      const { message, dueMs } = entry.next ?? entry;
      const olderCount = entry.olderCount + (entry.next === undefined ? 0 : 1);
      this.entries.set(uid, { message, dueMs, state: 'sent', sentMs: nowMs, olderCount });
      return { ...message, uid: name };
    });
  }

  /** By the uid that `take` gave. */
  acknowledge(reportedUid: string): void {
    const uid = this.names.ownUid(reportedUid);
    const entry = this.entries.get(uid);
    if (entry?.state !== 'sent') return;
    const { next, message, dueMs, olderCount } = entry;
    if (next !== undefined) this.entries.set(uid, { ...next, state: 'waiting', olderCount });
    else if (olderCount === 0) this.entries.set(uid, { ...entry, state: 'stored' });
    // It may have been the answer to an older one: that to the next cannot be.
    else this.entries.set(uid, { message, dueMs, state: 'waiting', olderCount: olderCount - 1 });
    this.wake?.();
  }

  /** True when the server has stored the latest report of this pod. */
  isStored(uid: string): boolean {
    return this.entries.get(uid)?.state === 'stored';
  }

  /** Milliseconds until `take` has something to give; Infinity while nothing waits. */
  idleMs(): number {
    const known = [...this.entries].filter(([uid]) => this.names.reportedUid(uid) !== undefined);
    const dueMs = Math.min(...known.map(([, entry]) => sendAtMs(entry)));
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

const sendAtMs = ({ state, dueMs, sentMs = 0, next }: Entry): number => {
  if (state === 'stored') return Infinity;
  if (state === 'waiting') return dueMs;
  return next === undefined
    ? sentMs + REPEAT_AFTER_MS
    : Math.max(next.dueMs, sentMs + REPLACE_AFTER_MS);
};

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
