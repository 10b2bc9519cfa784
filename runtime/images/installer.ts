import { Semaphore } from '../../lib/async/semaphore';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { PullProgress } from '../image-service';
import type { ContentStore, Ingestion } from './content-store';
import type { ImageIndex, ImageRecord } from './image-index';
import type { Leases } from './leases';
import {
  CONFIG_MAX_BYTES,
  ManifestError,
  parseConfig,
  type Descriptor,
  type ImageManifest,
  type ParsedConfig,
} from './manifest';
import { hostPlatform } from './platform';
import { SharedFlights } from './shared-flight';
import { chainIdsOf, type SnapshotStore } from './snapshots';
import { linkedController } from '../../lib/async/linked-controller';
import { inOneLine } from './words';

/** Where an image's blobs come from: a registry or an archive. */
export interface BlobSource {
  /** Fills and commits the ingestion. `onBytes` gets each change of its offset. */
  fetch(
    ingestion: Ingestion,
    onBytes: (deltaBytes: number) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

interface InstallerDeps {
  readonly content: ContentStore;
  readonly snapshots: SnapshotStore;
  readonly index: ImageIndex;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly log: Log;
}

interface Layer {
  readonly descriptor: Descriptor;
  readonly diffId: string;
  /** Of this layer and those below, bottom first. */
  readonly chainIds: readonly string[];
}

/** Brings the layers of one image here, unpacks what is missing, and registers the image. */
export class Installer {
  private readonly downloads = new SharedFlights<undefined>();
  private readonly unpacks = new SharedFlights<undefined>();
  private readonly downloadSlots: Semaphore;

  constructor(private readonly deps: InstallerDeps) {
    const { clock } = deps;
    this.downloadSlots = new Semaphore(DOWNLOADS_MAX, { holdMaxMs: SLOT_HELD_MAX_MS, clock });
  }

  async install(
    source: BlobSource,
    manifest: ImageManifest,
    names: Pick<ImageRecord, 'references' | 'repoDigests'>,
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<ImageRecord> {
    const digests = [manifest.config.digest, ...manifest.layers.map(({ digest }) => digest)];
    const blobs = this.deps.leases.take(digests);
    try {
      const parsed = await this.config(source, manifest, signal);
      const layers = layersOf(manifest, parsed);
      const chainIds = layers.map(chainIdOf);
      const snapshots = this.deps.leases.take(chainIds);
      try {
        await this.layers(source, layers, onProgress, signal);
        // Whoever gave up must not find the image here later, and brought by nobody.
        signal.throwIfAborted();
        return await this.deps.index.put({
          ...names,
          id: manifest.config.digest,
          sizeBytes: sum(manifest.layers),
          layers: manifest.layers.map(({ digest, size }) => ({ digest, sizeBytes: size })),
          chainIds,
          config: parsed.config,
        });
      } finally {
        snapshots[Symbol.dispose]();
      }
    } finally {
      blobs[Symbol.dispose]();
      await this.dropBlobs(digests);
    }
  }

  /** Waits for what still winds down after an abort. */
  async drain(): Promise<void> {
    await this.downloads.drain();
    await this.unpacks.drain();
  }

  private async config(
    source: BlobSource,
    { config, layers }: ImageManifest,
    signal: AbortSignal,
  ): Promise<ParsedConfig> {
    if (config.size > CONFIG_MAX_BYTES) throw new ManifestError('image config is too large');
    await this.download(source, config, () => undefined, signal);
    const parsed = parseConfig(await this.deps.content.read(config.digest), layers.length);
    const { os, architecture } = hostPlatform();
    const isForeign =
      (parsed.os !== '' && parsed.os !== os) ||
      (parsed.architecture !== '' && parsed.architecture !== architecture);
    if (isForeign) {
      throw new ManifestError(
        `image is for ${inOneLine(`${parsed.os}/${parsed.architecture}`, 100)}, this host is ${os}/${architecture}`,
      );
    }
    return parsed;
  }

  /** Downloads run ahead, unpacking goes from the bottom up: a layer may refer to those below. */
  private async layers(
    source: BlobSource,
    layers: readonly Layer[],
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const missing = layers.filter((layer) => !this.deps.snapshots.has(chainIdOf(layer)));
    const totalBytes = sum(missing.map(({ descriptor }) => descriptor));
    await this.expectRoom(totalBytes);
    let doneBytes = 0;
    const onBytes = (deltaBytes: number): void => {
      doneBytes += deltaBytes;
      onProgress({ doneBytes, totalBytes });
    };
    using failed = linkedController(signal);
    const downloads = missing.map(({ descriptor }) =>
      this.downloadSlots.use(() => this.download(source, descriptor, onBytes, failed.signal)),
    );
    try {
      for (const [i, layer] of missing.entries()) {
        await Promise.race([downloads[i], firstFailure(downloads)]);
        await this.unpack(layer, signal);
      }
    } catch (error) {
      failed.abort(error);
      throw error;
    } finally {
      await Promise.allSettled(downloads);
    }
  }

  /** Filling the disk to find out would harm all that share it. */
  private async expectRoom(neededBytes: number): Promise<void> {
    const freeBytes = await this.deps.content.freeBytes();
    if (neededBytes <= freeBytes) return;
    throw new Error(`no room: layers of ${neededBytes} bytes, and ${freeBytes} bytes are free`);
  }

  private async download(
    source: BlobSource,
    { digest, size }: Descriptor,
    onBytes: (deltaBytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { content } = this.deps;
    await this.downloads.join(
      digest,
      async (flightSignal) => {
        if (await content.has(digest)) {
          onBytes(size);
          return undefined;
        }
        await using ingestion = await content.ingest(digest, size);
        if (ingestion.offset > 0) onBytes(ingestion.offset);
        await source.fetch(ingestion, onBytes, flightSignal);
        return undefined;
      },
      signal,
    );
  }

  private async unpack(layer: Layer, signal: AbortSignal): Promise<void> {
    const { content, snapshots, log } = this.deps;
    const { digest } = layer.descriptor;
    await this.unpacks.join(
      chainIdOf(layer),
      async (flightSignal) => {
        if (snapshots.has(chainIdOf(layer))) return undefined;
        const blobPath = content.pathOf(digest);
        const { diffId } = layer;
        const result = await snapshots.add(
          layer.chainIds,
          { blobPath, digest, diffId },
          flightSignal,
        );
        if (result.notes.length > 0) log.debug({ digest, notes: result.notes }, 'layer unpacked');
        return undefined;
      },
      signal,
    );
  }

  /** Once unpacked, a compressed layer is dead weight: the snapshot stands for it. */
  private async dropBlobs(digests: readonly string[]): Promise<void> {
    for (const digest of digests) {
      if (!this.deps.leases.holds(digest)) await this.deps.content.remove(digest);
    }
  }
}

const layersOf = (manifest: ImageManifest, { diffIds }: ParsedConfig): readonly Layer[] => {
  const chainIds = chainIdsOf(diffIds);
  return manifest.layers.map((descriptor, i) => ({
    descriptor,
    diffId: diffIds[i] ?? '',
    chainIds: chainIds.slice(0, i + 1),
  }));
};

const chainIdOf = ({ chainIds }: Layer): string => chainIds[chainIds.length - 1] ?? '';

const sum = (descriptors: readonly Descriptor[]): number =>
  descriptors.reduce((total, { size }) => total + size, 0);

/** Rejects as soon as one does; otherwise stays pending. */
const firstFailure = (promises: readonly Promise<void>[]): Promise<never> =>
  new Promise((_resolve, reject) => {
    for (const promise of promises) promise.catch(reject);
  });

const DOWNLOADS_MAX = 3;
/** A registry that keeps its downloads waiting must not keep those of others from beginning. */
const SLOT_HELD_MAX_MS = 10_000;
