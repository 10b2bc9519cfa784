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
  type PulledImage,
  type PullOptions,
  type PullProgress,
  type RegistryCredentials,
} from '../image-service';
import { Unpacker } from '../rootfs/unpacker';
import { ContentStore } from './content-store';
import type { EndpointsFor } from './endpoints';
import type { HttpLimits } from './http';
import { ImageIndex, type ImageRecord } from './image-index';
import { Installer } from './installer';
import { Leases } from './leases';
import { Pins } from './pins';
import { formatReference, parseReference, repositoryName, type ImageReference } from './reference';
import { ResolveError } from './resolve-error';
import { ImageResolver } from './resolver';
import { SharedFlights } from './shared-flight';
import { SnapshotStore } from './snapshots';
import { inOneLine } from './words';
import { linkedController } from '../../lib/async/linked-controller';

export interface ImageServiceOptions {
  /** Folder for blobs, snapshots and the index; made if missing, 0700. One process at a time. */
  readonly stateDir: string;
  readonly endpoints: EndpointsFor;
  /** The bundled `unpack-worker.js`. Absent: layers are unpacked in this process. */
  readonly workerPath?: string;
  /** How long registries may take; see `HttpLimits` for the defaults. */
  readonly limits?: Partial<HttpLimits>;
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
  private readonly resolver: ImageResolver;
  private readonly pulls = new SharedFlights<FinishedPull>();
  private readonly listeners = new Map<string, Set<(progress: PullProgress) => void>>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly options: ImageServiceOptions,
    private readonly parts: Parts,
  ) {
    this.installer = new Installer({ ...parts, clock: options.clock, log: options.log });
    this.resolver = new ImageResolver(options);
  }

  async find(reference: string): Promise<LocalImage | undefined> {
    const record = this.lookUp(parseReference(reference));
    return record === undefined ? undefined : this.toLocal(record);
  }

  async pull(
    reference: string,
    { credentials = [], onProgress }: PullOptions,
    signal?: AbortSignal,
  ): Promise<PulledImage> {
    const parsed = parseReference(reference);
    // Who may not read an image must not ride on the pull of somebody who may.
    const key = `${formatReference(parsed)} ${fingerprint(credentials)}`;
    const listeners = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, listeners);
    if (onProgress !== undefined) listeners.add(onProgress);
    const emit = (progress: PullProgress): void => {
      for (const listener of listeners) listener(progress);
    };
    const work = async (flight: AbortSignal): Promise<FinishedPull> => {
      using either = linkedController(flight, this.stopping.signal);
      return await this.pullNow(parsed, credentials, emit, either.signal);
    };
    try {
      const { record, credentials: used } = await this.pulls.join(key, work, signal);
      return { ...this.toLocal(record), credentials: used };
    } finally {
      if (onProgress !== undefined) listeners.delete(onProgress);
      if (listeners.size === 0) this.listeners.delete(key);
    }
  }

  async authenticate(
    reference: string,
    credentials: readonly RegistryCredentials[],
    signal: AbortSignal = this.stopping.signal,
  ): Promise<RegistryCredentials | undefined> {
    const parsed = parseReference(reference);
    const prefix = `${repositoryName(parsed)}@`;
    const here = (this.lookUp(parsed)?.repoDigests ?? []).flatMap((name) =>
      name.startsWith(prefix) ? name.slice(prefix.length) : [],
    );
    using either = linkedController(signal, this.stopping.signal);
    try {
      return await this.resolver.authenticate(parsed, here, credentials, either.signal);
    } catch (error) {
      either.signal.throwIfAborted();
      throw imageError(error, describeError(error));
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
    credentials: readonly RegistryCredentials[],
    emit: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<FinishedPull> {
    const name = formatReference(reference);
    try {
      const found = await this.resolver.resolve(reference, credentials, signal);
      const repoDigests = [`${repositoryName(reference)}@${found.digest}`];
      const names = { references: [name], repoDigests };
      const { manifest, source } = found;
      const record = await this.installer.install(source, manifest, names, emit, signal);
      return { record, credentials: found.usedCredentials() };
    } catch (error) {
      signal.throwIfAborted();
      throw pullError(name, error);
    }
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

interface FinishedPull {
  readonly record: ImageRecord;
  readonly credentials: RegistryCredentials | undefined;
}

const pullError = (name: string, error: unknown): ImageError => {
  const why = error instanceof Error ? error.message : String(error);
  return imageError(error, `failed to pull and unpack image "${name}": ${why}`);
};

/** Much of the message may be what a registry or an image says. */
const imageError = (cause: unknown, message: string): ImageError =>
  new ImageError(codeOf(cause), inOneLine(message, MESSAGE_MAX), { cause });

const codeOf = (error: unknown): ImageError['code'] =>
  error instanceof ResolveError && error.isUnavailable ? 'RegistryUnavailable' : 'ErrImagePull';

const fingerprint = (credentials: readonly RegistryCredentials[]): string =>
  credentials.length === 0
    ? ''
    : createHash('sha256').update(JSON.stringify(credentials)).digest('hex');

const MESSAGE_MAX = 2000;
