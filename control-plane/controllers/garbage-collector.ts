import { ApiError, hasReason } from '../../api/errors';
import { apiVersionOf, type Resource } from '../../api/resources';
import { nameOf, type ApiObject, type OwnerReference } from '../../api/types';
import { WorkQueue } from '../../client/work-queue';
import type { Controller, ControllerDeps } from './controller';
import { jsonEqual } from '../../api/json-value';

/** One object in the ownership graph, present or only referred to. */
interface GraphNode {
  readonly resource: Resource;
  readonly object: ApiObject;
}

/**
 * Deletes objects whose owners are all gone, and carries out foreground and orphaning deletion by
 * the finalizers `foregroundDeletion` and `orphan`. An owner counts as gone only after a live read
 * says so: a cache may be behind.
 */
export class GarbageCollector implements Controller {
  readonly name = 'garbage-collector';
  private readonly queue: WorkQueue;
  /** By uid. */
  private readonly nodes = new Map<string, GraphNode>();
  private readonly dependents = new Map<string, Set<string>>();

  constructor(
    private readonly deps: ControllerDeps,
    private readonly resources: readonly Resource[],
  ) {
    this.queue = new WorkQueue(this.name, deps);
  }

  async run(signal: AbortSignal): Promise<void> {
    const informers = this.resources.map((resource) => {
      const informer = this.deps.informers.of(resource);
      informer.subscribe({
        onAdd: (object) => this.add(resource, object),
        onUpdate: (object, previous) => this.update(resource, object, previous),
        onDelete: (object) => this.remove(object),
      });
      return informer;
    });
    await Promise.all(informers.map((informer) => informer.whenSynced()));
    for (const uid of this.nodes.keys()) this.queue.add(uid);
    await this.queue.run((uid, workSignal) => this.reconcile(uid, workSignal), WORKERS, signal);
  }

  private add(resource: Resource, object: ApiObject): void {
    const uid = uidOf(object);
    this.nodes.set(uid, { resource, object });
    const owners = object.metadata.ownerReferences ?? [];
    for (const owner of owners) {
      let dependents = this.dependents.get(owner.uid);
      if (dependents === undefined) this.dependents.set(owner.uid, (dependents = new Set()));
      dependents.add(uid);
    }
    if (owners.length > 0 || object.metadata.deletionTimestamp !== undefined) this.queue.add(uid);
  }

  private update(resource: Resource, object: ApiObject, previous: ApiObject): void {
    this.unlink(previous);
    this.add(resource, object);
    const before = previous.metadata.ownerReferences ?? [];
    // An owner may have waited for a dependent that is none any more.
    if (!jsonEqual(before, object.metadata.ownerReferences ?? []))
      for (const owner of before) this.queue.add(owner.uid);
  }

  private unlink(object: ApiObject): void {
    for (const owner of object.metadata.ownerReferences ?? []) {
      const dependents = this.dependents.get(owner.uid);
      dependents?.delete(uidOf(object));
      if (dependents?.size === 0) this.dependents.delete(owner.uid);
    }
  }

  private remove(object: ApiObject): void {
    const uid = uidOf(object);
    this.nodes.delete(uid);
    this.unlink(object);
    for (const dependent of this.dependents.get(uid) ?? []) this.queue.add(dependent);
    // An owner that waits for its last dependent.
    for (const owner of object.metadata.ownerReferences ?? []) this.queue.add(owner.uid);
  }

  async reconcile(uid: string, signal: AbortSignal): Promise<void> {
    const node = this.nodes.get(uid);
    if (node === undefined) return;
    const { deletionTimestamp, finalizers = [] } = node.object.metadata;
    if (deletionTimestamp !== undefined) {
      if (finalizers.includes('orphan')) return this.orphanDependents(node, signal);
      if (finalizers.includes('foregroundDeletion')) return this.deleteDependents(node, signal);
      return;
    }
    await this.deleteIfUnowned(node, signal);
  }

  private async deleteIfUnowned({ resource, object }: GraphNode, signal: AbortSignal) {
    const owners = object.metadata.ownerReferences ?? [];
    if (owners.length === 0) return;
    const standing = await Promise.all(owners.map((owner) => this.standing(object, owner, signal)));
    if (!standing.some((each) => each !== 'present')) return;
    const kept = owners.filter((_owner, i) => standing[i] === 'present');
    const { uid = '', resourceVersion = '' } = object.metadata;
    if (kept.length > 0) {
      // Some owners remain: only let go of the others, also of one that waits for this to be gone.
      const body = { metadata: { uid, resourceVersion, ownerReferences: kept } };
      await this.patch(resource, object, body, signal);
      return;
    }
    if (!standing.includes('waiting')) return this.delete(resource, object, 'Background', signal);
    await this.breakCycle({ resource, object }, signal);
    await this.delete(resource, object, 'Foreground', signal);
  }

