import { ApiError, hasReason } from '../../../api/errors';
import { controllerRef, isControlledBy } from '../../../api/owners';
import { PODS, type Resource } from '../../../api/resources';
import { formatLabelSelector } from '../../../api/selectors';
import {
  nameOf,
  uidOf,
  type ApiObject,
  type LabelSelector,
  type Pod,
  type PodTemplate,
} from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import { describeError } from '../../../lib/log';
import type { ControllerDeps } from '../controller';

/** How a round of creations went. */
export interface Created {
  readonly uids: readonly string[];
  /** Why the API refused one, in words that are the same for the next one. */
  readonly refusal: string | undefined;
}

/** What an owner's events say of its pods, where its kind has words of its own. */
export interface PodWords {
  readonly created: (pod: string, owner: string) => string;
  readonly notCreated: (pod: string, owner: string, why: string) => string;
  readonly deleted: (pod: string, owner: string) => string;
  readonly notDeleted: (pod: string, owner: string, why: string) => string;
}

/**
 * Creates and deletes pods for their owners, and tells of it by the owner's events, in upstream's
 * words (controller_utils.go, RealPodControl).
 */
export class PodControl<O extends ApiObject> {
  /** Pods whose deletion we asked for and have not yet seen: they count no more. */
  private readonly leaving = new Set<string>();
  /** Owners by uid of which a creation may have taken effect though it failed. */
  private readonly doubtful = new Set<string>();

  constructor(
    private readonly resource: Resource<O>,
    private readonly pods: Informer<Pod>,
    private readonly deps: ControllerDeps,
    private readonly words: PodWords = WORDS,
  ) {}

  /** Has its deletion been asked for? */
  isLeaving({ metadata }: Pod): boolean {
    return metadata.deletionTimestamp !== undefined || this.leaving.has(metadata.uid ?? '');
  }

  /** The pod is seen to be gone. */
  gone({ metadata }: Pod): void {
    this.leaving.delete(metadata.uid ?? '');
  }

  /** The owner is no more. */
  forget(owner: O): void {
    this.doubtful.delete(uidOf(owner));
  }

  /**
   * Before more pods are made than are missing: asks what there is, if a pod may be there of which the
   * cache does not know yet. Pods with names of the server's choice would be made twice.
   */
  async settleDoubts(
    owner: O,
    selector: LabelSelector | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (!this.doubtful.has(uidOf(owner)) || selector === undefined) return;
    const { namespace = '' } = owner.metadata;
    const labelSelector = formatLabelSelector(selector);
    const { items } = await this.deps.client.list(PODS, { namespace, labelSelector }, signal);
    for (const pod of items) this.pods.noteWritten(pod);
    this.doubtful.delete(uidOf(owner));
  }

  /**
   * Undefined when the namespace goes away, and takes the owner with it. Of a name that the owner's
   * own pod has already, that pod: the cache was behind.
   */
  async create(owner: O, draft: DraftOf<Pod>, signal: AbortSignal): Promise<Pod | undefined> {
    const { client, events } = this.deps;
    try {
      const pod = await client.create(PODS, draft, {}, signal);
      this.pods.noteWritten(pod);
      const message = this.words.created(pod.metadata.name, owner.metadata.name);
      events.event(this.resource, owner, 'Normal', 'SuccessfulCreate', message);
      return pod;
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      if (draft.metadata.name === undefined && isDoubtful(error)) this.doubtful.add(uidOf(owner));
      const known = await this.ownPod(owner, draft, error, signal);
      if (known !== undefined) return known;
      if (!signal.aborted) this.tellNotCreated(owner, draft, error);
      throw error;
    }
  }

  /** Tells why the pod of this draft cannot be made. */
  tellNotCreated(owner: O, draft: DraftOf<Pod>, error: unknown): void {
    const why = refusalOf(error, draft);
    const message = this.words.notCreated(draft.metadata.name ?? '', owner.metadata.name, why);
    this.deps.events.event(this.resource, owner, 'Warning', 'FailedCreate', message);
  }

