import { hasReason } from '../../api/errors';
import { isOfKind, isOwnedBy } from '../../api/owners';
import type { Resource } from '../../api/resources';
import { nameOf, type ApiObject, type OwnerReference, uidOf } from '../../api/types';
import type { ServedResources } from '../../client/served-resources';
import { WorkQueue } from '../../client/work-queue';
import { AllObjects } from './all-objects';
import type { Controller, ControllerDeps } from './controller';
import { jsonEqual } from '../../api/json-value';

/** One object in the ownership graph, present or only referred to. */
interface GraphNode {
  readonly resource: Resource;
  readonly object: ApiObject;
}

/**
 * Deletes objects whose owners are all gone, and carries out foreground and orphaning deletion by
 * the finalizers `foregroundDeletion` and `orphan`. An owner counts as gone only when its deletion was
 * seen, or after a live read says so: a cache may be behind.
 */
export class GarbageCollector implements Controller {
  readonly name = 'garbage-collector';
  private readonly queue: WorkQueue;
  /** By uid. */
  private readonly nodes = new Map<string, GraphNode>();
  private readonly dependents = new Map<string, Set<string>>();
  /** Object and owner uids whose invalid reference was told, while the object lives. */
  private readonly told = new Set<string>();
  private readonly unknownKinds = new Set<string>();
  /** The last uids whose deletion was seen: what had one never comes back. */
  private readonly gone = new Set<string>();

  constructor(
    private readonly deps: ControllerDeps,
    private readonly served: ServedResources,
  ) {
    this.queue = new WorkQueue(this.name, deps, { subjectOf: (uid) => this.nodes.get(uid) });
  }

  async run(signal: AbortSignal): Promise<void> {
    await using objects = new AllObjects(this.deps.informers, this.served, {
      name: this.name,
      onAdd: (resource, object) => this.add(resource, object),
      onUpdate: (resource, object, previous) => this.update(resource, object, previous),
      onDelete: (_resource, object) => this.remove(object),
      onKindSynced: (resource) => this.lookAgain(resource),
      onKindGone: (resource) => this.forget(resource),
    });
    await objects.whenSynced();
    for (const uid of this.nodes.keys()) this.queue.add(uid);
    await this.queue.run((uid, workSignal) => this.reconcile(uid, workSignal), WORKERS, signal);
  }

  private add(resource: Resource, object: ApiObject): void {
    const uid = uidOf(object);
    this.nodes.set(uid, { resource, object });
    // A server that has lost its later history may have it again.
    this.gone.delete(uid);
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
      for (const owner of before) {
        this.told.delete(`${uidOf(object)}/${owner.uid}`);
        this.queue.add(owner.uid);
      }
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
    for (const owner of object.metadata.ownerReferences ?? [])
      this.told.delete(`${uid}/${owner.uid}`);
    this.unlink(object);
    this.noteGone(uid);
    for (const dependent of this.dependents.get(uid) ?? []) this.queue.add(dependent);
    // An owner that waits for its last dependent.
    for (const owner of object.metadata.ownerReferences ?? []) this.queue.add(owner.uid);
  }

  /** Only what something names as its owner is asked for. */
  private noteGone(uid: string): void {
    if (!this.dependents.has(uid)) return;
    this.gone.add(uid);
    const [oldest] = this.gone;
    if (this.gone.size > GONE_MAX && oldest !== undefined) this.gone.delete(oldest);
  }

  /** Objects that name owners of a kind were left alone while nobody knew it. */
  private lookAgain(owners: Resource): void {
    this.unknownKinds.clear();
    for (const [uid, { object }] of this.nodes)
      if (object.metadata.ownerReferences?.some((owner) => isOfKind(owner, owners)) === true)
        this.queue.add(uid);
  }

