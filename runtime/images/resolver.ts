import { withDeadline } from '../../lib/async/deadline';
import type { Random } from '../../lib/random';
import type { RegistryCredentials } from '../image-service';
import type { Ingestion } from './content-store';
import type { EndpointsFor, RegistryEndpoint } from './endpoints';
import type { HttpDeps } from './http';
import type { BlobSource } from './installer';
import { ManifestError, parseManifest, type ImageManifest } from './manifest';
import { choosePlatform } from './platform';
import { formatReference, type ImageReference } from './reference';
import { RegistryClient, type TagList } from './registry-client';
import { RegistryStatusError } from './registry-errors';
import { ResolveError, type EndpointFailure } from './resolve-error';

export interface ResolvedImage {
  readonly manifest: ImageManifest;
  /** What the reference means at the registry: of the index, if it is one. */
  readonly digest: string;
  readonly source: BlobSource;
  /** What manifest and blobs so far were read with. */
  readonly usedCredentials: () => RegistryCredentials | undefined;
}

interface ResolverDeps extends HttpDeps {
  readonly endpoints: EndpointsFor;
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
    const failures: EndpointFailure[] = [];
    for (const endpoint of endpoints) {
      for (const client of this.clientsOf([endpoint], reference, credentials)) {
        try {
          return await ask(client);
        } catch (error) {
          signal.throwIfAborted();
          // The image was found and is no good: another copy of it would not be better.
          if (error instanceof ManifestError) throw error;
          failures.push({ endpoint, error, tags: await this.tagsInstead(client, error, signal) });
          if (!(error instanceof RegistryStatusError && error.dependsOnUser)) break;
        }
      }
    }
    throw new ResolveError(formatReference(reference), failures);
  }

  /** Of an image that a mirror lacks, what it has: the tag may be misspelt, or never have been made. */
  private async tagsInstead(
    client: RegistryClient,
    error: unknown,
    signal: AbortSignal,
  ): Promise<TagList | undefined> {
    const isMissing = error instanceof RegistryStatusError && error.isMissing;
    if (!isMissing || client.endpoint.isMirror !== true) return undefined;
    const { clock } = this.deps;
    const deadline = { what: 'the list of tags', limitMs: TAGS_LIMIT_MS, clock, signal };
    const tags = (stop: AbortSignal) => client.tags(TAGS_MAX, stop);
    return await withDeadline(deadline, tags).catch(() => undefined);
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

const TAGS_MAX = 10;
/** The answer is no; it must not wait for advice. */
const TAGS_LIMIT_MS = 2_000;
