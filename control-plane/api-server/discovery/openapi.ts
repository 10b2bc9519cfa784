import { Semaphore } from '../../../lib/async/semaphore';
import {
  groupVersionParts,
  metaParts,
  openApiPath,
  openApiV2Json,
  openApiV2Protobuf,
  openApiV3,
  openApiV3Index,
  type DocumentedResource,
  type OpenApiParts,
} from '../../../api/openapi';
import { acceptClauses, takes } from '../http/accept';
import { JSON_TYPE, jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { PackedDocument } from '../http/packed-document';
import type { KindRegistry } from '../kinds/kind-registry';
import type { ServedKind } from '../kinds/served-kind';
import type { CreateOnlyResource } from './discovery';

/**
 * What is served, in OpenAPI: v3 as one document per group version, v2 as one for all. Made when first
 * asked for, and what a kind that has come or gone concerns again; one at a time, for thousands of kinds
 * take seconds. Clients keep them by their hash.
 */
export class OpenApi {
  private documents: ReadonlyMap<string, Documented> = new Map();
  private from: readonly ServedKind[] | undefined;
  private readonly whole = new Map<Form, { readonly of: object; readonly made: Made }>();
  private readonly lane = new Semaphore(1);

  constructor(
    private readonly registry: Pick<KindRegistry, 'kinds'>,
    private readonly createOnly: readonly CreateOnlyResource[] = [],
  ) {}

  /** Answers /openapi/v2, /openapi/v3 and below; undefined for other paths. */
  async serve(request: ApiRequest): Promise<ApiResponse | undefined> {
    const { method, path } = request;
    if (method !== 'GET') return undefined;
    if (path === '/openapi/v2') return this.second(request);
    if (path !== '/openapi/v3' && !path.startsWith(PREFIX)) return undefined;
    if (!acceptClauses(request.headers['accept']).some((clause) => takes(clause, JSON_TYPE)))
      return { status: 406 };
    const name = path.slice(PREFIX.length);
    if (name === '') return jsonResponse(openApiV3Index(await this.hashed()));
    const documented = this.all().get(name);
    return documented === undefined ? undefined : pinned(name, await documented.packed, request);
  }

  private async second({ headers }: ApiRequest): Promise<ApiResponse> {
    const form = formOfSecond(headers['accept']);
    if (form === undefined) return { status: 406 };
    const packed = await this.inOne(form);
    const caching = { etag: `"${packed.hash}"`, vary: 'Accept' };
    if (headers['if-none-match'] === caching.etag) return { status: 304, headers: caching };
    const type = { 'content-type': CONTENT_TYPES[form] };
    return packed.response(headers['accept-encoding'], { ...type, ...caching });
  }

  private inOne(form: Form): Made {
    const all = this.all();
    const known = this.whole.get(form);
    if (known?.of === all) return known.made;
    const parts = [...all.values()].map((each) => each.parts);
    const pieces = form === 'json' ? openApiV2Json : openApiV2Protobuf;
    const made = this.lane.use(() => PackedDocument.of(pieces(parts)));
    this.whole.set(form, { of: all, made });
    return made;
  }

  private async hashed(): Promise<ReadonlyMap<string, PackedDocument>> {
    const found = new Map<string, PackedDocument>();
    for (const [path, documented] of this.all()) found.set(path, await documented.packed);
    return found;
  }

  private all(): ReadonlyMap<string, Documented> {
    const { kinds } = this.registry;
    if (this.from !== kinds) {
      this.documents = makeDocuments(kinds, this.createOnly, this.documents, this.lane);
      this.from = kinds;
    }
    return this.documents;
  }
}

type Made = Promise<PackedDocument>;

/** One document, made when it is asked for, once. */
class Documented {
  private made: Made | undefined;

  constructor(
    readonly of: readonly object[],
    readonly parts: OpenApiParts,
    private readonly lane: Semaphore,
  ) {}

  get packed(): Made {
    return (this.made ??= this.lane.use(() => PackedDocument.of(openApiV3(this.parts))));
  }
}

/** A document under its hash never changes; under another, clients are sent to the right one. */
const pinned = (
  name: string,
  packed: PackedDocument,
  { query, headers }: ApiRequest,
): ApiResponse => {
  const { hash } = packed;
  const asked = query.get('hash') ?? '';
  if (asked !== '' && asked !== hash)
    return { status: 301, headers: { location: `${PREFIX}${name}?hash=${hash}` } };
  const etag = `"${hash}"`;
  const caching = {
    etag,
    vary: 'Accept',
    'cache-control': asked === hash ? 'public, immutable, max-age=31536000' : 'no-cache, private',
  };
  if (headers['if-none-match'] === etag) return { status: 304, headers: caching };
  return packed.response(headers['accept-encoding'], { 'content-type': JSON_TYPE, ...caching });
};

type Form = 'json' | 'protobuf';

const formOfSecond = (accept: string | undefined): Form | undefined => {
  for (const clause of acceptClauses(accept)) {
    if (takes(clause, JSON_TYPE)) return 'json';
    if (PROTOBUF_TYPES.includes(clause.type)) return 'protobuf';
  }
  return undefined;
};

/** What stays the same keeps what was made of it. */
const makeDocuments = (
  kinds: readonly ServedKind[],
  createOnly: readonly CreateOnlyResource[],
  before: ReadonlyMap<string, Documented>,
  lane: Semaphore,
): ReadonlyMap<string, Documented> => {
  const all = [...kinds, ...createOnly.map(documentedReview)];
  const paths = all.map(({ resource: { group, version } }) => openApiPath(group, version));
  const keep = (path: string, of: readonly object[], parts: () => OpenApiParts): Documented => {
    const known = before.get(path);
    const isSame = known?.of.length === of.length && of.every((each, i) => each === known.of[i]);
    return isSame ? known : new Documented(of, parts(), lane);
  };
  const versions = [...new Set(paths)].map((path): readonly [string, Documented] => {
    const own = all.filter((_kind, index) => paths[index] === path);
    const { group = '', version = '' } = own[0]?.resource ?? {};
    return [path, keep(path, own, () => groupVersionParts(group, version, own))];
  });
  const groups = [...new Set(all.map(({ resource }) => resource.group))];
  const meta = [...metaParts(groups)].map(([path, parts]): readonly [string, Documented] => [
    path,
    keep(path, [], () => parts),
  ]);
  return new Map([...versions, ...meta]);
};

/** The same object each time, by which it is seen that nothing has changed. */
const documentedReview = (review: CreateOnlyResource): DocumentedResource => {
  const { isNamespaced = false, ...resource } = review;
  let documented = reviews.get(review);
  if (documented === undefined) {
    documented = { resource: { ...resource, isNamespaced }, verbs: ['create'], subresources: [] };
    reviews.set(review, documented);
  }
  return documented;
};

const reviews = new WeakMap<CreateOnlyResource, DocumentedResource>();
const PREFIX = '/openapi/v3/';
const PROTOBUF_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** The second is what clients said before it was found to be no media type. */
const PROTOBUF_TYPES = [
  PROTOBUF_TYPE,
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
];
const CONTENT_TYPES: Readonly<Record<Form, string>> = { json: JSON_TYPE, protobuf: PROTOBUF_TYPE };
