import { PODS, qualifiedName, type Resource } from '../../api/resources';
import type { Scale } from '../../api/scale';
import type { ApiObject, ObjectName } from '../../api/types';
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
} from '../../client/api-client';
import type { Term } from '../store/store';
import type { Span, Tracing } from '../../lib/tracing/tracing';
import { Permit } from './auth/permit';
import { OwnPace } from './http/heavy-lane';
import type { ServedKind } from './kinds/served-kind';
import type { ObjectService } from './objects/object-service';
import type { WatchItem } from './objects/object-watcher';
import { decodeObject } from './objects/rules';
import { cloneJson } from '../../api/json-value';
import { parseVersion } from './objects/versions';
import type { WriteContext } from './objects/write-context';
import { bindPod } from './pods/binding';
import { patch } from './rest/patching';
import { spanNameOf } from './request-span';
import { readScale, updateScale } from './rest/scale';

/**
 * The API for components in the same process: the rules of the REST API without its bytes. Objects
 * are the server's own and shared.
 */
export class InProcessClient implements ApiClient {
  /**
   * `tracing` undefined: nothing is traced.
   * @param term Of the writes of a leader, asked for each. Default: any server may make them
   */
  constructor(
    private readonly service: ObjectService,
    private readonly tracing?: Tracing,
    private readonly term?: () => Term,
  ) {}

  async get<T extends ApiObject>(
    resource: Resource<T>,
    name: ObjectName,
    signal = NEVER,
  ): Promise<T> {
    const kind = this.kindOf(resource);
    const none = new URLSearchParams();
    return (await this.service.reader.get(kind, name, undefined, none, { signal })).object as T;
  }

  async getScale(resource: Resource, name: ObjectName, signal = NEVER): Promise<Scale> {
    const none = new URLSearchParams();
    return readScale(this.service, this.kindOf(resource), name, none, signal);
  }

  async list<T extends ApiObject>(
    resource: Resource<T>,
    options: ListOptions = {},
    signal = NEVER,
  ): Promise<ListResult<T>> {
    const page = await this.service.reader.list(this.kindOf(resource), options, { signal });
    return {
      items: page.items.map(({ object }) => object as T),
      resourceVersion: String(page.resourceVersion),
      ...(page.continue === undefined ? {} : { continue: page.continue }),
    };
  }

  async *watch<T extends ApiObject>(
    resource: Resource<T>,
    { resourceVersion, allowBookmarks, ...selection }: WatchOptions,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    const version = parseVersion(resourceVersion);
    const query = {
      ...selection,
      ...(version === undefined ? {} : { version }),
      allowsBookmarks: allowBookmarks ?? false,
    };
    for await (const items of this.service.watcher.watch(this.kindOf(resource), query, signal))
      for (const item of items) yield toEvent<T>(item);
  }

  async create<T extends ApiObject>(
    resource: Resource<T>,
    object: DraftOf<T>,
    options: WriteOptions = {},
    signal = NEVER,
  ): Promise<T> {
    const kind = this.kindOf(resource);
    const context = this.contextOf(options, signal);
    return this.tracing === undefined || qualifiedName(resource) !== qualifiedName(PODS)
      ? this.createWith(kind, object, context)
      : this.createTraced(this.tracing, kind, object, context);
  }

  private async createTraced<T extends ApiObject>(
    tracing: Tracing,
    kind: ServedKind,
    object: DraftOf<T>,
    context: WriteContext,
  ): Promise<T> {
    using span = creationSpan(tracing, object.metadata.namespace ?? '');
    return await this.createWith(kind, object, span === undefined ? context : { ...context, span });
  }

  private async createWith<T extends ApiObject>(
    kind: ServedKind,
    object: DraftOf<T>,
    context: WriteContext,
  ): Promise<T> {
    const draft = decodeObject(kind, object, context);
    const namespace = object.metadata.namespace ?? '';
    return (await this.service.writer.create(kind, namespace, draft, context)).object as T;
  }

  async update<T extends ApiObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
    signal = NEVER,
  ): Promise<T> {
    const kind = this.kindOf(resource);
    const context = this.contextOf(options, signal);
    const name = { namespace: object.metadata.namespace ?? '', name: object.metadata.name };
    if (options.subresource === 'scale')
      return (await updateScale(
        this.service,
        kind,
        name,
        () => object as unknown as Scale,
        context,
      )) as unknown as T;
    const next = decodeObject(kind, object, context);
    if (options.subresource === undefined)
      return (await this.service.writer.put(kind, name, next, context)).item.object as T;
    const item = await this.service.writer.update(kind, name, () => cloneJson(next), context);
    return item.object as T;
  }

  async patch<T extends ApiObject>(
    resource: Resource<T>,
    name: ObjectName,
    type: PatchType,
    body: unknown,
    options: WriteOptions = {},
    signal = NEVER,
  ): Promise<T> {
    const context = this.contextOf(options, signal);
    if (options.subresource === 'scale')
      throw new Error('a scale is updated, not patched, in process');
    const change = { type, body, isForced: false };
    const { item } = await patch(this.service, this.kindOf(resource), name, change, context);
    return item.object as T;
  }

  async delete<T extends ApiObject>(
    resource: Resource<T>,
    name: ObjectName,
    options: DeleteOptions = {},
    signal = NEVER,
  ): Promise<void> {
    const kind = this.kindOf(resource);
    await this.service.deleter.delete(kind, name, options, this.contextOf({}, signal));
  }

  async bind(
    { uid, ...name }: ObjectName & { readonly uid: string },
    nodeName: string,
    signal = NEVER,
  ): Promise<void> {
    const pods = this.kindOf(PODS);
    await bindPod(this.service, pods, name, { nodeName, uid }, this.contextOf({}, signal));
  }

  private contextOf(
    { fieldManager, dryRun, subresource }: WriteOptions,
    signal: AbortSignal,
  ): WriteContext {
    return {
      permit: Permit.system,
      isDryRun: dryRun ?? false,
      fieldManager: fieldManager ?? 'dhow',
      subresource: subresource ?? '',
      operation: 'Update',
      tracksOwners: false,
      isForced: false,
      fieldValidation: 'Strict',
      warnings: [],
      pace: new OwnPace(),
      ...(this.term === undefined ? {} : { term: this.term() }),
      signal,
    };
  }

  private kindOf<T extends ApiObject>(resource: Resource<T>): ServedKind {
    return this.service.kinds.of(resource);
  }
}

const toEvent = <T extends ApiObject>(item: WatchItem): WatchEvent<T> =>
  item.type === 'BOOKMARK'
    ? { type: 'BOOKMARK', resourceVersion: String(item.version) }
    : { type: item.type, object: item.item.object as T };

/** A pod that a controller makes has its life traced as one that comes by a request. */
const creationSpan = (tracing: Tracing, namespace: string): Span | undefined =>
  tracing.request(spanNameOf('POST', { ...PODS, namespace, name: '', subresource: '' }), {
    isTrusted: true,
    attributes: {
      'k8s.verb': 'create',
      'k8s.resource': 'pods',
      'k8s.namespace.name': namespace,
    },
  });

const NEVER = new AbortController().signal;
