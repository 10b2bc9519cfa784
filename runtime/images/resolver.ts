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
    const endpoints = this.deps.endpoints(reference);
    return await this.firstOf(endpoints, reference, credentials, signal, async (client) => {
      const found = await resolveManifest(client, reference, signal);
      const later = endpoints.slice(endpoints.indexOf(client.endpoint) + 1);
      return { ...found, ...blobsOf([client, ...this.clientsOf(later, reference, credentials)]) };
    });
  }

  /**
   * Resolves to what the image's registry asked for before it told of the image. Another registry
   * speaks for it only with the same content, one of the digests `here`. @throws ResolveError
   */
  async authenticate(
    reference: ImageReference,
    here: readonly string[],
    credentials: readonly RegistryCredentials[],
    signal: AbortSignal,
  ): Promise<RegistryCredentials | undefined> {
    const endpoints = this.deps.endpoints(reference);
    return await this.firstOf(endpoints, reference, credentials, signal, async (client) => {
      const digest = await client.hasManifest(nameOf(reference), signal);
      const isOwn = client.endpoint.isMirror !== true;
      if (!isOwn && !here.includes(digest ?? ''))
        throw new RegistryStatusError(404, `${client.endpoint.baseUrl} has another image`);
      return client.usedCredentials;
    });
  }

  /** What `ask` gets from the first client that answers it. @throws ResolveError, ManifestError */
  private async firstOf<T>(
    endpoints: readonly RegistryEndpoint[],
    reference: ImageReference,
    credentials: readonly RegistryCredentials[],
    signal: AbortSignal,
    ask: (client: RegistryClient) => Promise<T>,
  ): Promise<T> {
    const failures: unknown[] = [];
    for (const endpoint of endpoints) {
      for (const client of this.clientsOf([endpoint], reference, credentials)) {
        try {
          return await ask(client);
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

  /** One for each endpoint and credentials that are for it. */
  private clientsOf(
    endpoints: readonly RegistryEndpoint[],
    reference: ImageReference,
    credentials: readonly RegistryCredentials[],
  ): readonly RegistryClient[] {
    return endpoints.flatMap((endpoint) =>
      credentialsFor(endpoint, credentials).map(
        (each) => new RegistryClient(endpoint, reference, each, this.deps),
      ),
    );
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

/** What the registry knows it by. */
const nameOf = ({ tag, digest }: ImageReference): string => digest ?? tag ?? 'latest';

const resolveManifest = async (
  client: RegistryClient,
  reference: ImageReference,
  signal: AbortSignal,
): Promise<Pick<ResolvedImage, 'manifest' | 'digest'>> => {
  const { digest, content } = await client.manifest(nameOf(reference), signal);
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
