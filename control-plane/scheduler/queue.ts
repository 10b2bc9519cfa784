import { Alarm } from '../../lib/async/alarm';
import type { Clock } from '../../lib/clock';
import type { Change, Effect } from './changes';
import { Heap } from './heap';
import type { WakeEvent } from './plugins/plugin';
import { changeKey, PendingChanges } from './pending-changes';
import { isGated, type PodInfo } from './pod-info';
import { DEFAULT_SCHEDULER_NAME } from './profile';
import { jsonEqual } from '../../api/json-value';

/** One try at placing one pod, handed out by `pop`. */
export interface Attempt {
  readonly info: PodInfo;
  /** 1 for the first. */
  readonly number: number;
  /** What made the scheduler try. */
  readonly trigger: string;
  /** Monotonic: when the pod was first queued. */
  readonly queuedAtMs: number;
  /** Monotonic: when it was last taken before, or `queuedAtMs`. */
  readonly waitingSinceMs: number;
  /** Monotonic: when it was taken to be tried. */
  readonly takenAtMs: number;
}

/**
 * Where a pod waits.
 *
 *     add ──► active ──pop──► in-flight ──scheduled──► (gone)
 *               ▲  ▲             │  │
 *    backoff due│  │event, no    │  └─refused──► unschedulable ──event that may help──┐
 *               │  │backoff left │                    │ five minutes                  │
 *             backoff ◄──failed──┘                    └──────────► active or backoff ◄┘
 *
 *     gated: waits for its scheduling gates to be lifted
 */
export type QueueState = 'active' | 'backoff' | 'unschedulable' | 'gated' | 'in-flight';

export interface Waiting {
  readonly state: QueueState;
  readonly attempts: number;
  /** Wall-clock time, while in backoff. */
  readonly retryAtMs: number | undefined;
  /** Wall-clock time, while unschedulable: when it is tried again though nothing happened. */
  readonly retryByMs: number | undefined;
  /** While active: how many go before it. */
  readonly aheadCount: number | undefined;
  /** How many pods wait, each for whatever it is. */
  readonly queueSize: number;
  readonly wakeOn: ReadonlySet<WakeEvent>;
}

/** How many pods wait now. */
export interface QueueCounts {
  readonly pending: Readonly<Record<Exclude<QueueState, 'in-flight'>, number>>;
  /** By scheduler and plugin that refused them at their last attempt. */
  readonly unschedulable: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

export interface QueueDeps {
  readonly clock: Clock;
  /** Told of each pod that comes to a queue, and by what. */
  readonly onQueued?: (queue: QueueState, event: string) => void;
  /** The events that may lift a refusal by this plugin. */
  readonly wakeEventsOf: (plugin: string) => readonly WakeEvent[];
  /** Default: upstream's. */
  readonly backoff?: Backoff;
}

/** How long a pod waits after an attempt: doubling from the first to the last. */
export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
}

interface Entry {
  info: PodInfo;
  state: QueueState;
  attempts: number;
  trigger: string;
  /** Makes heap items stale: an item counts only while it carries the entry's ticket. */
  ticket: number;
  readyAtMs: number;
  lastAttemptMs: number;
  parkedAtMs: number;
  queuedAtMs: number;
  /** At the last attempt. */
  refusedBy: ReadonlySet<string>;
  /** Room is being made for it: once that is there, nothing is to wait for. */
  hasPromise: boolean;
  wakeOn: Set<WakeEvent>;
  /** What changed while the pod was in flight, by what changed and how. */
  missed: Map<string, Change>;
}

/** Carries its own sort keys: an entry may change while a stale item of it is in a heap. */
interface Item {
  readonly entry: Entry;
  readonly ticket: number;
  readonly priority: number;
  readonly readyAtMs: number;
}

