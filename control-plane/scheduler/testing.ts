import { onAbort } from '../../lib/async/on-abort';
import { ApiError, notFound } from '../../api/errors';
import { NODES, PODS, type Resource } from '../../api/resources';
import { RUNTIME_HANDLER_ANNOTATION } from '../../api/runtime-handlers';
import {
  keyOf,
  nameKey,
  nameOf,
  type ApiObject,
  type Node,
  type ObjectName,
  type Pod,
} from '../../api/types';
import type { ApiClient, ListResult, WatchEvent, WatchOptions } from '../../client/api-client';
import type { EventRecorder } from '../../client/events';
import { Channel } from '../../lib/async/channel';

/** Fixtures for this room's tests and benchmark: valid objects, and an API in memory. */

export interface NodeOptions {
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: string;
  readonly more?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: Node['spec']['taints'];
  readonly unschedulable?: boolean;
  readonly images?: Node['status']['images'];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly runtimeHandlers?: readonly string[];
}

export const testNode = (name: string, options: NodeOptions = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name,
    uid: `uid-${name}`,
    labels: { 'kubernetes.io/hostname': name, ...options.labels },
    ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
  },
  spec: {
    ...(options.taints === undefined ? {} : { taints: options.taints }),
    ...(options.unschedulable === undefined ? {} : { unschedulable: options.unschedulable }),
  },
  status: {
    allocatable: {
      cpu: options.cpu ?? '4',
      memory: options.memory ?? '8Gi',
      pods: options.pods ?? '110',
      ...options.more,
    },
    ...(options.images === undefined ? {} : { images: options.images }),
    ...(options.runtimeHandlers === undefined
      ? {}
      : { runtimeHandlers: options.runtimeHandlers.map((each) => ({ name: each })) }),
  },
});

export interface PodOptions extends Partial<Pod['spec']> {
  readonly cpu?: string;
  readonly memory?: string;
  readonly image?: string;
  readonly ports?: Pod['spec']['containers'][number]['ports'];
  readonly phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
  readonly uid?: string;
  /** Of a class that it then has. */
  readonly runtimeHandler?: string | undefined;
}

export const testPod = (name: string, options: PodOptions = {}): Pod => {
  const { cpu, memory, image = 'app:1', ports, phase = 'Pending', uid, ...others } = options;
  const { runtimeHandler: handler, ...spec } = others;
  const requests = {
    ...(cpu === undefined ? {} : { cpu }),
    ...(memory === undefined ? {} : { memory }),
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...{ name, namespace: 'default', uid: uid ?? `uid-${name}` },
      ...(handler === undefined ? {} : { annotations: { [RUNTIME_HANDLER_ANNOTATION]: handler } }),
    },
    spec: {
      ...(handler === undefined ? {} : { runtimeClassName: handler }),
      containers: [
        { name: 'c', image, resources: { requests }, ...(ports === undefined ? {} : { ports }) },
      ],
      ...spec,
    },
    status: { phase },
  };
};

/** Pods and nodes in memory, with the API's conflict rules for bindings. */
export class FakeApi implements ApiClient {
  readonly objects = new Map<string, ApiObject>();
  readonly patches: { readonly name: string; readonly body: unknown }[] = [];
  bindCount = 0;
  /** Thrown by the next binding, before or after it takes effect. */
  failNextBind: { readonly error: Error; readonly isApplied: boolean } | undefined;
  private readonly watchers = new Set<{
    readonly plural: string;
    readonly channel: Channel<WatchEvent<ApiObject>>;
  }>();
  private version = 0;

  async get<T extends ApiObject>(resource: Resource<T>, name: ObjectName): Promise<T> {
    const object = this.objects.get(`${resource.plural}/${nameKey(name)}`);
    if (object === undefined) throw notFound(resource.plural, resource.group, name.name);
    return object as T;
  }

  getScale(): never {
    throw new Error('not part of this fake');
  }

  async list<T extends ApiObject>({ plural }: Resource<T>): Promise<ListResult<T>> {
    const items = [...this.objects].filter(([key]) => key.startsWith(`${plural}/`));
    return { items: items.map(([, each]) => each as T), resourceVersion: String(this.version) };
  }

  async *watch<T extends ApiObject>(
    { plural }: Resource<T>,
    _options: WatchOptions,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    const channel = new Channel<WatchEvent<ApiObject>>(1_000_000);
    const watcher = { plural, channel };
    this.watchers.add(watcher);
    onAbort(signal, () => channel.end());
    try {
      for await (const event of channel) yield event as WatchEvent<T>;
    } finally {
      this.watchers.delete(watcher);
    }
  }

  /** Puts an object there as a user or another component would. */
  put<T extends ApiObject>(resource: Resource<T>, object: T): T {
    const key = `${resource.plural}/${keyOf(object)}`;
    const type = this.objects.has(key) ? 'MODIFIED' : 'ADDED';
    const stored = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(++this.version) },
    };
    this.objects.set(key, stored);
    this.tell(resource.plural, { type, object: stored });
    return stored;
  }

  putPod(pod: Pod): Pod {
    return this.put(PODS, pod);
  }

  putNode(node: Node): Node {
    return this.put(NODES, node);
  }

  take<T extends ApiObject>(resource: Resource<T>, object: T): void {
    this.objects.delete(`${resource.plural}/${keyOf(object)}`);
    const metadata = { ...object.metadata, resourceVersion: String(++this.version) };
    this.tell(resource.plural, { type: 'DELETED', object: { ...object, metadata } });
  }

  pod(name: string): Pod {
    return this.objects.get(`pods/default/${name}`) as Pod;
  }

  async bind(pod: ObjectName & { readonly uid: string }, nodeName: string): Promise<void> {
    const failure = this.failNextBind;
    this.failNextBind = undefined;
    if (failure?.isApplied === false) throw failure.error;
    const stored = await this.get(PODS, pod);
    if (stored.metadata.uid !== pod.uid || stored.spec.nodeName !== undefined) {
      throw new ApiError('Conflict', `pod ${pod.name} is already assigned to a node`);
    }
    this.bindCount++;
    this.put(PODS, { ...stored, spec: { ...stored.spec, nodeName } });
    if (failure !== undefined) throw failure.error;
  }

  async patch<T extends ApiObject>(
    resource: Resource<T>,
    name: ObjectName,
    _type: string,
    body: unknown,
  ): Promise<T> {
    const object = await this.get(resource, name);
    const { status } = body as { readonly status?: object };
    this.patches.push({ name: name.name, body });
    return this.put(resource, {
      ...object,
      status: { ...(object as { status?: object }).status, ...status },
    });
  }

  create(): never {
    throw new Error('not part of this fake');
  }

  async update<T extends ApiObject>(resource: Resource<T>, object: T): Promise<T> {
    return this.put(resource, object);
  }

  async delete<T extends ApiObject>(resource: Resource<T>, name: ObjectName): Promise<void> {
    this.take(resource, await this.get(resource, name));
  }

  private tell(plural: string, event: WatchEvent<ApiObject>): void {
    for (const watcher of this.watchers) if (watcher.plural === plural) watcher.channel.push(event);
  }
}

/** Keeps what was said. */
export class FakeEvents implements EventRecorder {
  readonly said: { readonly object: string; readonly reason: string; readonly message: string }[] =
    [];

  event(_resource: Resource, object: ApiObject, _type: string, reason: string, message: string) {
    this.said.push({ object: nameOf(object).name, reason, message });
  }
}