  private async ownPod(
    owner: O,
    { metadata: { namespace = '', name } }: DraftOf<Pod>,
    error: unknown,
    signal: AbortSignal,
  ): Promise<Pod | undefined> {
    if (name === undefined || !hasReason(error, 'AlreadyExists')) return undefined;
    try {
      const pod = await this.deps.client.get(PODS, { namespace, name }, signal);
      this.pods.noteWritten(pod);
      return isControlledBy(pod, owner) ? pod : undefined;
    } catch (failure) {
      if (hasReason(failure, 'NotFound')) return undefined;
      throw failure;
    }
  }

  /** Creates in batches of 4, 8, 16, ...: when creates are refused, few are tried in vain. */
  async createMany(
    owner: O,
    drafts: readonly DraftOf<Pod>[],
    signal: AbortSignal,
  ): Promise<Created> {
    const uids: string[] = [];
    let refusal: string | undefined;
    for (let done = 0, batch = FIRST_BATCH; done < drafts.length && refusal === undefined;) {
      const round = drafts.slice(done, done + batch);
      const results = await Promise.allSettled(
        round.map((draft) => this.create(owner, draft, signal)),
      );
      for (const [at, result] of results.entries()) {
        if (result.status === 'rejected') refusal ??= refusalOf(result.reason, round[at]);
        else if (result.value !== undefined) uids.push(uidOf(result.value));
      }
      done += batch;
      batch *= 2;
    }
    // Stopping is no refusal.
    signal.throwIfAborted();
    return { uids, refusal };
  }

  /** Deletes this very pod, not one of its name that came after it. */
  async remove(owner: O, pod: Pod, signal: AbortSignal): Promise<void> {
    const { uid = '', name } = pod.metadata;
    this.leaving.add(uid);
    try {
      await this.deps.client.delete(PODS, nameOf(pod), { preconditions: { uid } }, signal);
    } catch (error) {
      this.gone(pod);
      // It is gone, or its name is another pod's.
      if (hasReason(error, 'NotFound', 'Conflict')) return;
      if (!signal.aborted) {
        const message = this.words.notDeleted(name, owner.metadata.name, describeError(error));
        this.deps.events.event(this.resource, owner, 'Warning', 'FailedDelete', message);
      }
      throw error;
    }
    const message = this.words.deleted(name, owner.metadata.name);
    this.deps.events.event(this.resource, owner, 'Normal', 'SuccessfulDelete', message);
  }
}

/** A pod of the owner's template; whoever names its pods itself lays a name over it. */
export const podFromTemplate = (
  owner: ApiObject,
  template: PodTemplate | undefined,
): DraftOf<Pod> => {
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace ?? 'default',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [controllerRef(owner)],
    },
    spec: template?.spec ?? { containers: [] },
  };
};

/** What the API said, with the prefix in place of a name that is another one each time. */
const refusalOf = (error: unknown, draft: DraftOf<Pod> | undefined): string => {
  const message = describeError(error);
  const prefix = draft?.metadata.generateName ?? '';
  const name = error instanceof ApiError ? (error.details?.name ?? '') : '';
  return prefix !== '' && name.startsWith(prefix) ? message.replaceAll(name, prefix) : message;
};

/** The namespace goes away, and what is made in it with it. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  hasReason(error, 'Forbidden') &&
  error.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') === true;

/** May the write have taken effect? All other refusals say that it has not. */
const isDoubtful = (error: unknown): boolean =>
  !(error instanceof ApiError) ||
  hasReason(error, 'ServiceUnavailable', 'Timeout', 'InternalError');

const FIRST_BATCH = 4;

const WORDS: PodWords = {
  created: (pod) => `Created pod: ${pod}`,
  notCreated: (_pod, _owner, why) => `Error creating: ${why}`,
  deleted: (pod) => `Deleted pod: ${pod}`,
  notDeleted: (_pod, _owner, why) => `Error deleting: ${why}`,
};