/** Pods that want a node: by priority, then by arrival. One reader pops; all calls are synchronous. */
export class SchedulingQueue {
  private readonly entries = new Map<string, Entry>();
  private readonly active = new Heap<Item>(isAhead);
  private readonly backoff = new Heap<Item>((a, b) => a.readyAtMs < b.readyAtMs);
  /** In the order they were parked. */
  private readonly parked = new Map<string, Entry>();
  private readonly byEvent = new Map<WakeEvent, Set<Entry>>();
  private readonly inFlight = new Set<Entry>();
  private readonly changes = new PendingChanges((event) =>
    Math.max(1, Math.floor(CHECKS_MAX / this.waitingCount(event))),
  );
  /** The change that is being held against pods, and those that are left. */
  private checking: { readonly change: Change; readonly left: Entry[] } | undefined;
  private ticket = 0;
  private readonly alarm: Alarm;

  constructor(private readonly deps: QueueDeps) {
    this.alarm = new Alarm(deps.clock);
  }

  get size(): number {
    return this.entries.size;
  }

  /** About how many wait for nothing but their turn. */
  get readyCount(): number {
    return this.active.size;
  }

  has(uid: string): boolean {
    return this.entries.has(uid);
  }

  inspect(uid: string): Waiting | undefined {
    const entry = this.entries.get(uid);
    if (entry === undefined) return undefined;
    const { state, attempts, readyAtMs, parkedAtMs, wakeOn } = entry;
    const wallMs = (ms: number) => this.deps.clock.now() + ms - this.nowMs();
    return {
      ...{ state, attempts, wakeOn, queueSize: this.entries.size },
      retryAtMs: state === 'backoff' ? wallMs(readyAtMs) : undefined,
      retryByMs: state === 'unschedulable' ? wallMs(parkedAtMs + UNSCHEDULABLE_MAX_MS) : undefined,
      aheadCount: state === 'active' ? this.aheadOf(entry) : undefined,
    };
  }

  /** Looks at every pod: for who asks now and then. */
  counts(): QueueCounts {
    const pending = { active: 0, backoff: 0, unschedulable: 0, gated: 0 };
    const unschedulable = new Map<string, Map<string, number>>();
    for (const { state, info, refusedBy } of this.entries.values()) {
      if (state !== 'in-flight') pending[state]++;
      if (refusedBy.size === 0) continue;
      const { schedulerName = DEFAULT_SCHEDULER_NAME } = info.pod.spec;
      const own = unschedulable.get(schedulerName) ?? new Map<string, number>();
      for (const plugin of refusedBy) own.set(plugin, (own.get(plugin) ?? 0) + 1);
      unschedulable.set(schedulerName, own);
    }
    return { pending, unschedulable };
  }

  private aheadOf(entry: Entry): number {
    const own = itemOf(entry);
    let count = 0;
    for (const other of this.entries.values())
      if (other.state === 'active' && isAhead(itemOf(other), own)) count++;
    return count;
  }

  /** All pods that want a node and are not being tried, in no order. */
  waiting(): readonly PodInfo[] {
    const found: PodInfo[] = [];
    for (const { info, state } of this.entries.values())
      if (state !== 'in-flight') found.push(info);
    return found;
  }

  /** Those that have waited for a change so long, longest first. */
  parkedFor(ms: number): readonly PodInfo[] {
    const found: PodInfo[] = [];
    for (const { info, parkedAtMs } of this.parked.values()) {
      if (parkedAtMs + ms > this.nowMs()) break;
      found.push(info);
    }
    return found;
  }

  /** Does it wait for a change? */
  isParked(uid: string): boolean {
    return this.parked.has(uid);
  }

  /** Is there a change of which not all that wait have been told? */
  get hasChanges(): boolean {
    return this.checking !== undefined || this.changes.size > 0;
  }

  /** Has a pod that waits for a change tried without one. */
  rouse(uid: string, trigger: string): void {
    const entry = this.parked.get(uid);
    if (entry !== undefined) this.reactivate(entry, trigger);
  }

  /** Queues a pod, or takes note that it changed. False when full: offer it again later. */
  offer(info: PodInfo): boolean {
    const known = this.entries.get(info.uid);
    if (known !== undefined) {
      this.update(known, info);
      return true;
    }
    if (this.entries.size >= QUEUE_SIZE_MAX) return false;
    const entry = this.newEntry(info, 0);
    this.entries.set(info.uid, entry);
    if (isGated(info)) {
      entry.state = 'gated';
      this.deps.onQueued?.('gated', 'PodAdded');
    } else this.activate(entry, 'PodAdded');
    return true;
  }

