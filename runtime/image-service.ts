/** Images on one host: pulls, imports, unpacks layers once, and lends them to containers. */
export interface ImageService extends AsyncDisposable {
  /** The image if it is here and unpacked. `reference` is normalised first (`web` → `docker.io/library/web:latest`). */
  find(reference: string): Promise<LocalImage | undefined>;

  /**
   * Makes the image be here: tries each registry endpoint in turn, verifies every digest, unpacks
   * what is missing. Calls for one image share one pull. @throws ImageError
   */
  pull(reference: string, options: PullOptions, signal?: AbortSignal): Promise<PulledImage>;

  /**
   * Asks an image's registries, as `pull` does, whether they would give an image that is here, and
   * fetches nothing. Resolves to what they asked for; undefined: anybody may have it.
   * @throws ImageError when none gives it.
   */
  authenticate(
    reference: string,
    credentials: readonly RegistryCredentials[],
    signal?: AbortSignal,
  ): Promise<RegistryCredentials | undefined>;

  list(): Promise<readonly LocalImage[]>;
  remove(reference: string): Promise<void>;
  /** Deletes blobs and snapshots that no image and no `pin` needs; returns the bytes freed. */
  collectGarbage(signal?: AbortSignal): Promise<number>;
  /** Keeps an image's snapshots from garbage collection while a container uses it. */
  pin(imageId: string, owner: string): void;
  unpin(owner: string): void;
  /** Who has pinned something, over restarts too. */
  pinOwners(): readonly string[];
}

export interface LocalImage {
  /** Digest of the config: `sha256:...`. */
  readonly id: string;
  /** Normalised references that name it. */
  readonly references: readonly string[];
  /** `docker.io/library/web@sha256:...`: what was pulled, by manifest digest. */
  readonly repoDigests: readonly string[];
  /** Sum of the compressed layers. */
  readonly sizeBytes: number;
  readonly layers: readonly ImageLayer[];
  /** Snapshot folders, topmost first: ready for `ContainerSpec.rootfs.lowerDirs`. */
  readonly lowerDirs: readonly string[];
  readonly config: ImageConfig;
}

export interface PulledImage extends LocalImage {
  /** With which of the offered credentials it was read; undefined: anybody could have. */
  readonly credentials: RegistryCredentials | undefined;
}

export interface ImageLayer {
  readonly digest: string;
  readonly sizeBytes: number;
}

/** What an image says of its process. Source: OCI image-spec config. */
export interface ImageConfig {
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly stopSignal?: string;
}

export interface PullOptions {
  /** For the image's own registry, tried in turn until one is let in. None: it is asked without. */
  readonly credentials?: readonly RegistryCredentials[];
  /** Called as bytes arrive. */
  readonly onProgress?: (progress: PullProgress) => void;
}

export interface PullProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/** `code` follows what people know from status.waiting.reason. */
export class ImageError extends Error {
  constructor(
    readonly code:
      'InvalidImageName' | 'ErrImagePull' | 'ErrImageNeverPull' | 'RegistryUnavailable',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ImageError';
  }
}
