import { jsonEqual } from '../../../api/json-value';
import { controllerOf, isOfKind } from '../../../api/owners';
import type { Resource } from '../../../api/resources';
import { keyOf, type ApiObject } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { Claims, type ClaimRules } from './claims';
import { OwnedIndex } from './owned-index';

export interface OwnedKinds<O extends ApiObject, C extends ApiObject> extends ClaimRules<O, C> {
  readonly owners: Resource<O>;
  /** What owners make and watch. */
  readonly children: Resource<C>;
}

/**
 * The frame of a controller whose objects own others: each change of an owner, of what it owns, or of
 * an orphan it may adopt, brings the owner to `reconcile`, which reads what is there and takes the
 * next step. Level-triggered: events carry nothing but whose turn it is.
 */
export abstract class OwnedController<
  O extends ApiObject,
  C extends ApiObject,
> implements Controller {
  protected readonly queue: WorkQueue;
  protected readonly owners: Informer<O>;
  protected readonly children: Informer<C>;
  protected readonly index: OwnedIndex<C>;
  protected readonly claims: Claims<O, C>;

  constructor(
    readonly name: string,
    protected readonly deps: ControllerDeps,
    private readonly kinds: OwnedKinds<O, C>,
  ) {
    this.owners = deps.informers.of(kinds.owners);
    this.children = deps.informers.of(kinds.children);
    this.index = new OwnedIndex(this.children);
    this.claims = new Claims(kinds.children, this.children, this.index, deps.client, kinds);
    this.queue = new WorkQueue(name, deps, {
      subjectOf: (key) => subject(kinds.owners, this.owners.get(key)),
    });
  }

  /**
   * Takes the owner a step nearer to what it should be; one that is being deleted, too. A rejection
   * brings it again, later each time.
   */
  protected abstract reconcile(owner: O, signal: AbortSignal): Promise<void>;

  /** The owner is no more: forget what was remembered of it. What it owned is the garbage collector's. */
  protected ownerGone(_owner: O): void {}

  protected childGone(_child: C): void {}

  /** Other informers that must be synced before the first `reconcile`. */
  protected get alsoNeeded(): readonly Pick<Informer<ApiObject>, 'whenSynced'>[] {
    return [];
  }

  /** Follows what else brings an owner's turn. */
  protected follow(_subscriptions: Subscriptions): void {}

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueue = (owner: O) => this.enqueue(owner);
    subscriptions.add(
      this.owners.subscribe({
        name,
        onAdd: enqueue,
        onUpdate: enqueue,
        onDelete: (owner) => this.ownerGone(owner),
      }),
    );
    subscriptions.add(
      this.children.subscribe({
        name,
        onAdd: (child) => this.enqueueOwnerOf(child),
        onUpdate: (child, previous) => {
          // Both when it changed hands.
          this.enqueueOwnerOf(previous);
          this.enqueueOwnerOf(child);
        },
        onDelete: (child) => {
          this.childGone(child);
          this.enqueueOwnerOf(child);
        },
      }),
    );
    this.follow(subscriptions);
    const needed = [this.owners, this.children, ...this.alsoNeeded];
    await Promise.all(needed.map((informer) => informer.whenSynced()));
    await this.queue.run((key, workSignal) => this.reconcileKey(key, workSignal), WORKERS, signal);
  }

  protected enqueue(owner: O): void {
    this.queue.add(keyOf(owner));
  }

  /** The owner's turn comes again after `ms`, or before; undefined asks for nothing. */
  protected enqueueAfter(owner: O, ms: number | undefined): void {
    if (ms !== undefined) this.queue.addAfter(keyOf(owner), ms);
  }

  protected enqueueOwnerOf(child: C): void {
    const owner = controllerOf(child);
    const { namespace = '' } = child.metadata;
    if (owner !== undefined) {
      if (isOfKind(owner, this.kinds.owners)) this.queue.add(`${namespace}/${owner.name}`);
      return;
    }
    // An orphan: whoever selects it may adopt it.
    for (const each of this.owners.list()) if (this.claims.selects(each, child)) this.enqueue(each);
  }

  /** Writes the status if it is another one; `owner` must be as it was read. */
  protected async writeStatus(owner: O, status: unknown, signal: AbortSignal): Promise<void> {
    if (jsonEqual(status, (owner as { readonly status?: unknown }).status)) return;
    const options = { subresource: 'status' } as const;
    const changed = { ...owner, status };
    this.owners.noteWritten(
      await this.deps.client.update(this.kinds.owners, changed, options, signal),
    );
  }

  private async reconcileKey(key: string, signal: AbortSignal): Promise<void> {
    const owner = this.owners.get(key);
    // Deleted while queued.
    if (owner !== undefined) await this.reconcile(owner, signal);
  }
}

const WORKERS = 5;
