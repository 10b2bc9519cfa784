import { controllerOf, isControlledBy } from '../../../api/owners';
import { keyOf, type ApiObject } from '../../../api/types';
import type { Informer } from '../../../client/informer';

/** Finds the objects that an owner controls, or that nobody does, without walking all of them. */
export class OwnedIndex<T extends ApiObject> {
  private readonly byOwner = new Map<string, Map<string, T>>();
  private readonly orphans = new Map<string, Map<string, T>>();

  constructor(informer: Informer<T>) {
    informer.subscribe({
      onAdd: (object) => this.add(object),
      onUpdate: (object, previous) => {
        this.remove(previous);
        this.add(object);
      },
      onDelete: (object) => this.remove(object),
    });
  }

  /** What `owner` controls, then what has no controller in its namespace. */
  candidates(owner: ApiObject): T[] {
    return [
      ...this.ownedBy(owner),
      ...(this.orphans.get(owner.metadata.namespace ?? '')?.values() ?? []),
    ];
  }

  ownedBy(owner: ApiObject): T[] {
    const named = this.byOwner.get(owner.metadata.uid ?? '')?.values() ?? [];
    return [...named].filter((object) => isControlledBy(object, owner));
  }

  private add(object: T): void {
    const [index, group] = this.place(object);
    let members = index.get(group);
    if (members === undefined) index.set(group, (members = new Map<string, T>()));
    members.set(keyOf(object), object);
  }

  private remove(object: T): void {
    const [index, group] = this.place(object);
    const members = index.get(group);
    members?.delete(keyOf(object));
    if (members?.size === 0) index.delete(group);
  }

  private place(object: T): [Map<string, Map<string, T>>, string] {
    const owner = controllerOf(object);
    return owner === undefined
      ? [this.orphans, object.metadata.namespace ?? '']
      : [this.byOwner, owner.uid];
  }
}
