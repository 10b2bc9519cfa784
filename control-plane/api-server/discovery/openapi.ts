import { setImmediate } from 'node:timers/promises';
import {
  groupVersionParts,
  metaParts,
  openApiPath,
  openApiV2,
  openApiV3,
  openApiV3Index,
  piecesOf,
  type DocumentedResource,
  type OpenApiDocument,
  type OpenApiParts,
  type OpenApiV2,
  type Pieces,
} from '../../../api/openapi';
import { acceptClauses, takes } from '../http/accept';
import { JSON_TYPE, jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import type { KindRegistry } from '../kinds/kind-registry';
import type { ServedKind } from '../kinds/served-kind';
import type { CreateOnlyResource } from './discovery';

/**
 * What is served, in OpenAPI: v3 as one document per group version, v2 as one for all. Made when first
 * asked for, and what a kind that has come or gone concerns again. Clients keep them by their hash.
 */
export class OpenApi {
  private documents: ReadonlyMap<string, Documented> = new Map();
  private from: readonly ServedKind[] | undefined;
  private whole: { readonly of: object; readonly document: Promise<OpenApiV2> } | undefined;

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
    if (name === '') return jsonResponse(openApiV3Index(this.hashed()));
    const document = this.all().get(name)?.document;
    return document === undefined ? undefined : pinned(name, document, request);
  }

  private async second({ headers }: ApiRequest): Promise<ApiResponse> {
    const form = formOfSecond(headers['accept']);
    if (form === undefined) return { status: 406 };
    const { bytes, etag } = (await this.inOne())[form];
    const caching = { etag: `"${etag}"`, vary: 'Accept' };
    if (headers['if-none-match'] === caching.etag) return { status: 304, headers: caching };
    return {
      status: 200,
      headers: { 'content-type': CONTENT_TYPES[form], ...caching },
      body: bytes,
    };
  }

  private inOne(): Promise<OpenApiV2> {
    const all = this.all();
    if (this.whole?.of !== all) this.whole = { of: all, document: assemble([...all.values()]) };
    return this.whole.document;
  }

  private hashed(): ReadonlyMap<string, OpenApiDocument> {
    return new Map([...this.all()].map(([path, { document }]) => [path, document]));
  }

  private all(): ReadonlyMap<string, Documented> {
    const { kinds } = this.registry;
    if (this.from !== kinds) {
      this.documents = makeDocuments(kinds, this.createOnly, this.documents);
      this.from = kinds;
    }
    return this.documents;
  }
}

/** One document. Large ones take long: each form is made when it is asked for, once. */
class Documented {
  private made: OpenApiDocument | undefined;
  private split: Promise<Pieces> | undefined;

  constructor(
    readonly of: readonly object[],
    private readonly parts: OpenApiParts,
  ) {}

  get document(): OpenApiDocument {
    this.made ??= openApiV3(this.parts);
    return this.made;
  }

  get pieces(): Promise<Pieces> {
    this.split ??= inTurns(piecesOf(this.parts));
    return this.split;
  }
}

/** The event loop turns every few steps. */
const inTurns = async <T>(steps: Iterator<void, T, void>): Promise<T> => {
  for (let count = 1; ; count++) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (count % STEPS_A_TURN === 0) await setImmediate();
  }
};

const STEPS_A_TURN = 5;

/** The event loop turns between the group versions, too. */
const assemble = async (all: readonly Documented[]): Promise<OpenApiV2> => {
  const pieces: Pieces[] = [];
  for (const each of all) {
    pieces.push(await each.pieces);
    await setImmediate();
  }
  return openApiV2(pieces);
};

/** A document under its hash never changes; under another, clients are sent to the right one. */
const pinned = (
  name: string,
  { hash, json }: OpenApiDocument,
  { query, headers }: ApiRequest,
): ApiResponse => {
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
  return { status: 200, headers: { 'content-type': JSON_TYPE, ...caching }, body: json };
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
): ReadonlyMap<string, Documented> => {
  const all = [...kinds, ...createOnly.map(documentedReview)];
  const paths = all.map(({ resource: { group, version } }) => openApiPath(group, version));
  const keep = (path: string, of: readonly object[], parts: () => OpenApiParts): Documented => {
    const known = before.get(path);
    const isSame = known?.of.length === of.length && of.every((each, i) => each === known.of[i]);
    return isSame ? known : new Documented(of, parts());
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
