import {
  statusResponse,
  successStatus,
  withWarning,
  type ApiRequest,
  type ApiResponse,
} from '../http/exchange';
import type { ResourceTarget } from '../http/request-target';
import type { Permit } from '../auth/permit';
import { sharerOf, type User } from '../auth/user';
import { notServed } from '../kinds/kind-registry';
import type { ServedKind } from '../kinds/served-kind';
import type { WatchItem } from '../objects/object-watcher';
import { parseVersion } from '../objects/versions';
import { readObject, readValue } from './body';
import {
  notAllowed,
  readPatch,
  viewOf,
  waitingIn,
  warningsOf,
  type KindRequest,
  type RestDeps,
} from './kind-request';
import {
  deletionOptionsOf,
  isTrue,
  listQueryOf,
  watchQueryOf,
  withDeleteOptions,
  writeContextOf,
} from './options';
import { patch } from './patching';
import { itemResponse, listResponse } from './read-responses';
import { handleSubresource } from './subresources';
import { watchResponse } from './watch-response';
import { watchSignal } from './watch-timeout';

/** Collections, objects and subresources of every served kind over HTTP. */
export class RestApi {
  constructor(private readonly deps: RestDeps) {}

  /** @throws ApiError */
  async handle(request: ApiRequest, target: ResourceTarget, permit: Permit): Promise<ApiResponse> {
    const { group, version, plural, namespace, name } = target;
    const kind = this.deps.service.kinds.find(group, version, plural);
    if (kind === undefined || (!kind.resource.isNamespaced && namespace !== '')) throw notServed();
    if (kind.resource.isNamespaced && name !== '' && namespace === '') throw notServed();
    const response = await this.answer({ request, kind, target, permit });
    return kind.deprecation === undefined ? response : withWarning(response, kind.deprecation);
  }

  private answer(asked: KindRequest): Promise<ApiResponse> {
    const { name, subresource } = asked.target;
    if (subresource !== '') return handleSubresource(this.deps, asked);
    return name === '' ? this.collection(asked) : this.object(asked);
  }

  /** What a list is worth among the requests that are served at a time: more, the more it holds. */
  seatsOfList(kind: ServedKind, { query }: ApiRequest, { namespace }: ResourceTarget): number {
    const { reader } = this.deps.service;
    const limit = Number(query.get('limit') ?? '') || Infinity;
    const count = Math.min(reader.countOf(kind, namespace === '' ? undefined : namespace), limit);
    return Math.min(LIST_SEATS_MAX, Math.ceil(count / OBJECTS_PER_SEAT));
  }

  private collection(asked: KindRequest): Promise<ApiResponse> {
    const { request, kind } = asked;
    const isWatch = isTrue(request.query, 'watch');
    switch (request.method) {
      case 'GET':
        return isWatch ? this.watch(asked) : this.list(asked);
      case 'POST':
        return allowed(kind, 'create', () => this.create(asked));
      case 'DELETE':
        return allowed(kind, 'deletecollection', () => this.deleteCollection(asked));
      default:
        throw notAllowed();
    }
  }

  private object(asked: KindRequest): Promise<ApiResponse> {
    const { request, kind } = asked;
    switch (request.method) {
      case 'GET':
        return this.get(asked);
      case 'PUT':
        return allowed(kind, 'update', () => this.update(asked));
      case 'PATCH':
        return allowed(kind, 'patch', () => this.patch(asked));
      case 'DELETE':
        return allowed(kind, 'delete', () => this.delete(asked));
      default:
        throw notAllowed();
    }
  }

  private async get(asked: KindRequest): Promise<ApiResponse> {
    const { request, kind, target } = asked;
    const { query } = request;
    const view = viewOf(this.deps, asked);
    const version = parseVersion(query.get('resourceVersion'));
    return itemResponse(
      view,
      await this.deps.service.reader.get(kind, target, version, query, waitingIn(request)),
    );
  }

  private async list(asked: KindRequest): Promise<ApiResponse> {
    const { request, kind, target } = asked;
    const view = viewOf(this.deps, asked);
    const query = listQueryOf(request.query, target.namespace);
    const waiting = waitingIn(request);
    return listResponse(view, await this.deps.service.reader.list(kind, query, waiting));
  }