  /** What such objects own stays: nobody can tell any more whether they are there. */
  private forget(resource: Resource): void {
    for (const [uid, node] of this.nodes) {
      if (node.resource !== resource) continue;
      this.nodes.delete(uid);
      this.unlink(node.object);
      for (const owner of node.object.metadata.ownerReferences ?? [])
        this.told.delete(`${uid}/${owner.uid}`);
    }
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
    for (const owner of owners) this.tellInvalid(resource, object, owner);
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

  /** Tells of references that can't hold: to another namespace, or from the cluster into one. */
  private tellInvalid(resource: Resource, object: ApiObject, owner: OwnerReference): void {
    const ofKind = this.resourceOf(owner);
    const { uid = '', namespace = '' } = object.metadata;
    if (ofKind === undefined) {
      this.tellUnknownKind(owner);
      return;
    }
    const elsewhere = this.nodes.get(owner.uid)?.object.metadata.namespace ?? namespace;
    const isInvalid =
      isOutOfReach(object, ofKind) || (ofKind.isNamespaced && elsewhere !== namespace);
    const key = `${uid}/${owner.uid}`;
    if (!isInvalid || this.told.has(key)) return;
    this.told.add(key);
    const named = `${owner.apiVersion}/${owner.kind}, namespace: ${namespace}, name: ${owner.name}`;
    this.deps.events.event(
      resource,
      object,
      'Warning',
      'OwnerRefInvalidNamespace',
      `ownerRef [${named}, uid: ${owner.uid}] does not exist in namespace ${JSON.stringify(namespace)}`,
    );
  }

  private tellUnknownKind({ apiVersion, kind }: OwnerReference): void {
    const key = `${apiVersion} ${kind}`;
    // Anyone may name kinds: what is remembered of them is bounded.
    if (this.unknownKinds.has(key) || this.unknownKinds.size >= UNKNOWN_KINDS_MAX) return;
    this.unknownKinds.add(key);
    this.deps.log.warn({ apiVersion, kind }, 'objects with an owner of an unknown kind stay');
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
    const ofKind = this.resourceOf(owner);
    // What can't be looked up can't be said to be gone: its dependents are left alone.
    if (ofKind === undefined || isOutOfReach(dependent, ofKind)) return 'present';
    if (this.gone.has(owner.uid)) return 'absent';
    const cached = this.nodes.get(owner.uid)?.object;
    const isCached = cached !== undefined && isOwnedBy(dependent, owner, cached);
    const known = isCached ? cached : await this.lookUp(dependent, owner, ofKind, signal);
    if (known === undefined) return 'absent';
    return isInForeground(known) && owner.blockOwnerDeletion === true ? 'waiting' : 'present';
  }

  private resourceOf(owner: OwnerReference): Resource | undefined {
    return this.served.resources().find((each) => isOfKind(owner, each));
  }

  private async lookUp(
    dependent: ApiObject,
    owner: OwnerReference,
    resource: Resource,
    signal: AbortSignal,
  ): Promise<ApiObject | undefined> {
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
        (owner) => owner.blockOwnerDeletion === true && isOwnedBy(dependent.object, owner, object),
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
      const remaining = ownerReferences.filter(
        (owner) => !isOwnedBy(dependent.object, owner, object),
      );
      const body = { metadata: { uid, resourceVersion, ownerReferences: remaining } };
      await this.patch(dependent.resource, dependent.object, body, signal);
    }
    await this.dropFinalizer(resource, object, 'orphan', signal);
  }

  /** What names the owner in full: others may have copied its uid. */
  private dependentsOf(owner: ApiObject): GraphNode[] {
    return [...(this.dependents.get(uidOf(owner)) ?? [])]
      .map((uid) => this.nodes.get(uid))
      .filter((node) => node !== undefined)
      .filter(({ object }) =>
        object.metadata.ownerReferences?.some((reference) => isOwnedBy(object, reference, owner)),
      );
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

/** An object of the cluster whose owner would lie in a namespace: nobody can say in which. */
const isOutOfReach = (dependent: ApiObject, owner: Resource): boolean =>
  owner.isNamespaced && (dependent.metadata.namespace ?? '') === '';

const WORKERS = 8;
const UNKNOWN_KINDS_MAX = 1000;
const GONE_MAX = 1000;
