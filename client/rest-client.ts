import { ApiError, type Status } from '../api/errors';
import { PODS, apiVersionOf, pathOf, type Resource } from '../api/resources';
import type { Scale } from '../api/scale';
import type { ApiObject, ObjectName } from '../api/types';
import { parseJson, stringifyJson } from '../lib/json';
import type {
  ApiClient,
  DeleteOptions,
  DraftOf,
  ListOptions,
  ListResult,
  PatchType,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './api-client';
import { HttpClient, type HttpRequest } from './http';
import type { ClientConfig } from './kubeconfig';

/** What people may ask of a deletion beside what components do. */
export interface RestDeleteOptions extends DeleteOptions {
  /** It is tried, and nothing goes. */
  readonly dryRun?: readonly 'All'[];
}

/** The Kubernetes REST API as an `ApiClient`. */
export class RestClient implements ApiClient {
  readonly http: HttpClient;

  /** `onWarning` gets the texts of `Warning:` headers. */
  constructor(
    config: ClientConfig,
    private readonly onWarning: (text: string) => void = () => undefined,
  ) {
    this.http = new HttpClient(config);
  }

  get<T extends ApiObject>(
    resource: Resource<T>,
    { namespace, name }: ObjectName,
    signal?: AbortSignal,
  ): Promise<T> {
    return this.json<T>({ method: 'GET', path: pathOf(resource, namespace, name), signal });
  }

  getScale(
    resource: Resource,
    { namespace, name }: ObjectName,
    signal?: AbortSignal,
  ): Promise<Scale> {
    const path = pathOf(resource, namespace, name, 'scale');
    return this.json<Scale>({ method: 'GET', path, signal });
  }

  async list<T extends ApiObject>(
    resource: Resource<T>,
    options: ListOptions = {},
    signal?: AbortSignal,
  ): Promise<ListResult<T>> {
    const items: T[] = [];
    let from = options.continue;
    for (;;) {
      const page = await this.page(
        resource,
        { ...options, ...(from === undefined ? {} : { continue: from }) },
        signal,
      );
      items.push(...page.items);
      if (page.continue !== undefined && page.continue === from)
        throw new ApiError('InternalError', `the server repeats a page of ${resource.plural}`);
      from = page.continue;
      if (from === undefined || options.limit !== undefined) return { ...page, items };
    }
  }

  async *watch<T extends ApiObject>(
    resource: Resource<T>,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    const query = queryOf({
      watch: 'true',
      resourceVersion: options.resourceVersion,
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      allowWatchBookmarks: options.allowBookmarks === true ? 'true' : undefined,
    });
    const path = pathOf(resource, options.namespace) + query;
    const response = await this.http.open({ method: 'GET', path, signal });
    try {
      for await (const line of linesOf(response)) yield toWatchEvent<T>(line);
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof ApiError
        ? error
        : new ApiError('ServiceUnavailable', 'the watch was cut', { cause: error });
    } finally {
      response.destroy();
    }
  }

  create<T extends ApiObject>(
    resource: Resource<T>,
    object: DraftOf<T>,
    options: WriteOptions = {},
    signal?: AbortSignal,
  ): Promise<T> {
    const path = pathOf(resource, object.metadata.namespace) + writeQuery(options);
    return this.json<T>({ method: 'POST', path, body: stringifyJson(object), signal });
  }

  update<T extends ApiObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
    signal?: AbortSignal,
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    const path = pathOf(resource, namespace, name, options.subresource) + writeQuery(options);
    return this.json<T>({ method: 'PUT', path, body: stringifyJson(object), signal });
  }

  patch<T extends ApiObject>(
    resource: Resource<T>,
    { namespace, name }: ObjectName,
    type: PatchType,
    body: unknown,
    options: WriteOptions = {},
    signal?: AbortSignal,
  ): Promise<T> {
    return this.json<T>({
      method: 'PATCH',
      path: pathOf(resource, namespace, name, options.subresource) + writeQuery(options),
      body: stringifyJson(body),
      contentType: PATCH_CONTENT_TYPE[type],
      signal,
    });
  }

  async delete<T extends ApiObject>(
    resource: Resource<T>,
    { namespace, name }: ObjectName,
    options: RestDeleteOptions = {},
    signal?: AbortSignal,
  ): Promise<void> {
    await this.json({
      method: 'DELETE',
      path: pathOf(resource, namespace, name),
      body: stringifyJson({ kind: 'DeleteOptions', apiVersion: 'v1', ...options }),
      signal,
    });
  }

  async bind(
    { namespace, name, uid }: ObjectName & { readonly uid: string },
    nodeName: string,
    signal?: AbortSignal,
  ): Promise<void> {
    const body = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { namespace, name, uid },
      target: { kind: 'Node', name: nodeName },
    };
    await this.json({
      method: 'POST',
      path: pathOf(PODS, namespace, name, 'binding'),
      body: stringifyJson(body),
      signal,
    });
  }

  /** Any request whose answer is JSON, with its warnings passed on. */
  async json<T>(request: HttpRequest): Promise<T> {
    const { text, warnings } = await this.http.text(request);
    for (const warning of warnings) this.onWarning(warning);
    return parseJson(text) as T;
  }

  private async page<T extends ApiObject>(
    resource: Resource<T>,
    options: ListOptions,
    signal: AbortSignal | undefined,
  ): Promise<ListResult<T>> {
    const query = queryOf({
      limit: String(options.limit ?? PAGE_SIZE),
      continue: options.continue,
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
    });
    const path = pathOf(resource, options.namespace) + query;
    const list = await this.json<RawList<T>>({ method: 'GET', path, signal });
    // Items of a typed list carry no type of their own on the wire.
    const type = { apiVersion: apiVersionOf(resource), kind: resource.kind };
    return {
      items: list.items.map((item) => ({ ...type, ...item })),
      resourceVersion: list.metadata.resourceVersion,
      ...(list.metadata.continue ? { continue: list.metadata.continue } : {}),
    };
  }
}

interface RawList<T> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly T[];
}

/** `?a=b&c=d`, leaving out what is undefined; `''` when nothing is left. */
export const queryOf = (params: Readonly<Record<string, string | undefined>>): string => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') query.set(name, value);
  }
  return query.size === 0 ? '' : `?${query.toString()}`;
};

const writeQuery = ({ fieldManager, dryRun }: WriteOptions): string =>
  queryOf({ fieldManager, dryRun: dryRun === true ? 'All' : undefined });

const toWatchEvent = <T extends ApiObject>(line: string): WatchEvent<T> => {
  const event = parseJson(line) as { type: string; object: T };
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: event.type, object: event.object };
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: event.object.metadata.resourceVersion ?? '0' };
    default:
      throw ApiError.fromStatus(event.object as unknown as Partial<Status>);
  }
};

/** The lines of a stream of UTF-8 JSON objects, one each. */
export async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([...rest, chunk.subarray(start, end)]).toString('utf8');
      rest = [];
      restBytes = 0;
      start = end + 1;
    }
    restBytes += chunk.length - start;
    if (restBytes > MAX_LINE_BYTES)
      throw new ApiError('InternalError', 'a watch event is too long');
    rest.push(chunk.subarray(start));
  }
}

const PATCH_CONTENT_TYPE: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

const PAGE_SIZE = 500;
const MAX_LINE_BYTES = 16 * 1024 * 1024;
