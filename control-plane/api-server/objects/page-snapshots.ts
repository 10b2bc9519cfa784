import type { Clock } from '../../../lib/clock';
import type { Item } from './item';

/** A list as it was at one version. */
export interface Snapshot {
  readonly items: readonly Item[];
  readonly resourceVersion: number;
  /** The source has an order of its own, as by age; otherwise by namespace, then name. */
  readonly isInOwnOrder?: boolean;
}

/**
 * Keeps the snapshots behind continue tokens, so that later pages show the state of the first. A
 * snapshot shares its objects with the cache, until they change: what it holds is bounded as if it
 * shared none.
 */
export class PageSnapshots {
  private readonly snapshots = new Map<string, Kept>();
  private bytes = 0;

  constructor(
    private readonly clock: Clock,
    private readonly bytesMax: number,
  ) {}

  keep(scope: string, snapshot: Snapshot): void {
    const key = keyOf(scope, snapshot.resourceVersion);
    const bytes = this.drop(key) ?? bytesOf(snapshot);
    this.snapshots.set(key, { snapshot, bytes, usedAtMs: this.clock.monotonicMs() });
    this.bytes += bytes;
    this.dropOld();
  }

  find(scope: string, resourceVersion: number): Snapshot | undefined {
    this.dropOld();
    return this.snapshots.get(keyOf(scope, resourceVersion))?.snapshot;
  }

  /** Of all scopes that begin so. */
  forget(prefix: string): void {
    for (const key of this.snapshots.keys())
      if (key.slice(key.indexOf(' ') + 1).startsWith(prefix)) this.drop(key);
  }

  private dropOld(): void {
    const oldestMs = this.clock.monotonicMs() - MAX_AGE_MS;
    for (const [key, { usedAtMs }] of this.snapshots) {
      const isTooMuch = this.snapshots.size > MAX_SNAPSHOTS || this.bytes > this.bytesMax;
      // The newest stays, however large: its reader could never see the second page.
      if (usedAtMs >= oldestMs && (!isTooMuch || this.snapshots.size === 1)) return;
      this.drop(key);
    }
  }

  /** What it took up. */
  private drop(key: string): number | undefined {
    const bytes = this.snapshots.get(key)?.bytes;
    this.snapshots.delete(key);
    this.bytes -= bytes ?? 0;
    return bytes;
  }
}

interface Kept {
  readonly snapshot: Snapshot;
  readonly bytes: number;
  readonly usedAtMs: number;
}

const bytesOf = ({ items }: Snapshot): number =>
  items.reduce((sum, { raw }) => sum + raw.length + ITEM_BYTES, 0);

const keyOf = (scope: string, resourceVersion: number): string => `${resourceVersion} ${scope}`;

const MAX_AGE_MS = 5 * 60_000;
const MAX_SNAPSHOTS = 128;
const ITEM_BYTES = 128;
