import { ROW } from '../../api/assignment-rows';
import { keyOf, type ApiObject, type Pod } from '../../api/types';
import type { NodesServerDeps, ObjectView } from './deps';
import { REFERENCED, referencesOf, type ReferencedResource } from './pod-references';
import { KeyedListeners } from '../../lib/keyed-listeners';

/** What has changed for a node: its pods, or something that they use. */
export type PodIndexChange = typeof ROW.pods | ReferencedResource;

type PodIndexDeps = Pick<
  NodesServerDeps,
  'pods' | 'secrets' | 'configMaps' | 'claims' | 'runtimeClasses'
>;

/**
 * The pods bound to each node, and the other way round which nodes use an object, kept from the
 * informers' changes: a change concerns the nodes that it is for, however many there are.
 */
export class PodIndex implements Disposable {
  private readonly byNode = new Map<string, Map<string, Pod>>();
  /** By resource, then by key: how many pods of each node use it. */
  private readonly users: Readonly<Record<ReferencedResource, Map<string, Map<string, number>>>> = {
    [ROW.secrets]: new Map(),
    [ROW.configMaps]: new Map(),
    [ROW.claims]: new Map(),
    [ROW.runtimeClasses]: new Map(),
  };
  private readonly listeners = new KeyedListeners<[PodIndexChange]>();
  private readonly undo: readonly (() => void)[];

  constructor({ pods, secrets, configMaps, claims, runtimeClasses }: PodIndexDeps) {
    this.undo = [
      pods.subscribe({
        onAdd: (pod) => this.note(undefined, pod),
        onUpdate: (pod, previous) => this.note(previous, pod),
        onDelete: (pod) => this.note(pod, undefined),
      }),
      this.follow(ROW.secrets, secrets),
      this.follow(ROW.configMaps, configMaps),
      this.follow(ROW.claims, claims),
      this.follow(ROW.runtimeClasses, runtimeClasses),
    ];
  }

  [Symbol.dispose](): void {
    for (const undo of this.undo) undo();
  }

  podsOn(nodeName: string): readonly Pod[] {
    return [...(this.byNode.get(nodeName)?.values() ?? [])];
  }

  /** Names of the nodes whose pods use the object, whether it exists or not. */
  usersOf(resource: ReferencedResource, key: string): readonly string[] {
    return [...(this.users[resource].get(key)?.keys() ?? [])];
  }

  /** Calls `listener` when something changes for the node; returns the undo. */
  onChange(nodeName: string, listener: (change: PodIndexChange) => void): () => void {
    return this.listeners.add(nodeName, listener);
  }

  private follow<T extends ApiObject>(
    resource: ReferencedResource,
    view: ObjectView<T>,
  ): () => void {
    const changed = (object: T) => {
      for (const node of this.usersOf(resource, keyOf(object))) this.notify(node, resource);
    };
    return view.subscribe({ onAdd: changed, onUpdate: changed, onDelete: changed });
  }

  private note(before: Pod | undefined, after: Pod | undefined): void {
    const from = before?.spec.nodeName;
    const to = after?.spec.nodeName;
    // The name is the key: a pod made again under the same name replaces the one before.
    if (before !== undefined && from !== undefined && (from !== to || after === undefined))
      this.remove(from, keyOf(before));
    if (after !== undefined && to !== undefined && to !== '') this.put(to, after);
    for (const node of new Set([from, to])) if (node !== undefined) this.notify(node, ROW.pods);
  }

  private put(node: string, pod: Pod): void {
    const pods = this.byNode.get(node) ?? new Map<string, Pod>();
    const key = keyOf(pod);
    const previous = pods.get(key);
    this.byNode.set(node, pods.set(key, pod));
    this.count(node, pod, 1);
    if (previous !== undefined) this.count(node, previous, -1);
  }

  private remove(node: string, key: string): void {
    const pods = this.byNode.get(node);
    const pod = pods?.get(key);
    if (pods === undefined || pod === undefined) return;
    pods.delete(key);
    if (pods.size === 0) this.byNode.delete(node);
    this.count(node, pod, -1);
  }

  private count(node: string, pod: Pod, by: 1 | -1): void {
    const references = referencesOf(pod);
    for (const resource of REFERENCED) {
      const users = this.users[resource];
      for (const key of references[resource]) {
        const nodes = users.get(key) ?? new Map<string, number>();
        const count = (nodes.get(node) ?? 0) + by;
        if (count > 0) users.set(key, nodes.set(node, count));
        else nodes.delete(node);
        if (nodes.size === 0) users.delete(key);
      }
    }
  }

  private notify(node: string, change: PodIndexChange): void {
    this.listeners.tell(node, change);
  }
}
