import type { Clock } from '../../../lib/clock';
import type { Item } from './item';

/** A list as it was at one version. */
export interface Snapshot {
  readonly items: readonly Item[];
  readonly resourceVersion: number;
}

/**
 * Keeps the snapshots behind continue tokens, so that later pages show the state of the first. A
 * snapshot shares its objects with the cache: it costs one array.
 */
export class PageSnapshots {
  private readonly snapshots = new Map<string, { snapshot: Snapshot; usedAtMs: number }>();

  constructor(private readonly clock: Clock) {}

  keep(scope: string, snapshot: Snapshot): void {
    const key = keyOf(scope, snapshot.resourceVersion);
    this.snapshots.delete(key);
    this.snapshots.set(key, { snapshot, usedAtMs: this.clock.monotonicMs() });
    this.dropOld();
  }

  find(scope: string, resourceVersion: number): Snapshot | undefined {
    this.dropOld();
    return this.snapshots.get(keyOf(scope, resourceVersion))?.snapshot;
  }

  private dropOld(): void {
    const oldestMs = this.clock.monotonicMs() - MAX_AGE_MS;
    for (const [key, { usedAtMs }] of this.snapshots) {
      if (usedAtMs >= oldestMs && this.snapshots.size <= MAX_SNAPSHOTS) return;
      this.snapshots.delete(key);
    }
  }
}

const keyOf = (scope: string, resourceVersion: number): string => `${resourceVersion} ${scope}`;

const MAX_AGE_MS = 5 * 60_000;
const MAX_SNAPSHOTS = 128;