  /** Objects that own each other and are deleted in the foreground would wait for each other. */
  private async breakCycle({ resource, object }: GraphNode, signal: AbortSignal): Promise<void> {
    const isCycle = this.dependentsOf(object).some((dependent) => isInForeground(dependent.object));
    if (!isCycle) return;
    const { uid, ownerReferences = [] } = object.metadata;
    const unblocked = ownerReferences.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
    await this.patch(resource, object, { metadata: { uid, ownerReferences: unblocked } }, signal);
  }

  /** `waiting`: the owner is being deleted in the foreground and waits for its dependents. */
  private async standing(
    dependent: ApiObject,
    owner: OwnerReference,
    signal: AbortSignal,
  ): Promise<'present' | 'waiting' | 'absent'> {
    const known =
      this.nodes.get(owner.uid)?.object ?? (await this.lookUp(dependent, owner, signal));
    if (known === undefined) return 'absent';
    return isInForeground(known) && owner.blockOwnerDeletion === true ? 'waiting' : 'present';
  }

  private async lookUp(dependent: ApiObject, owner: OwnerReference, signal: AbortSignal) {
    const resource = this.resources.find(
      (candidate) => candidate.kind === owner.kind && apiVersionOf(candidate) === owner.apiVersion,
    );
    // A kind that we do not serve can't be looked up: leave its dependents alone.
    if (resource === undefined)
      throw new ApiError('NotFound', `no kind ${owner.kind} in ${owner.apiVersion}`);
    const namespace = resource.isNamespaced ? (dependent.metadata.namespace ?? '') : '';
    try {
      const found = await this.deps.client.get(resource, { namespace, name: owner.name }, signal);
      return found.metadata.uid === owner.uid ? found : undefined;
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  private async deleteDependents({ resource, object }: GraphNode, signal: AbortSignal) {
    const dependents = this.dependentsOf(object);
    const blocking = dependents.filter((dependent) =>
      dependent.object.metadata.ownerReferences?.some(
        (owner) => owner.uid === object.metadata.uid && owner.blockOwnerDeletion === true,
      ),
    );
    if (blocking.length === 0)
      return this.dropFinalizer(resource, object, 'foregroundDeletion', signal);
    for (const dependent of blocking) {
      if (dependent.object.metadata.deletionTimestamp === undefined) {
        this.queue.add(uidOf(dependent.object));
      }
    }
  }

  private async orphanDependents({ resource, object }: GraphNode, signal: AbortSignal) {
    for (const dependent of this.dependentsOf(object)) {
      const { uid, resourceVersion, ownerReferences = [] } = dependent.object.metadata;
      const remaining = ownerReferences.filter((owner) => owner.uid !== object.metadata.uid);
      const body = { metadata: { uid, resourceVersion, ownerReferences: remaining } };
      await this.patch(dependent.resource, dependent.object, body, signal);
    }
    await this.dropFinalizer(resource, object, 'orphan', signal);
  }

  private dependentsOf(owner: ApiObject): GraphNode[] {
    return [...(this.dependents.get(uidOf(owner)) ?? [])]
      .map((uid) => this.nodes.get(uid))
      .filter((node) => node !== undefined);
  }

  private async dropFinalizer(
    resource: Resource,
    object: ApiObject,
    finalizer: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { uid, resourceVersion, finalizers = [] } = object.metadata;
    const remaining = finalizers.filter((name) => name !== finalizer);
    const body = { metadata: { uid, resourceVersion, finalizers: remaining } };
    await this.patch(resource, object, body, signal);
  }

  private async patch(resource: Resource, object: ApiObject, body: unknown, signal: AbortSignal) {
    try {
      await this.deps.client.patch(resource, nameOf(object), 'merge', body, {}, signal);
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
    }
  }

  private async delete(
    resource: Resource,
    object: ApiObject,
    propagationPolicy: 'Background' | 'Foreground',
    signal: AbortSignal,
  ): Promise<void> {
    const { uid = '' } = object.metadata;
    const options = { propagationPolicy, preconditions: { uid } };
    const name = nameOf(object);
    try {
      await this.deps.client.delete(resource, name, options, signal);
    } catch (error) {
      if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
    }
  }
}

const isInForeground = ({ metadata: { deletionTimestamp, finalizers } }: ApiObject): boolean =>
  deletionTimestamp !== undefined && finalizers?.includes('foregroundDeletion') === true;

const uidOf = ({ metadata }: ApiObject): string => metadata.uid ?? '';

const WORKERS = 8;
