import { controllerOf, controllerRef } from '../../../api/owners';
import type { Resource } from '../../../api/resources';
import { matchesLabelSelector } from '../../../api/selectors';
import {
  nameOf,
  type ApiObject,
  type LabelSelector,
  type OwnerReference,
} from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import type { OwnedIndex } from './owned-index';

/** Which objects are an owner's for the asking. */
export interface ClaimRules<O extends ApiObject, C extends ApiObject> {
  readonly selectorOf: (owner: O) => LabelSelector | undefined;
  /** Of what the selector finds: what may belong to the owner at all. Default: everything. */
  readonly mayOwn?: (owner: O, child: C) => boolean;
  /** Of what nobody owns: what is worth adopting. Default: what is not being deleted. */
  readonly isWanted?: (child: C) => boolean;
  /** Finalizers that are the owner's: it puts them on what it adopts, and takes them off what it lets go. */
  readonly finalizers?: readonly string[];
}

/**
 * Whose an object is, as upstream's controllers settle it (controller_ref_manager.go): an owner takes
 * what it selects and nobody manages, and lets go of what it manages and selects no more. Each write
 * names the uid and version it was decided on, so that of two owners one wins.
 */
export class Claims<O extends ApiObject, C extends ApiObject> {
  constructor(
    private readonly resource: Resource<C>,
    private readonly children: Informer<C>,
    private readonly index: OwnedIndex<C>,
    private readonly client: ApiClient,
    private readonly rules: ClaimRules<O, C>,
  ) {}

  selects(owner: O, child: C): boolean {
    const selector = this.rules.selectorOf(owner);
    return (
      selector !== undefined &&
      owner.metadata.namespace === child.metadata.namespace &&
      matchesLabelSelector(selector, child.metadata.labels ?? {}) &&
      (this.rules.mayOwn?.(owner, child) ?? true)
    );
  }

  /** What is the owner's, those being deleted included, after adopting orphans and releasing strangers. */
  async claim(owner: O, signal: AbortSignal): Promise<C[]> {
    const claimed: C[] = [];
    for (const child of this.index.candidates(owner)) {
      const isOurs = controllerOf(child)?.uid === owner.metadata.uid;
      if (isOurs && this.selects(owner, child)) claimed.push(child);
      else if (isOurs) await this.release(owner, child, signal);
      else if (this.isAdoptable(owner, child)) claimed.push(await this.adopt(owner, child, signal));
    }
    return claimed;
  }

  private isAdoptable(owner: O, child: C): boolean {
    return (
      controllerOf(child) === undefined &&
      owner.metadata.deletionTimestamp === undefined &&
      child.metadata.deletionTimestamp === undefined &&
      (this.rules.isWanted?.(child) ?? true) &&
      this.selects(owner, child)
    );
  }

  private adopt(owner: O, child: C, signal: AbortSignal): Promise<C> {
    const others = child.metadata.ownerReferences ?? [];
    const { finalizers: ours = [] } = this.rules;
    const finalizers = [...new Set([...(child.metadata.finalizers ?? []), ...ours])];
    return this.patchOwners(child, [...others, controllerRef(owner)], finalizers, signal);
  }

  private async release(owner: O, child: C, signal: AbortSignal): Promise<void> {
    // Who deletes it needs to know whose it was.
    if (child.metadata.deletionTimestamp !== undefined) return;
    const others = (child.metadata.ownerReferences ?? []).filter(
      ({ uid }) => uid !== owner.metadata.uid,
    );
    const { finalizers: ours = [] } = this.rules;
    const finalizers = child.metadata.finalizers?.filter((each) => !ours.includes(each)) ?? [];
    await this.patchOwners(child, others, finalizers, signal);
  }

  private async patchOwners(
    child: C,
    ownerReferences: readonly OwnerReference[],
    finalizers: readonly string[],
    signal: AbortSignal,
  ): Promise<C> {
    const { uid, resourceVersion } = child.metadata;
    const held = this.rules.finalizers === undefined ? {} : { finalizers };
    const body = { metadata: { uid, resourceVersion, ownerReferences, ...held } };
    const name = nameOf(child);
    const patched = await this.client.patch(this.resource, name, 'merge', body, {}, signal);
    this.children.noteWritten(patched);
    return patched;
  }
}
