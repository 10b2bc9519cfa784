import { keyOf, type ApiObject } from '../api/types';
import type { Informer } from './informer';

/** Finds the objects of a namespace without walking all of them. */
export class NamespaceIndex<T extends ApiObject> {
  private readonly namespaces = new Map<string, Map<string, T>>();

  constructor(informer: Informer<T>) {
    const put = (object: T) => this.put(object);
    informer.subscribe({ onAdd: put, onUpdate: put, onDelete: (object) => this.remove(object) });
  }

  in(namespace: string): readonly T[] {
    return [...(this.namespaces.get(namespace)?.values() ?? [])];
  }

  private put(object: T): void {
    const { namespace = '' } = object.metadata;
    let members = this.namespaces.get(namespace);
    if (members === undefined) this.namespaces.set(namespace, (members = new Map<string, T>()));
    members.set(keyOf(object), object);
  }

  private remove(object: T): void {
    const { namespace = '' } = object.metadata;
    const members = this.namespaces.get(namespace);
    members?.delete(keyOf(object));
    if (members?.size === 0) this.namespaces.delete(namespace);
  }
}
