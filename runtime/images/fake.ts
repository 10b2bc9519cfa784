import { createHash } from 'node:crypto';
import { ImageError } from '../image-service';
import type {
  ImageConfig,
  ImageService,
  LocalImage,
  PulledImage,
  PullOptions,
  RegistryCredentials,
} from '../image-service';
import { formatReference, parseReference, repositoryName } from './reference';

export interface FakeImage {
  readonly config?: Partial<ImageConfig>;
  readonly sizeBytes?: number;
  readonly lowerDirs?: readonly string[];
  /** Who may pull it. Absent: anybody. */
  readonly readers?: readonly RegistryCredentials[];
}

/**
 * Images that exist in memory only, for tests of what uses them. `publish` makes an image pullable,
 * `failNextPulls` makes pulls fail, `holdPulls` keeps them waiting until released.
 */
export class FakeImageService implements ImageService {
  /** Every reference pulled, normalised, in order. */
  readonly pulls: string[] = [];
  /** Every reference whose registry was asked for access only. */
  readonly authentications: string[] = [];
  /** Owner → ids of the images it pins. */
  readonly pins = new Map<string, Set<string>>();
  private readonly published = new Map<string, LocalImage>();
  private readonly readers = new Map<string, readonly RegistryCredentials[]>();
  private readonly local = new Map<string, LocalImage>();
  private failures: ImageError[] = [];
  private gate: Promise<void> = Promise.resolve();

  /** Makes `reference` pullable and returns the image that a pull will give. */
  publish(reference: string, image: FakeImage = {}): LocalImage {
    const local = fakeImage(reference, image);
    const name = formatReference(parseReference(reference));
    this.published.set(name, local);
    if (image.readers === undefined) this.readers.delete(name);
    else this.readers.set(name, image.readers);
    return local;
  }

  /** Makes `reference` be here already. */
  add(reference: string, image: FakeImage = {}): LocalImage {
    const local = this.publish(reference, image);
    this.local.set(formatReference(parseReference(reference)), local);
    return local;
  }

  failNextPulls(...errors: ImageError[]): void {
    this.failures.push(...errors);
  }

  /** Pulls wait from now on until the returned function is called. */
  holdPulls(): () => void {
    let release = (): void => undefined;
    this.gate = new Promise((resolve) => (release = resolve));
    return () => release();
  }

  async find(reference: string): Promise<LocalImage | undefined> {
    return this.local.get(formatReference(parseReference(reference)));
  }

  async pull(reference: string, options: PullOptions, signal?: AbortSignal): Promise<PulledImage> {
    const name = formatReference(parseReference(reference));
    this.pulls.push(name);
    await this.gate;
    signal?.throwIfAborted();
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    const image = this.published.get(name);
    if (image === undefined) {
      throw new ImageError(
        'ErrImagePull',
        `failed to pull and unpack image "${name}": failed to resolve reference "${name}": ${name}: not found`,
      );
    }
    const credentials = this.admit(name, options.credentials ?? []);
    options.onProgress?.({ doneBytes: image.sizeBytes, totalBytes: image.sizeBytes });
    this.local.set(name, image);
    return { ...image, credentials };
  }

  async authenticate(
    reference: string,
    credentials: readonly RegistryCredentials[],
  ): Promise<RegistryCredentials | undefined> {
    const name = formatReference(parseReference(reference));
    this.authentications.push(name);
    return this.admit(name, credentials);
  }

  /** With which credentials the image may be read; undefined: it needs none. @throws ImageError */
  private admit(
    name: string,
    offered: readonly RegistryCredentials[],
  ): RegistryCredentials | undefined {
    const readers = this.readers.get(name);
    if (readers === undefined) return undefined;
    const isReader = ({ username, password }: RegistryCredentials) =>
      readers.some((one) => one.username === username && one.password === password);
    const admitted = offered.find(isReader);
    if (admitted !== undefined) return admitted;
    throw new ImageError(
      'ErrImagePull',
      `failed to pull and unpack image "${name}": failed to resolve reference "${name}": pull access denied, repository does not exist or may require authorization: ${name}`,
    );
  }

  async list(): Promise<readonly LocalImage[]> {
    return [...new Set(this.local.values())];
  }

  async remove(reference: string): Promise<void> {
    this.local.delete(formatReference(parseReference(reference)));
  }

  async collectGarbage(): Promise<number> {
    return 0;
  }

  pin(imageId: string, owner: string): void {
    const ids = this.pins.get(owner) ?? new Set<string>();
    this.pins.set(owner, ids.add(imageId));
  }

  unpin(owner: string): void {
    this.pins.delete(owner);
  }

  pinOwners(): readonly string[] {
    return [...this.pins.keys()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

const fakeImage = (name: string, image: FakeImage): LocalImage => {
  const reference = parseReference(name);
  const full = formatReference(reference);
  const id = fakeDigest(`config ${full}`);
  const sizeBytes = image.sizeBytes ?? 1000;
  return {
    id,
    references: [full],
    repoDigests: [`${repositoryName(reference)}@${fakeDigest(`manifest ${full}`)}`],
    sizeBytes,
    layers: [{ digest: fakeDigest(`layer ${full}`), sizeBytes }],
    lowerDirs: image.lowerDirs ?? [`/snapshots/${id.slice(7)}/fs`],
    config: {
      env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
      entrypoint: [],
      cmd: ['/bin/sh'],
      workingDir: '/',
      user: '',
      ...image.config,
    },
  };
};

const fakeDigest = (text: string): string =>
  `sha256:${createHash('sha256').update(text).digest('hex')}`;
