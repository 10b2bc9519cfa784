import { keyOf, type ApiObject } from '../api/types';
import type { Informer } from './informer';

/** Finds the objects under a key of the caller's making, without walking all of them. */
export class KeyedIndex<T extends ApiObject> implements Disposable {
  private readonly groups = new Map<string, Map<string, T>>();
  private readonly unsubscribe: () => void;

  /** `groupOf` gives undefined for what nobody looks for. */
  constructor(
    informer: Informer<T>,
    private readonly groupOf: (object: T) => string | undefined,
  ) {
    this.unsubscribe = informer.subscribe({
      onAdd: (object) => this.put(object),
      onUpdate: (object, previous) => {
        // Where it stays, it keeps its place among the others.
        if (groupOf(previous) !== groupOf(object)) this.remove(previous);
        this.put(object);
      },
      onDelete: (object) => this.remove(object),
    });
  }

  /** It follows the informer no more. */
  [Symbol.dispose](): void {
    this.unsubscribe();
    this.groups.clear();
  }

  in(group: string): readonly T[] {
    return [...(this.groups.get(group)?.values() ?? [])];
  }

  private put(object: T): void {
    const group = this.groupOf(object);
    if (group === undefined) return;
    const members = this.groups.get(group) ?? new Map<string, T>();
    this.groups.set(group, members.set(keyOf(object), object));
  }

  private remove(object: T): void {
    const group = this.groupOf(object);
    const members = group === undefined ? undefined : this.groups.get(group);
    members?.delete(keyOf(object));
    if (group !== undefined && members?.size === 0) this.groups.delete(group);
  }
}
