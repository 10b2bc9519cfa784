import type { Change } from './changes';
import type { WakeEvent } from './plugins/plugin';

/**
 * What has changed and has not been held against the pods that wait for it: the earliest first. Bounded:
 * of one event, too many changes become a single one that may help whoever waits.
 */
export class PendingChanges {
  private readonly byKey = new Map<string, Change>();
  private readonly counts = new Map<WakeEvent, number>();

  get size(): number {
    return this.byKey.size;
  }

  /** @param countMaxOf How many there may be of an event: fewer, the more wait for it. */
  constructor(private readonly countMaxOf: (event: WakeEvent) => number) {}

  add(change: Change): void {
    const { event } = change;
    if (this.byKey.has(changeKey(event, ANY))) return;
    const key = changeKey(event, change.key);
    if (!this.byKey.has(key)) {
      const count = (this.counts.get(event) ?? 0) + 1;
      if (count > this.countMaxOf(event)) {
        this.becomeOne(event);
        return;
      }
      this.counts.set(event, count);
    }
    this.byKey.set(key, change);
  }

  take(): Change | undefined {
    const [first] = this.byKey.values();
    if (first === undefined) return undefined;
    const { event } = first;
    const count = this.counts.get(event) ?? 1;
    // More may wait by now than when it came.
    if (count > this.countMaxOf(event)) {
      this.becomeOne(event);
      return this.removed(changeKey(event, ANY));
    }
    return this.removed(changeKey(event, first.key));
  }

  private removed(key: string): Change | undefined {
    const change = this.byKey.get(key);
    if (change === undefined) return undefined;
    this.byKey.delete(key);
    this.counts.set(change.event, (this.counts.get(change.event) ?? 1) - 1);
    return change;
  }

  private becomeOne(event: WakeEvent): void {
    for (const [key, change] of this.byKey) if (change.event === event) this.byKey.delete(key);
    this.counts.set(event, 1);
    this.byKey.set(changeKey(event, ANY), { event, key: ANY, effectOn: () => 'may-help' });
  }
}

/** Of the same event and thing, the later change stands for both. */
export const changeKey = (event: WakeEvent, key: string): string => `${event} ${key}`;

/** No change is called so. */
const ANY = '';
