import { keyOf, type Pod } from '../../api/types';
import type { ObjectView } from './deps';

/** The pods bound to each node, kept from the informer's changes. */
export class PodIndex {
  private readonly byNode = new Map<string, Map<string, Pod>>();
  private readonly listeners = new Map<string, Set<() => void>>();
  readonly dispose: () => void;

  constructor(pods: ObjectView<Pod>) {
    this.dispose = pods.subscribe({
      onAdd: (pod) => this.note(undefined, pod),
      onUpdate: (pod, previous) => this.note(previous, pod),
      onDelete: (pod) => this.note(pod, undefined),
    });
  }

  podsOn(nodeName: string): readonly Pod[] {
    return [...(this.byNode.get(nodeName)?.values() ?? [])];
  }

  /** Calls `listener` when a pod of the node comes, changes or goes; returns the undo. */
  onChange(nodeName: string, listener: () => void): () => void {
    const listeners = this.listeners.get(nodeName) ?? new Set();
    this.listeners.set(nodeName, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.listeners.get(nodeName) === listeners)
        this.listeners.delete(nodeName);
    };
  }

  private note(before: Pod | undefined, after: Pod | undefined): void {
    const from = before?.spec.nodeName;
    const to = after?.spec.nodeName;
    // The name is the key: a pod made again under the same name replaces the one before.
    if (before !== undefined && from !== undefined && from !== to) this.remove(from, keyOf(before));
    if (before !== undefined && after === undefined && from !== undefined)
      this.remove(from, keyOf(before));
    if (after !== undefined && to !== undefined && to !== '') this.put(to, after);
    for (const node of new Set([from, to])) if (node !== undefined) this.notify(node);
  }

  private put(node: string, pod: Pod): void {
    const pods = this.byNode.get(node) ?? new Map<string, Pod>();
    this.byNode.set(node, pods.set(keyOf(pod), pod));
  }

  private remove(node: string, key: string): void {
    const pods = this.byNode.get(node);
    pods?.delete(key);
    if (pods?.size === 0) this.byNode.delete(node);
  }

  private notify(node: string): void {
    for (const listener of this.listeners.get(node) ?? []) listener();
  }
}
