import {
  openApiPath,
  openApiV3,
  openApiV3Index,
  type DocumentedResource,
  type OpenApiDocument,
} from '../../../api/schema/openapi';
import { JSON_TYPE, jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import type { KindRegistry } from '../kinds/kind-registry';

/**
 * The OpenAPI v3 documents, one per group version, made when first asked for. Clients keep them by
 * the hash in their addresses.
 */
export class OpenApi {
  private documents: ReadonlyMap<string, OpenApiDocument> | undefined;

  constructor(private readonly kinds: KindRegistry) {}

  /** Answers /openapi/v3 and below; undefined for other paths. */
  serve({ path, query, headers }: ApiRequest): ApiResponse | undefined {
    if (path === '/openapi/v3' || path === '/openapi/v3/')
      return jsonResponse(openApiV3Index(this.all()));
    if (!path.startsWith(PREFIX)) return undefined;
    const document = this.all().get(path.slice(PREFIX.length));
    if (document === undefined) return undefined;
    const etag = `"${document.hash}"`;
    const isPinned = query.get('hash') === document.hash;
    const caching = {
      etag,
      vary: 'Accept',
      'cache-control': isPinned ? 'public, immutable, max-age=31536000' : 'no-cache, private',
    };
    if (headers['if-none-match'] === etag) return { status: 304, headers: caching };
    return {
      status: 200,
      headers: { 'content-type': JSON_TYPE, ...caching },
      body: document.json,
    };
  }

  private all(): ReadonlyMap<string, OpenApiDocument> {
    this.documents ??= makeDocuments(this.kinds);
    return this.documents;
  }
}

const makeDocuments = ({ kinds }: KindRegistry): ReadonlyMap<string, OpenApiDocument> => {
  const resources: readonly DocumentedResource[] = kinds;
  const versions = new Map(
    kinds.map(({ resource: { group, version } }) => [
      openApiPath(group, version),
      { group, version },
    ]),
  );
  return new Map(
    [...versions].map(([path, { group, version }]) => [path, openApiV3(group, version, resources)]),
  );
};

const PREFIX = '/openapi/v3/';