  /** Hands out a pod before its turn; undefined where it does not wait, or must not be tried yet. */
  take(uid: string): Attempt | undefined {
    const entry = this.entries.get(uid);
    return entry !== undefined && mayBeTried(entry) ? this.launch(entry) : undefined;
  }

  /** Would `take` hand it out? */
  canTake(uid: string): boolean {
    const entry = this.entries.get(uid);
    return entry !== undefined && mayBeTried(entry);
  }

  /** Takes back an attempt whose binding failed after `scheduled`. */
  retry({ info, number, queuedAtMs }: Attempt, trigger: string): void {
    if (this.entries.has(info.uid)) return;
    const entry = { ...this.newEntry(info, number), queuedAtMs };
    this.entries.set(info.uid, entry);
    this.delay(entry, trigger);
  }

  remove(uid: string): void {
    const entry = this.entries.get(uid);
    if (entry === undefined) return;
    this.leave(entry);
    this.entries.delete(uid);
    this.alarm.wake();
  }

  /** Pods that the change may help are tried again. */
  wake(change: Change): void {
    for (const { missed } of this.inFlight) missed.set(changeKey(change.event, change.key), change);
    // Nobody waits for most changes, and there are many.
    if (this.waitingCount(change.event) === 0) return;
    this.changes.add(change);
    this.alarm.wake();
  }

  /** Waits for the next pod; `undefined` once `signal` aborts. */
  async pop(signal: AbortSignal): Promise<Attempt | undefined> {
    while (!signal.aborted) {
      this.settle();
      const entry = this.takeActive();
      if (entry !== undefined) return this.launch(entry);
      if (this.hasChanges) await nextTurn();
      else await this.waitForChange(signal);
    }
    return undefined;
  }

  /** The pod is assumed on a node: the queue knows it no more. */
  scheduled(uid: string): void {
    this.remove(uid);
  }

  /**
   * No node fits: waits for an event that may lift one of these plugins' refusals, and from then on for the rest of
   * its backoff, unless room is being made for it: what ends for it has come to its end.
   */
  refused(uid: string, refusedBy: ReadonlySet<string>, hasPromise = false): void {
    const entry = this.entries.get(uid);
    if (entry?.state !== 'in-flight') return;
    entry.hasPromise = hasPromise;
    const { missed } = entry;
    this.leave(entry);
    this.park(entry, refusedBy);
    for (const change of missed.values()) {
      if (!entry.wakeOn.has(change.event)) continue;
      this.apply(change, entry);
      if (!this.parked.has(uid)) return;
    }
  }

  /** The attempt broke for a reason that is not the pod's: tried again after its backoff. */
  failed(uid: string, trigger: string): void {
    const entry = this.entries.get(uid);
    if (entry?.state !== 'in-flight') return;
    this.leave(entry);
    this.delay(entry, trigger);
  }

  private update(entry: Entry, info: PodInfo): void {
    const { info: before, state } = entry;
    entry.info = info;
    if (state === 'gated' && !isGated(info)) {
      entry.queuedAtMs = this.nowMs();
      this.activate(entry, 'GatesLifted');
    } else if (state === 'unschedulable' && asksDifferently(before, info)) {
      this.reactivate(entry, 'PodUpdated');
    }
  }

  /** Brings the queues up to date with time and events; bounded work. */
  private settle(): void {
    const nowMs = this.nowMs();
    this.applyEvents();
    for (let item = this.backoff.peek(); item !== undefined; item = this.backoff.peek()) {
      const isStale = item.ticket !== item.entry.ticket;
      if (!isStale && item.readyAtMs > nowMs) break;
      this.backoff.pop();
      if (!isStale) this.activate(item.entry, item.entry.trigger, 'BackoffComplete');
    }
    for (const entry of this.parked.values()) {
      if (entry.parkedAtMs + UNSCHEDULABLE_MAX_MS > nowMs) break;
      this.reactivate(entry, 'PeriodicRetry');
    }
  }

