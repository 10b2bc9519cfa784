import {
  openApiPath,
  openApiV3,
  openApiV3Index,
  type OpenApiDocument,
} from '../../../api/schema/openapi';
import { JSON_TYPE, jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import type { KindRegistry } from '../kinds/kind-registry';
import type { ServedKind } from '../kinds/served-kind';

/**
 * The OpenAPI v3 documents, one per group version, made when first asked for and again when a kind of
 * theirs has come or gone. Clients keep them by the hash in their addresses.
 */
export class OpenApi {
  private documents: ReadonlyMap<string, GroupVersion> = new Map();
  private from: readonly ServedKind[] | undefined;

  constructor(private readonly registry: Pick<KindRegistry, 'kinds'>) {}

  /** Answers /openapi/v3 and below; undefined for other paths. */
  serve({ path, query, headers }: ApiRequest): ApiResponse | undefined {
    if (path === '/openapi/v3' || path === '/openapi/v3/')
      return jsonResponse(openApiV3Index(this.hashed()));
    if (!path.startsWith(PREFIX)) return undefined;
    const document = this.all().get(path.slice(PREFIX.length))?.document;
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

  private hashed(): ReadonlyMap<string, OpenApiDocument> {
    return new Map([...this.all()].map(([path, { document }]) => [path, document]));
  }

  private all(): ReadonlyMap<string, GroupVersion> {
    const { kinds } = this.registry;
    if (this.from !== kinds) {
      this.documents = makeDocuments(kinds, this.documents);
      this.from = kinds;
    }
    return this.documents;
  }
}

interface GroupVersion {
  readonly kinds: readonly ServedKind[];
  readonly document: OpenApiDocument;
}

/** Large ones take long: those whose kinds are the same stay. */
const makeDocuments = (
  kinds: readonly ServedKind[],
  before: ReadonlyMap<string, GroupVersion>,
): ReadonlyMap<string, GroupVersion> => {
  const paths = kinds.map(({ resource: { group, version } }) => openApiPath(group, version));
  const versions = [...new Set(paths)].map((path): readonly [string, GroupVersion] => {
    const own = kinds.filter((_kind, index) => paths[index] === path);
    const known = before.get(path);
    const isSame =
      known?.kinds.length === own.length && own.every((kind, i) => kind === known.kinds[i]);
    return [path, isSame ? known : { kinds: own, document: documentOf(own) }];
  });
  return new Map(versions);
};

/** Of the kinds of one group version. */
const documentOf = (kinds: readonly ServedKind[]): OpenApiDocument => {
  const { group = '', version = '' } = kinds[0]?.resource ?? {};
  return openApiV3(group, version, kinds);
};

const PREFIX = '/openapi/v3/';
