import type { Clock } from '../../lib/clock';
import { describeError } from '../../lib/log';
import type { Random } from '../../lib/random';
import type { RegistryCredentials } from '../image-service';
import type { Ingestion } from './content-store';
import type { EndpointsFor, RegistryEndpoint } from './endpoints';
import { ConnectionError } from './http';
import type { BlobSource } from './installer';
import { ManifestError, parseManifest, type ImageManifest } from './manifest';
import { choosePlatform } from './platform';
import { formatReference, type ImageReference } from './reference';
import { RegistryClient } from './registry-client';
import { RegistryStatusError } from './registry-errors';

export interface ResolvedImage {
  readonly manifest: ImageManifest;
  /** What the reference means at the registry: of the index, if it is one. */
  readonly digest: string;
  readonly source: BlobSource;
  /** What manifest and blobs so far were read with. */
  readonly usedCredentials: () => RegistryCredentials | undefined;
}

interface ResolverDeps {
  readonly endpoints: EndpointsFor;
  readonly clock: Clock;
  readonly random: Random;
}

/** Finds which registry has an image and lets it be read. */
export class ImageResolver {
  constructor(private readonly deps: ResolverDeps) {}

  /**
   * Asks the endpoints in turn, each with all credentials that are for it; the first that has the
   * manifest also gives the blobs. @throws ResolveError, ManifestError
   */
  async resolve(
    reference: ImageReference,
    credentials: readonly RegistryCredentials[],
    signal: AbortSignal,
  ): Promise<ResolvedImage> {
    const failures: unknown[] = [];
    const endpoints = this.deps.endpoints(reference);
    for (const [i, endpoint] of endpoints.entries()) {
      for (const each of credentialsFor(endpoint, credentials)) {
        const client = this.clientOf(endpoint, reference, each);
        try {
          const found = await resolveManifest(client, reference, signal);
          const others = endpoints
            .slice(i + 1)
            .flatMap((other) =>
              credentialsFor(other, credentials).map((one) => this.clientOf(other, reference, one)),
            );
          return { ...found, ...blobsOf([client, ...others]) };
        } catch (error) {
          signal.throwIfAborted();
          // The image was found and is no good: another copy of it would not be better.
          if (error instanceof ManifestError) throw error;
          failures.push(error);
          if (!(error instanceof RegistryStatusError && error.dependsOnUser)) break;
        }
      }
    }
    throw new ResolveError(formatReference(reference), failures);
  }

  private clientOf(
    endpoint: RegistryEndpoint,
    reference: ImageReference,
    credentials: RegistryCredentials | undefined,
  ): RegistryClient {
    return new RegistryClient(endpoint, reference, credentials, this.deps);
  }
}

/** No endpoint gave the image. */
export class ResolveError extends Error {
  override readonly name = 'ResolveError';
  readonly isUnavailable: boolean;

  constructor(name: string, failures: readonly unknown[]) {
    const isMissing = (error: unknown): boolean =>
      error instanceof RegistryStatusError && error.isMissing;
    const others = failures.filter((error) => !isMissing(error)).map(describeError);
    const why = others.length === 0 ? `${name}: not found` : [...new Set(others)].join('; ');
    super(`failed to resolve reference "${name}": ${why}`);
    this.isUnavailable = failures.at(-1) instanceof ConnectionError;
  }
}

/** A mirror is somebody else than the registry that the credentials are for. */
const credentialsFor = (
  { isMirror }: RegistryEndpoint,
  credentials: readonly RegistryCredentials[],
): readonly (RegistryCredentials | undefined)[] =>
  isMirror === true || credentials.length === 0 ? [undefined] : credentials;

const resolveManifest = async (
  client: RegistryClient,
  { tag, digest: wanted }: ImageReference,
  signal: AbortSignal,
): Promise<Pick<ResolvedImage, 'manifest' | 'digest'>> => {
  const { digest, content } = await client.manifest(wanted ?? tag ?? 'latest', signal);
  const parsed = parseManifest(content);
  if (parsed.kind === 'manifest') return { manifest: parsed.manifest, digest };
  const chosen = choosePlatform(parsed.index.manifests);
  const inner = parseManifest((await client.manifest(chosen.digest, signal)).content);
  if (inner.kind === 'index') throw new ManifestError('an index inside an index is not supported');
  return { manifest: inner.manifest, digest };
};

/** Blobs from the first client that gives them. */
const blobsOf = (
  clients: readonly RegistryClient[],
): Pick<ResolvedImage, 'source' | 'usedCredentials'> => {
  const fetch: BlobSource['fetch'] = async (ingestion: Ingestion, onBytes, signal) => {
    for (const [i, client] of clients.entries()) {
      try {
        await client.blob(ingestion, onBytes, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (i === clients.length - 1) throw error;
      }
    }
  };
  const usedCredentials = () => clients.flatMap(({ usedCredentials: used }) => used ?? []).at(0);
  return { source: { fetch }, usedCredentials };
};