  private waitingCount(event: WakeEvent): number {
    return this.byEvent.get(event)?.size ?? 0;
  }

  private applyEvents(): void {
    const endMs = this.nowMs() + TURN_MS;
    const checksMax = this.active.size > 0 ? CHECKS_PER_ATTEMPT : CHECKS_PER_TURN;
    for (let checks = 0; checks < checksMax && this.nowMs() <= endMs; checks++) {
      const next = this.nextCheck();
      if (next === undefined) return;
      this.apply(next.change, next.entry);
    }
  }

  private nextCheck(): { change: Change; entry: Entry } | undefined {
    for (;;) {
      this.checking ??= this.nextChange();
      if (this.checking === undefined) return undefined;
      const { change, left } = this.checking;
      const entry = left.pop();
      if (entry === undefined) this.checking = undefined;
      // Since the change was taken up it may have left, or have come back for another reason.
      else if (this.byEvent.get(change.event)?.has(entry) === true) return { change, entry };
    }
  }

  private nextChange(): { change: Change; left: Entry[] } | undefined {
    const change = this.changes.take();
    // Those who wait longest are asked first: what is left is taken from its end.
    return change && { change, left: [...(this.byEvent.get(change.event) ?? [])].reverse() };
  }

  private apply(change: Change, entry: Entry): void {
    const effect = effectOn(entry.info, change);
    if (effect === 'may-help') this.reactivate(entry, change.event);
    else if (effect !== 'no-help') this.waitAlso(entry, this.deps.wakeEventsOf(effect.refusedBy));
  }

  private takeActive(): Entry | undefined {
    for (let item = this.active.pop(); item !== undefined; item = this.active.pop()) {
      if (item.ticket === item.entry.ticket) return item.entry;
    }
    return undefined;
  }

  private launch(entry: Entry): Attempt {
    this.leave(entry);
    entry.state = 'in-flight';
    entry.attempts++;
    const waitingSinceMs = Math.max(entry.queuedAtMs, entry.lastAttemptMs);
    entry.lastAttemptMs = this.nowMs();
    entry.missed = new Map();
    entry.refusedBy = NOBODY;
    this.inFlight.add(entry);
    const { info, attempts, trigger, queuedAtMs, lastAttemptMs } = entry;
    const takenAtMs = lastAttemptMs;
    return { info, number: attempts, trigger, queuedAtMs, waitingSinceMs, takenAtMs };
  }

  private activate(entry: Entry, trigger: string, event = trigger): void {
    this.leave(entry);
    entry.state = 'active';
    entry.trigger = trigger;
    this.deps.onQueued?.('active', event);
    this.active.push(itemOf(entry));
    this.alarm.wake();
  }

  /** To `active`, or to `backoff` while the pod was tried too recently. */
  private reactivate(entry: Entry, trigger: string): void {
    const readyAtMs = entry.lastAttemptMs + this.backoffMsAfter(entry.attempts);
    if (entry.hasPromise || readyAtMs <= this.nowMs()) this.activate(entry, trigger);
    else this.delay(entry, trigger);
  }

  private delay(entry: Entry, trigger: string): void {
    this.leave(entry);
    entry.state = 'backoff';
    entry.trigger = trigger;
    this.deps.onQueued?.('backoff', trigger);
    entry.readyAtMs = entry.lastAttemptMs + this.backoffMsAfter(entry.attempts);
    this.backoff.push(itemOf(entry));
    this.alarm.wake();
  }

  private park(entry: Entry, refusedBy: ReadonlySet<string>): void {
    entry.state = 'unschedulable';
    entry.parkedAtMs = this.nowMs();
    entry.refusedBy = refusedBy;
    this.deps.onQueued?.('unschedulable', 'AttemptFailed');
    entry.wakeOn = new Set();
    this.parked.set(entry.info.uid, entry);
    this.waitAlso(entry, ['NodeAdded']);
    for (const plugin of refusedBy) this.waitAlso(entry, this.deps.wakeEventsOf(plugin));
  }

