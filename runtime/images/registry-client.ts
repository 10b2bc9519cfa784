import { backoffMs } from '../../lib/async/backoff';
import type { Random } from '../../lib/random';
import type { RegistryCredentials } from '../image-service';
import { digestOf, DigestMismatchError, type Ingestion } from './content-store';
import type { RegistryEndpoint } from './endpoints';
import { connectionError, ConnectionError } from './connection';
import {
  exchange,
  readBody,
  readStart,
  type HttpDeps,
  type HttpRequest,
  type HttpResponse,
} from './http';
import { MANIFEST_MAX_BYTES, MANIFEST_TYPES, type Descriptor } from './manifest';
import { isTag, type ImageReference } from './reference';
import { inOneLine } from './words';
import { RegistryAuthorizer } from './registry-auth';
import { RegistryStatusError } from './registry-errors';

export interface FetchedManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly content: Buffer;
}

export interface TagList {
  readonly tags: readonly string[];
  /** There are more. */
  readonly isCut: boolean;
}

interface RegistryClientDeps extends HttpDeps {
  readonly random: Random;
}

/** One repository at one endpoint, by the OCI distribution protocol. Retries what may pass. */
export class RegistryClient {
  private readonly authorizer: RegistryAuthorizer;
  private readonly origin: string;

  constructor(
    readonly endpoint: RegistryEndpoint,
    private readonly reference: ImageReference,
    credentials: RegistryCredentials | undefined,
    private readonly deps: RegistryClientDeps,
  ) {
    this.origin = new URL(endpoint.baseUrl).origin;
    // A mirror is somebody else than the registry that the credentials are for.
    const own = endpoint.isMirror === true ? undefined : credentials;
    this.authorizer = new RegistryAuthorizer(endpoint, reference.repository, own, deps);
  }

  /** The credentials that were sent, if any were. */
  get usedCredentials(): RegistryCredentials | undefined {
    return this.authorizer.usedCredentials;
  }

  /** @param name a tag or a digest; a digest is verified. */
  async manifest(name: string, signal: AbortSignal): Promise<FetchedManifest> {
    return this.retrying(signal, QUICK_TRIES_MAX, async () => {
      const request = { method: 'GET', headers: { accept: MANIFEST_TYPES.join(', ') } } as const;
      const response = await this.call(`manifests/${name}`, request, signal);
      await this.expect(response, [200]);
      const content = await readBody(response, MANIFEST_MAX_BYTES, this.deps);
      const digest = digestOf(content);
      const stated = name.startsWith('sha256:') ? name : response.headers['docker-content-digest'];
      if (typeof stated === 'string' && stated.startsWith('sha256:') && stated !== digest) {
        throw new DigestMismatchError(`manifest ${stated} has the digest ${digest}`);
      }
      return { digest, content, mediaType: response.headers['content-type'] ?? '' };
    });
  }

  /** The first tags of the repository, in the order of their bytes; undefined when it has none. */
  async tags(countMax: number, signal: AbortSignal): Promise<TagList | undefined> {
    const response = await this.call('tags/list', { method: 'GET' }, signal, { n: countMax });
    await this.expect(response, [200, 404]);
    const { buffer, isWhole } = await readStart(response, TAGS_MAX_BYTES, this.deps);
    const tags = response.status === 200 && isWhole ? tagsIn(buffer) : [];
    if (tags.length === 0) return undefined;
    const isCut = tags.length > countMax || response.headers['link'] !== undefined;
    return { tags: tags.slice(0, countMax), isCut };
  }

  /** Asks for a manifest without its content. Resolves to its digest, where the registry says it. */
  async hasManifest(name: string, signal: AbortSignal): Promise<string | undefined> {
    return this.retrying(signal, QUICK_TRIES_MAX, async () => {
      const request = { method: 'HEAD', headers: { accept: MANIFEST_TYPES.join(', ') } } as const;
      const response = await this.call(`manifests/${name}`, request, signal);
      await this.expect(response, [200]);
      response.body.resume();
      const { 'docker-content-digest': digest, 'content-type': type = '' } = response.headers;
      // A page to log in at is no permission.
      const isManifest = MANIFEST_TYPES.some((known) => type.startsWith(known));
      if (typeof digest === 'string') return digest;
      if (isManifest) return undefined;
      throw new Error(`${response.url.origin} did not answer as a registry does`);
    });
  }

