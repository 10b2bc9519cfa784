import { containersIn } from '../../api/pod-in';
import type { Pod } from '../../api/types';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { ImageService, LocalImage } from '../../runtime/image-service';

interface ImageCollectorDeps {
  readonly images: ImageService;
  /** Pods whose containers may start again: their images stay. */
  readonly pods: () => Iterable<Pod>;
  /** Share of the images' disk in use, 0 to 1. */
  readonly diskUse: () => Promise<number>;
  /** Told after each turn, in which images may have gone. */
  readonly records: { prune(): Promise<void> };
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Frees disk: snapshots that nothing needs at every turn; images that no pod uses, longest unused
 * first, once the disk is fuller than the high mark and until it is below the low one.
 */
export class ImageCollector {
  /** Image id → when it was last seen in use, or first seen at all. */
  private readonly usedAtMs = new Map<string, number>();

  constructor(private readonly deps: ImageCollectorDeps) {}

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.deps;
    for (;;) {
      await clock.sleep(PERIOD_MS, signal);
      if (signal.aborted) return;
      try {
        await this.collect(signal);
      } catch (error) {
        log.warn({ err: describeError(error) }, 'image collection failed');
      }
    }
  }

  async collect(signal?: AbortSignal): Promise<void> {
    try {
      await this.makeRoom(signal);
    } finally {
      await this.deps.records.prune();
    }
  }

  /** Removes all images that no pod uses, whatever room there is. */
  async removeUnused(signal?: AbortSignal): Promise<void> {
    try {
      for (const image of await this.unused()) await this.removeImage(image, signal);
      await this.deps.images.collectGarbage(signal);
    } finally {
      await this.deps.records.prune();
    }
  }

  private async makeRoom(signal: AbortSignal | undefined): Promise<void> {
    const { images, diskUse, log } = this.deps;
    const candidates = await this.unused();
    await images.collectGarbage(signal);
    if ((await diskUse()) < HIGH_USE) return;
    for (const image of candidates) {
      if ((await diskUse()) < LOW_USE) return;
      await this.removeImage(image, signal);
    }
    if ((await diskUse()) >= HIGH_USE) log.warn({}, 'disk is full, and no image is left to remove');
  }

  private async removeImage(image: LocalImage, signal: AbortSignal | undefined): Promise<void> {
    const { images, log } = this.deps;
    signal?.throwIfAborted();
    for (const name of [...image.references, ...image.repoDigests]) await images.remove(name);
    const freedBytes = await images.collectGarbage(signal);
    this.usedAtMs.delete(image.id);
    log.info({ image: image.id, references: image.references, freedBytes }, 'image removed');
  }

  /** Longest unused first. */
  private async unused(): Promise<readonly LocalImage[]> {
    const { images, clock } = this.deps;
    const nowMs = clock.monotonicMs();
    const all = await images.list();
    const used = await this.usedIds();
    for (const { id } of all) {
      if (used.has(id) || !this.usedAtMs.has(id)) this.usedAtMs.set(id, nowMs);
    }
    const ids = new Set(all.map(({ id }) => id));
    for (const id of this.usedAtMs.keys()) if (!ids.has(id)) this.usedAtMs.delete(id);
    const usedAt = ({ id }: LocalImage): number => this.usedAtMs.get(id) ?? nowMs;
    return all
      .filter((image) => !used.has(image.id) && nowMs - usedAt(image) >= AGE_MIN_MS)
      .sort((a, b) => usedAt(a) - usedAt(b));
  }

  private async usedIds(): Promise<ReadonlySet<string>> {
    const ids = new Set<string>();
    for (const { spec } of this.deps.pods()) {
      const names = [
        ...containersIn(spec).map(([{ image }]) => image),
        ...(spec.volumes ?? []).map(({ image }) => image?.reference),
      ];
      for (const name of names) {
        const local = await this.deps.images.find(name ?? '').catch(() => undefined);
        if (local !== undefined) ids.add(local.id);
      }
    }
    return ids;
  }
}

const PERIOD_MS = 300_000;
/** An image just pulled has a pod about to use it. */
const AGE_MIN_MS = 120_000;
const HIGH_USE = 0.85;
const LOW_USE = 0.8;