  /** A parked pod waits for these events as well. */
  private waitAlso(entry: Entry, events: readonly WakeEvent[]): void {
    for (const event of events) {
      entry.wakeOn.add(event);
      const waiting = this.byEvent.get(event) ?? new Set();
      this.byEvent.set(event, waiting.add(entry));
    }
  }

  /** Takes the entry out of wherever it waits. */
  private leave(entry: Entry): void {
    entry.ticket = ++this.ticket;
    this.inFlight.delete(entry);
    if (!this.parked.delete(entry.info.uid)) return;
    for (const event of entry.wakeOn) this.byEvent.get(event)?.delete(entry);
  }

  private async waitForChange(signal: AbortSignal): Promise<void> {
    const nextBackoffMs = this.backoff.peek()?.readyAtMs ?? Infinity;
    const [oldest] = this.parked.values();
    const nextFlushMs = (oldest?.parkedAtMs ?? Infinity) + UNSCHEDULABLE_MAX_MS;
    const waitMs = Math.min(nextBackoffMs, nextFlushMs, this.nowMs() + WAIT_MAX_MS) - this.nowMs();
    await this.alarm.sleep(Math.max(0, waitMs), signal);
  }

  private newEntry(info: PodInfo, attempts: number): Entry {
    return {
      info,
      state: 'active',
      attempts,
      trigger: '',
      ticket: 0,
      readyAtMs: 0,
      lastAttemptMs: this.nowMs(),
      parkedAtMs: 0,
      queuedAtMs: this.nowMs(),
      refusedBy: NOBODY,
      hasPromise: false,
      wakeOn: new Set(),
      missed: new Map(),
    };
  }

  private backoffMsAfter(attempts: number): number {
    return backoffMsAfter(attempts, this.deps.backoff);
  }

  private nowMs(): number {
    return this.deps.clock.monotonicMs();
  }
}

export const backoffMsAfter = (
  attempts: number,
  { initialMs, maxMs }: Backoff = DEFAULT_BACKOFF,
): number => Math.min(maxMs, initialMs * 2 ** Math.max(0, Math.min(attempts - 1, 30)));

// Tickets are given out in order: among equals the earlier arrival goes first.
const isAhead = (a: Item, b: Item): boolean =>
  a.priority === b.priority ? a.ticket < b.ticket : a.priority > b.priority;

const itemOf = (entry: Entry): Item => ({
  entry,
  ticket: entry.ticket,
  priority: entry.info.priority,
  readyAtMs: entry.readyAtMs,
});

const mayBeTried = ({ state }: Entry): boolean => state !== 'gated' && state !== 'in-flight';

// A status write, such as our own condition, changes nothing about what the pod asks for.
const asksDifferently = ({ pod: a }: PodInfo, { pod: b }: PodInfo): boolean =>
  !jsonEqual(a.spec, b.spec) || !jsonEqual(a.metadata.labels, b.metadata.labels);

/** A pod that breaks a plugin harms no other: at its attempt that shows, and is reported. */
const effectOn = (info: PodInfo, change: Change): Effect => {
  try {
    return change.effectOn(info);
  } catch {
    return 'may-help';
  }
};

const NOBODY: ReadonlySet<string> = new Set();

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** Upstream's figures. */
export const DEFAULT_BACKOFF: Backoff = { initialMs: 1_000, maxMs: 10_000 };
const UNSCHEDULABLE_MAX_MS = 300_000;
/** Beyond this, new pods wait in the API until there is room. */
const QUEUE_SIZE_MAX = 200_000;
/** So that a change does not hold up the process, nor pods that could be placed meanwhile. */
const CHECKS_PER_TURN = 500;
const CHECKS_PER_ATTEMPT = 20;
const TURN_MS = 5;
/** Of the changes of one event. A check costs about what an attempt does: beyond, all are tried again. */
const CHECKS_MAX = 500_000;
const WAIT_MAX_MS = 3_600_000;