  /**
   * Fills and commits `ingestion`, going on after a broken connection where the server lets it.
   * `onBytes` gets the change of `ingestion.offset`, which is negative after a restart.
   */
  async blob(
    ingestion: Ingestion,
    onBytes: (deltaBytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let mismatches = 0;
    await this.retrying(signal, TRIES_MAX, async () => {
      try {
        await this.receive(ingestion, onBytes, signal);
        await ingestion.commit();
      } catch (error) {
        if (!(error instanceof DigestMismatchError)) throw error;
        onBytes(-ingestion.offset);
        await ingestion.restart();
        // Bytes kept from an earlier connection may be the bad ones: once more from the start.
        if (++mismatches > 1) throw error;
        throw new ConnectionError(error.message, { cause: error });
      }
    });
  }

  async hasBlob(digest: string, signal: AbortSignal): Promise<boolean> {
    return this.retrying(signal, TRIES_MAX, async () => {
      const response = await this.call(`blobs/${digest}`, { method: 'HEAD' }, signal);
      await this.expect(response, [200, 404]);
      response.body.resume();
      return response.status === 200;
    });
  }

  /** `open` is called again for each try. */
  async upload(
    blob: Pick<Descriptor, 'digest' | 'size'>,
    open: () => AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.retrying(signal, TRIES_MAX, async () => {
      const begun = await this.call('blobs/uploads/', { method: 'POST', body: EMPTY }, signal);
      await this.expect(begun, [202]);
      begun.body.resume();
      const target = new URL(begun.headers.location ?? '', begun.url);
      if (target.origin !== this.origin) throw new Error(`upload sent to ${target.origin}`);
      target.searchParams.set('digest', blob.digest);
      const headers = {
        'content-type': 'application/octet-stream',
        'content-length': blob.size,
      };
      const response = await this.send(target, { method: 'PUT', headers, body: open() }, signal);
      await this.expect(response, [201]);
      response.body.resume();
    });
  }

  async putManifest(
    name: string,
    { mediaType, content }: Pick<FetchedManifest, 'mediaType' | 'content'>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.retrying(signal, TRIES_MAX, async () => {
      const headers = { 'content-type': mediaType, 'content-length': content.length };
      const request = { method: 'PUT', headers, body: content } as const;
      const response = await this.call(`manifests/${name}`, request, signal);
      await this.expect(response, [201]);
      response.body.resume();
    });
  }

  private async receive(
    ingestion: Ingestion,
    onBytes: (deltaBytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    if (ingestion.offset === ingestion.sizeBytes) return;
    const start = ingestion.offset;
    const headers = start === 0 ? {} : { range: `bytes=${start}-` };
    const path = `blobs/${ingestion.digest}`;
    const response = await this.call(path, { method: 'GET', headers }, signal);
    try {
      const continues = isContinuation(response, start);
      if (!continues && start > 0) {
        onBytes(-start);
        await ingestion.restart();
      }
      if (response.status === 206 && !continues) {
        throw new ConnectionError('the registry sent another range than asked for');
      }
      if (response.status === 416) throw new ConnectionError('the registry refused to go on');
      await this.expect(response, [200, 206]);
      for await (const chunk of bodyOf(response)) {
        await ingestion.write(chunk);
        onBytes(chunk.length);
      }
      if (ingestion.offset < ingestion.sizeBytes) throw new ConnectionError('blob was cut short');
    } finally {
      response.body.destroy();
    }
  }

  private call(
    path: string,
    request: HttpRequest,
    signal: AbortSignal,
    query: Readonly<Record<string, number>> = {},
  ): Promise<HttpResponse> {
    const { baseUrl, isMirror } = this.endpoint;
    const url = new URL(`${baseUrl}/v2/${this.reference.repository}/${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, `${value}`);
    if (isMirror === true) url.searchParams.set('ns', this.reference.registry);
    return this.send(url, request, signal);
  }

  private async send(url: URL, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    for (let tries = 0; ; tries++) {
      const { authorization } = this.authorizer;
      const headers = { ...request.headers, ...(authorization && { authorization }) };
      const response = await exchange(
        url,
        { ...request, headers, tls: this.endpoint.tls },
        this.deps,
        signal,
      );
      const isReplayable = request.body === undefined || Buffer.isBuffer(request.body);
      if (response.status !== 401 || tries >= 2 || !isReplayable) return response;
      // Whoever the registry has sent us to must not ask for what is meant for the registry.
      if (response.url.origin !== this.origin) return response;
      const challenge = response.headers['www-authenticate'];
      if (!(await this.authorizer.answer(challenge, signal))) return response;
      response.body.destroy();
    }
  }

  /** @throws RegistryStatusError for another status than `allowed`. */
  private async expect(response: HttpResponse, allowed: readonly number[]): Promise<void> {
    if (allowed.includes(response.status)) return;
    // The status says enough when the words are too long or break off.
    const body = await readStart(response, ERROR_MAX_BYTES, this.deps).catch(() => undefined);
    const { registry, repository } = this.reference;
    const name = `${registry}/${repository}`;
    const says = firstError(body?.buffer ?? EMPTY);
    const { origin } = response.url;
    const message =
      origin !== this.origin
        ? `${name}: ${this.origin} led to ${origin}, which answered ${response.status} ${says}`
        : response.status === 404
          ? `${name}: not found`
          : response.status === 401 || response.status === 403
            ? `pull access denied, repository does not exist or may require authorization: ${name}: ${says}`
            : `unexpected status from ${origin}: ${response.status} ${says}`;
    throw new RegistryStatusError(response.status, message);
  }

  private async retrying<T>(
    signal: AbortSignal,
    triesMax: number,
    work: () => Promise<T>,
  ): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        if (!mayPass(error) || attempt + 1 >= triesMax) throw error;
        await this.deps.clock.sleep(backoffMs(attempt, BACKOFF, this.deps.random), signal);
        signal.throwIfAborted();
      }
    }
  }
}

/** True when the body goes on exactly where the file ends. */
const isContinuation = (response: HttpResponse, start: number): boolean => {
  if (response.status !== 206) return start === 0 && response.status === 200;
  const match = /^bytes ([0-9]+)-/.exec(response.headers['content-range'] ?? '');
  return match !== null && Number(match[1]) === start;
};

async function* bodyOf(response: HttpResponse): AsyncGenerator<Buffer> {
  try {
    yield* response.body as AsyncIterable<Buffer>;
  } catch (error) {
    throw connectionError(response.url, error);
  }
}

const mayPass = (error: unknown): boolean =>
  (error instanceof ConnectionError && !error.isUnreachable) ||
  (error instanceof RegistryStatusError && (error.status === 429 || error.status >= 500));

const tagsIn = (body: Buffer): readonly string[] => {
  try {
    const { tags } = JSON.parse(body.toString('utf8')) as { tags?: readonly unknown[] };
    return (tags ?? []).filter((tag): tag is string => typeof tag === 'string' && isTag(tag));
  } catch {
    return [];
  }
};

/** The registry's own words, in one line. */
const firstError = (body: Buffer): string => {
  try {
    const json = JSON.parse(body.toString('utf8')) as {
      errors?: readonly { code?: string; message?: string }[];
    };
    const [error] = json.errors ?? [];
    return inOneLine(`${error?.code ?? ''} ${error?.message ?? ''}`, WORDS_MAX);
  } catch {
    return '';
  }
};

const EMPTY = Buffer.alloc(0);
const ERROR_MAX_BYTES = 64 * 1024;
const WORDS_MAX = 300;
const TAGS_MAX_BYTES = 64 * 1024;
const TRIES_MAX = 6;
/** Another endpoint may be waiting for its turn. */
const QUICK_TRIES_MAX = 3;
const BACKOFF = { initialMs: 200, maxMs: 5000 };
