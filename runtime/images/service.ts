import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import {
  ImageError,
  type ImageService,
  type LocalImage,
  type PullOptions,
  type PullProgress,
  type RegistryCredentials,
} from '../image-service';
import { Unpacker } from '../rootfs/unpacker';
import { ContentStore, type Ingestion } from './content-store';
import type { EndpointsFor } from './endpoints';
import { ConnectionError } from './http';
import { ImageIndex, type ImageRecord } from './image-index';
import { Installer, type BlobSource } from './installer';
import { Leases } from './leases';
import { ManifestError, parseManifest, type ImageManifest } from './manifest';
import { Pins } from './pins';
import { choosePlatform } from './platform';
import { formatReference, parseReference, repositoryName, type ImageReference } from './reference';
import { RegistryClient, RegistryStatusError } from './registry-client';
import { SharedFlights } from './shared-flight';
import { SnapshotStore } from './snapshots';
import { linkedController } from '../../lib/async/linked-controller';

export interface ImageServiceOptions {
  /** Folder for blobs, snapshots and the index; made if missing, 0700. One process at a time. */
  readonly stateDir: string;
  readonly endpoints: EndpointsFor;
  /** The bundled `unpack-worker.js`. Absent: layers are unpacked in this process. */
  readonly workerPath?: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
}

/** Opens the images in `stateDir`, clearing what a crash left half done. */
export const createImageService = async (options: ImageServiceOptions): Promise<ImageService> => {
  const { stateDir, log } = options;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const unpacker = new Unpacker(options.workerPath);
  const parts = {
    content: await ContentStore.open(stateDir),
    snapshots: await SnapshotStore.open(join(stateDir, 'snapshots'), unpacker),
    index: await ImageIndex.open(join(stateDir, 'images.json'), log),
    pins: await Pins.open(join(stateDir, 'pins')),
    leases: new Leases(),
    unpacker,
  };
  const isWhole = ({ chainIds }: ImageRecord): boolean =>
    chainIds.every((chainId) => parts.snapshots.has(chainId));
  const broken = parts.index.list().filter((image) => !isWhole(image));
  if (broken.length > 0) {
    const images = broken.map(({ id }) => id);
    log.warn({ images }, 'images lost layers and must be pulled again');
    await parts.index.drop(images);
  }
  return new LocalImageService(options, parts);
};

interface Parts {
  readonly content: ContentStore;
  readonly snapshots: SnapshotStore;
  readonly index: ImageIndex;
  readonly pins: Pins;
  readonly leases: Leases;
  readonly unpacker: Unpacker;
}

