import { compareKeys, type StoreKey, type StoredObject } from './store';

/**
 * The objects of one resource in order. Snapshots are plain arrays that never change: a list that
 * was handed out is copied before the next write touches it.
 */
export class ObjectIndex {
  private readonly namespaces = new Map<string, SortedObjects>();
  private all: readonly StoredObject[] | undefined;

  constructor(objects: readonly StoredObject[] = []) {
    const sorted = objects.toSorted((a, b) => compareKeys(a.key, b.key));
    for (const object of sorted) this.inNamespace(object.key.namespace).items.push(object);
  }

  get(namespace: string, name: string): StoredObject | undefined {
    return this.namespaces.get(namespace)?.get(name);
  }

  set(object: StoredObject): void {
    this.all = undefined;
    this.inNamespace(object.key.namespace).set(object);
  }

  delete({ namespace, name }: StoreKey): void {
    this.all = undefined;
    const objects = this.namespaces.get(namespace);
    objects?.delete(name);
    if (objects?.items.length === 0) this.namespaces.delete(namespace);
  }

  /** Ordered by namespace, then name. */
  snapshot(namespace?: string): readonly StoredObject[] {
    if (namespace !== undefined) return this.namespaces.get(namespace)?.snapshot() ?? [];
    return (this.all ??= [...this.namespaces]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, objects]) => objects.items));
  }

  private inNamespace(namespace: string): SortedObjects {
    let objects = this.namespaces.get(namespace);
    if (objects === undefined) this.namespaces.set(namespace, (objects = new SortedObjects()));
    return objects;
  }
}

class SortedObjects {
  items: StoredObject[] = [];
  private isShared = false;

  get(name: string): StoredObject | undefined {
    const found = this.items[this.position(name)];
    return found?.key.name === name ? found : undefined;
  }

  set(object: StoredObject): void {
    this.unshare();
    const position = this.position(object.key.name);
    const isKnown = this.items[position]?.key.name === object.key.name;
    this.items.splice(position, isKnown ? 1 : 0, object);
  }

  delete(name: string): void {
    const position = this.position(name);
    if (this.items[position]?.key.name !== name) return;
    this.unshare();
    this.items.splice(position, 1);
  }

  snapshot(): readonly StoredObject[] {
    this.isShared = true;
    return this.items;
  }

  private unshare(): void {
    if (this.isShared) this.items = this.items.slice();
    this.isShared = false;
  }

  private position(name: string): number {
    let low = 0;
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.items[middle] as StoredObject).key.name < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