  private async watch(asked: KindRequest): Promise<ApiResponse> {
    const { request, kind, target } = asked;
    const { service, random } = this.deps;
    const view = viewOf(this.deps, asked);
    const query = watchQueryOf(request.query, target.namespace, kind.resource);
    const signal = watchSignal(request, service.clock, random);
    const { labelSelector = '', fieldSelector = '' } = query;
    const length = labelSelector.length + fieldSelector.length;
    const place = this.deps.watchLimit.enter(watcherOf(request.user), signal, length);
    const { watchPacer } = this.deps;
    const turn = () => watchPacer.turn();
    const items = held(service.watcher.watch(kind, query, signal, turn), place);
    return watchResponse(view, items, () => service.clock.now());
  }

  private async create(asked: KindRequest): Promise<ApiResponse> {
    const { request, kind, target, permit } = asked;
    if (kind.resource.isNamespaced && target.namespace === '') throw notAllowed();
    using pace = this.deps.heavyLane.pace(request.signal, sharerOf(request.user));
    const context = { ...writeContextOf(request, permit), pace };
    const object = await readObject(request, kind, context);
    const item = await this.deps.service.writer.create(kind, target.namespace, object, context);
    return itemResponse(viewOf(this.deps, asked), item, 201, warningsOf(context));
  }

  private async update(asked: KindRequest): Promise<ApiResponse> {
    const { request, kind, target, permit } = asked;
    const { writer } = this.deps.service;
    using pace = this.deps.heavyLane.pace(request.signal, sharerOf(request.user));
    const context = { ...writeContextOf(request, permit), pace };
    const object = await readObject(request, kind, context);
    const view = viewOf(this.deps, asked);
    const { item, isCreated } = await writer.put(kind, target, object, context);
    return itemResponse(view, item, isCreated ? 201 : 200, warningsOf(context));
  }

  private async patch(asked: KindRequest): Promise<ApiResponse> {
    const { request, kind, target, permit } = asked;
    using pace = this.deps.heavyLane.pace(request.signal, sharerOf(request.user));
    const context = { ...writeContextOf(request, permit), pace };
    const change = await readPatch(request, kind, pace);
    const { item, isCreated } = await patch(this.deps.service, kind, target, change, context);
    const view = viewOf(this.deps, asked);
    return itemResponse(view, item, isCreated ? 201 : 200, warningsOf(context));
  }

  private async delete(asked: KindRequest): Promise<ApiResponse> {
    const { request, kind, target, permit } = asked;
    const body = await readValue(request);
    const context = withDeleteOptions(writeContextOf(request, permit), body);
    const options = deletionOptionsOf(body, request.query);
    const { item, isGone } = await this.deps.service.deleter.delete(kind, target, options, context);
    if (!isGone) return itemResponse(viewOf(this.deps, asked), item);
    const { group, plural } = kind.resource;
    const { name, uid } = item.object.metadata;
    return statusResponse(
      successStatus({
        name,
        ...(group === '' ? {} : { group }),
        kind: plural,
        ...(uid === undefined ? {} : { uid }),
      }),
    );
  }

  private async deleteCollection(asked: KindRequest): Promise<ApiResponse> {
    const { request, kind, target, permit } = asked;
    // What lies in all namespaces is never deleted at once: no client of upstream can ask for it.
    if (kind.resource.isNamespaced && target.namespace === '') throw notAllowed();
    const { reader, deleter } = this.deps.service;
    const body = await readValue(request);
    const context = withDeleteOptions(writeContextOf(request, permit), body);
    const options = deletionOptionsOf(body, request.query);
    const query = listQueryOf(request.query, target.namespace);
    const items = await deleter.deleteCollection(kind, query, options, context);
    const { resourceVersion } = reader.cacheOf(kind);
    return listResponse(viewOf(this.deps, asked), { items, resourceVersion });
  }
}

const allowed = (
  { verbs, whyReadOnly }: ServedKind,
  verb: string,
  work: () => Promise<ApiResponse>,
): Promise<ApiResponse> => {
  if (!verbs.includes(verb)) throw notAllowed(whyReadOnly);
  return work();
};

/** As upstream's estimate of the work. */
const OBJECTS_PER_SEAT = 100;
const LIST_SEATS_MAX = 10;

/** Not even administrators may have all watches. */
const watcherOf = (user: User): string => sharerOf(user) ?? user.name;

async function* held(items: AsyncIterable<readonly WatchItem[]>, place: Disposable) {
  using _place = place;
  yield* items;
}