class LocalImageService implements ImageService {
  private readonly installer: Installer;
  private readonly pulls = new SharedFlights<ImageRecord>();
  private readonly listeners = new Map<string, Set<(progress: PullProgress) => void>>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly options: ImageServiceOptions,
    private readonly parts: Parts,
  ) {
    this.installer = new Installer({ ...parts, log: options.log });
  }

  async find(reference: string): Promise<LocalImage | undefined> {
    const record = this.lookUp(parseReference(reference));
    return record === undefined ? undefined : this.toLocal(record);
  }

  async pull(
    reference: string,
    { credentials, onProgress }: PullOptions,
    signal?: AbortSignal,
  ): Promise<LocalImage> {
    const parsed = parseReference(reference);
    // Who may not read an image must not ride on the pull of somebody who may.
    const key = `${formatReference(parsed)} ${fingerprint(credentials)}`;
    const listeners = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, listeners);
    if (onProgress !== undefined) listeners.add(onProgress);
    const emit = (progress: PullProgress): void => {
      for (const listener of listeners) listener(progress);
    };
    const work = async (flight: AbortSignal): Promise<ImageRecord> => {
      using either = linkedController(flight, this.stopping.signal);
      return await this.pullNow(parsed, credentials, emit, either.signal);
    };
    try {
      return this.toLocal(await this.pulls.join(key, work, signal));
    } finally {
      if (onProgress !== undefined) listeners.delete(onProgress);
      if (listeners.size === 0) this.listeners.delete(key);
    }
  }

  async list(): Promise<readonly LocalImage[]> {
    return this.parts.index.list().map((record) => this.toLocal(record));
  }

  async remove(reference: string): Promise<void> {
    const parsed = parseReference(reference);
    const { digest } = parsed;
    const name =
      digest === undefined ? formatReference(parsed) : `${repositoryName(parsed)}@${digest}`;
    await this.parts.index.removeReference(name);
  }

  async collectGarbage(signal?: AbortSignal): Promise<number> {
    const { content, snapshots, index, pins, leases } = this.parts;
    let freedBytes = 0;
    for (const { chainId } of snapshots.list()) {
      signal?.throwIfAborted();
      const isUsed =
        leases.holds(chainId) ||
        pins.holds(chainId) ||
        index.find(({ chainIds }) => chainIds.includes(chainId)) !== undefined;
      if (!isUsed) freedBytes += await snapshots.remove(chainId);
    }
    for (const digest of await content.list()) {
      if (!leases.holds(digest)) freedBytes += await content.remove(digest);
    }
    freedBytes += await content.removePartials((digest) => leases.holds(digest));
    return freedBytes;
  }

  pin(imageId: string, owner: string): void {
    const record = this.parts.index.get(imageId);
    if (record === undefined) {
      throw new ImageError('ErrImagePull', `image ${imageId} is not here any more: pull it again`);
    }
    this.parts.pins.add(owner, record.chainIds);
  }

  unpin(owner: string): void {
    this.parts.pins.remove(owner);
  }

  pinOwners(): readonly string[] {
    return this.parts.pins.owners();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort(new Error('the image service is stopping'));
    await this.pulls.drain();
    await this.installer.drain();
    await this.parts.unpacker[Symbol.asyncDispose]();
  }

  private async pullNow(
    reference: ImageReference,
    credentials: RegistryCredentials | undefined,
    emit: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<ImageRecord> {
    // A digest names the content itself: what is here cannot have changed.
    const known = reference.digest === undefined ? undefined : this.lookUp(reference);
    if (known !== undefined) return known;
    const name = formatReference(reference);
    try {
      const { manifest, digest, source } = await this.resolve(reference, credentials, signal);
      const repoDigests = [`${repositoryName(reference)}@${digest}`];
      const names = { references: [name], repoDigests };
      return await this.installer.install(source, manifest, names, emit, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw pullError(name, error);
    }
  }

  /** Asks the endpoints in turn; the first that has the manifest also gives the blobs. */
  private async resolve(
    reference: ImageReference,
    credentials: RegistryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<ResolvedImage> {
    const clients = this.options
      .endpoints(reference)
      .map((endpoint) => new RegistryClient(endpoint, reference, credentials, this.options));
    const failures: unknown[] = [];
    for (const [i, client] of clients.entries()) {
      try {
        const { manifest, digest } = await resolveManifest(client, reference, signal);
        return { manifest, digest, source: registrySource(clients.slice(i)) };
      } catch (error) {
        signal.throwIfAborted();
        // The image was found and is no good: another copy of it would not be better.
        if (error instanceof ManifestError) throw error;
        failures.push(error);
      }
    }
    throw new ResolveError(formatReference(reference), failures);
  }

  private lookUp(reference: ImageReference): ImageRecord | undefined {
    const { digest } = reference;
    if (digest === undefined) {
      const name = formatReference(reference);
      return this.parts.index.find(({ references }) => references.includes(name));
    }
    const name = `${repositoryName(reference)}@${digest}`;
    return this.parts.index.find(({ repoDigests }) => repoDigests.includes(name));
  }

  private toLocal({ chainIds, ...record }: ImageRecord): LocalImage {
    return { ...record, lowerDirs: this.parts.snapshots.lowerDirs(chainIds) };
  }
}

interface ResolvedImage {
  readonly manifest: ImageManifest;
  /** What the reference means at the registry: of the index, if it is one. */
  readonly digest: string;
  readonly source: BlobSource;
}

/** No endpoint gave the image. */
class ResolveError extends Error {
  readonly isUnavailable: boolean;

  constructor(name: string, failures: readonly unknown[]) {
    const isMissing = (error: unknown): boolean =>
      error instanceof RegistryStatusError && error.status === 404;
    const others = failures.filter((error) => !isMissing(error)).map(describeError);
    const why = others.length === 0 ? `${name}: not found` : [...new Set(others)].join('; ');
    super(`failed to resolve reference "${name}": ${why}`);
    this.name = 'ResolveError';
    this.isUnavailable = failures.at(-1) instanceof ConnectionError;
  }
}

const resolveManifest = async (
  client: RegistryClient,
  { tag, digest: wanted }: ImageReference,
  signal: AbortSignal,
): Promise<{ manifest: ImageManifest; digest: string }> => {
  const { digest, content } = await client.manifest(wanted ?? tag ?? 'latest', signal);
  const parsed = parseManifest(content);
  if (parsed.kind === 'manifest') return { manifest: parsed.manifest, digest };
  const chosen = choosePlatform(parsed.index.manifests);
  const inner = parseManifest((await client.manifest(chosen.digest, signal)).content);
  if (inner.kind === 'index') throw new ManifestError('an index inside an index is not supported');
  return { manifest: inner.manifest, digest };
};

/** Blobs from the first client that gives them. */
const registrySource = (clients: readonly RegistryClient[]): BlobSource => ({
  fetch: async (ingestion: Ingestion, onBytes, signal) => {
    for (const [i, client] of clients.entries()) {
      try {
        await client.blob(ingestion, onBytes, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (i === clients.length - 1) throw error;
      }
    }
  },
});

const pullError = (name: string, error: unknown): ImageError => {
  const isUnavailable = error instanceof ResolveError && error.isUnavailable;
  return new ImageError(
    isUnavailable ? 'RegistryUnavailable' : 'ErrImagePull',
    `failed to pull and unpack image "${name}": ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  );
};

const fingerprint = (credentials: RegistryCredentials | undefined): string =>
  credentials === undefined
    ? ''
    : createHash('sha256').update(JSON.stringify(credentials)).digest('hex');
