import type { Resource } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import type { Informer } from '../../client/informer';
import type { Informers } from '../../client/informers';
import type { ServedResources } from '../../client/served-resources';
import { TaskGroup } from '../../lib/async/task-group';

/** Called as an informer's handlers are, each with the kind that the object is of. */
export interface AllObjectsHandlers {
  /** Who they are, for reports of what they could not handle. */
  readonly name: string;
  onAdd(resource: Resource, object: ApiObject): void;
  onUpdate(resource: Resource, object: ApiObject, previous: ApiObject): void;
  onDelete(resource: Resource, object: ApiObject): void;
  /** The kind came after the others, and all its objects have been told of. */
  onKindSynced(resource: Resource): void;
  /** The kind is served no more: nothing can be said of its objects, nor done to them. */
  onKindGone(resource: Resource): void;
}

/** Tells of every object of every kind, as kinds come and go, until it is disposed of. */
export class AllObjects implements AsyncDisposable {
  private readonly followed = new Map<Resource, Followed>();
  private readonly group = new TaskGroup();
  private readonly stopFollowing: () => void;

  constructor(
    private readonly informers: Informers,
    private readonly served: ServedResources,
    private readonly handlers: AllObjectsHandlers,
  ) {
    for (const resource of served.resources()) this.follow(resource);
    this.stopFollowing = served.onChange(() => this.catchUp());
  }

  /** Resolves when all kinds are synced that are followed now, or have ended. */
  async whenSynced(): Promise<void> {
    await Promise.all([...this.followed.values()].map(({ informer }) => informer.whenSynced()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopFollowing();
    for (const { end } of this.followed.values()) end();
    this.followed.clear();
    await this.group[Symbol.asyncDispose]();
  }

  private catchUp(): void {
    const served = new Set(this.served.resources());
    for (const resource of this.followed.keys()) if (!served.has(resource)) this.leave(resource);
    for (const resource of served) {
      if (this.followed.has(resource)) continue;
      const { informer } = this.follow(resource);
      this.group.run(async () => {
        await informer.whenSynced();
        if (this.followed.get(resource)?.informer === informer)
          this.handlers.onKindSynced(resource);
      });
    }
  }

  private follow(resource: Resource): Followed {
    const { handlers } = this;
    const informer = this.informers.of(resource);
    const end = informer.subscribe({
      name: handlers.name,
      onAdd: (object) => handlers.onAdd(resource, object),
      onUpdate: (object, previous) => handlers.onUpdate(resource, object, previous),
      onDelete: (object) => handlers.onDelete(resource, object),
    });
    const followed = { informer, end };
    this.followed.set(resource, followed);
    return followed;
  }

  private leave(resource: Resource): void {
    this.followed.get(resource)?.end();
    this.followed.delete(resource);
    this.informers.release(resource);
    this.handlers.onKindGone(resource);
  }
}

interface Followed {
  readonly informer: Informer<ApiObject>;
  readonly end: () => void;
}
