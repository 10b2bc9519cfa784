import { hasReason } from '../../../api/errors';
import { int64, type Int64 } from '../../../api/int64';
import { jsonEqual } from '../../../api/json-value';
import { controllerOf, controllerRef, isOfKind } from '../../../api/owners';
import { CONTROLLER_REVISIONS, type Resource } from '../../../api/resources';
import {
  nameOf,
  type ApiObject,
  type ControllerRevision,
  type LabelSelector,
  type PodTemplate,
} from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import { canonicalJson, isJsonObject, parseJson } from '../../../lib/json';
import type { ControllerDeps } from '../controller';
import { Claims } from './claims';
import { OwnedIndex } from './owned-index';

/** An owner that keeps a history of its template. */
export interface TemplateOwner extends ApiObject {
  readonly spec?: {
    readonly selector: LabelSelector;
    readonly template: PodTemplate;
    readonly revisionHistoryLimit?: number;
  };
  readonly status?: { readonly collisionCount?: number };
}

export interface History {
  /** Oldest first, with `present`. */
  readonly revisions: readonly ControllerRevision[];
  /** Holds the owner's present template, and has the highest number. */
  readonly present: ControllerRevision;
  /** For the owner's status: how often a name was taken by another template of the same hash. */
  readonly collisionCount: number;
}

/**
 * The templates that owners of one kind had, as ControllerRevisions of theirs. A template is stored
 * before anything is made of it, so that whatever dies in between, the next one finds it by its
 * content. Source: upstream controller_history.go.
 */
export class Revisions<O extends TemplateOwner> {
  readonly informer: Informer<ControllerRevision>;
  private readonly claims: Claims<O, ControllerRevision>;

  constructor(
    private readonly owners: Resource<O>,
    /** The label of a revision that holds its hash: `controller.kubernetes.io/hash`. */
    private readonly hashLabel: string,
    private readonly deps: ControllerDeps,
  ) {
    this.informer = deps.informers.of(CONTROLLER_REVISIONS);
    const index = new OwnedIndex(this.informer);
    this.claims = new Claims(CONTROLLER_REVISIONS, this.informer, index, deps.client, {
      selectorOf: ({ spec }: O) => spec?.selector,
    });
  }

  /** Tells `onLost` of the owner (`namespace/name`) of each revision that goes, until it is ended. */
  followLost(name: string, onLost: (ownerKey: string) => void): () => void {
    const onDelete = (revision: ControllerRevision) => {
      const owner = controllerOf(revision);
      if (owner === undefined || !isOfKind(owner, this.owners)) return;
      onLost(`${revision.metadata.namespace ?? ''}/${owner.name}`);
    };
    return this.informer.subscribe({ name, onDelete });
  }

  /** Claims the owner's revisions, and sees to it that one of them holds its present template. */
  async settle(owner: O, signal: AbortSignal): Promise<History> {
    const revisions = inOrder(await this.claims.claim(owner, signal));
    const collisionCount = owner.status?.collisionCount ?? 0;
    const step = planRevision(owner, revisions);
    switch (step.kind) {
      case 'none':
        return { revisions, present: step.revision, collisionCount };
      case 'renumber': {
        const present = await this.renumber(step.revision, step.number, signal);
        const others = revisions.filter((each) => each !== step.revision);
        return { revisions: [...others, present], present, collisionCount };
      }
      case 'create': {
        const made = await this.create(owner, step.number, collisionCount, signal);
        return { ...made, revisions: [...revisions, made.present] };
      }
    }
  }

  /** Deletes what is beyond the owner's limit; revisions named in `inUse` stay, and do not count. */
  async prune(
    owner: O,
    { revisions }: History,
    inUse: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<void> {
    const limit = owner.spec?.revisionHistoryLimit ?? DEFAULT_HISTORY;
    for (const revision of beyondLimit(revisions, inUse, limit)) {
      const { uid = '' } = revision.metadata;
      const only = { preconditions: { uid } };
      try {
        await this.deps.client.delete(CONTROLLER_REVISIONS, nameOf(revision), only, signal);
      } catch (error) {
        // Somebody else was faster.
        if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
      }
    }
  }

  private async renumber(
    revision: ControllerRevision,
    number: Int64,
    signal: AbortSignal,
  ): Promise<ControllerRevision> {
    const { uid, resourceVersion } = revision.metadata;
    const body = { metadata: { uid, resourceVersion }, revision: number };
    const name = nameOf(revision);
    const { client } = this.deps;
    const patched = await client.patch(CONTROLLER_REVISIONS, name, 'merge', body, {}, signal);
    this.informer.noteWritten(patched);
    return patched;
  }

  /** Under the next free name: another template may have the same hash, or another owner the name. */
  private async create(
    owner: O,
    number: Int64,
    knownCollisions: number,
    signal: AbortSignal,
  ): Promise<Pick<History, 'present' | 'collisionCount'>> {
    const { client } = this.deps;
    for (let count = knownCollisions; ; count++) {
      const draft = revisionDraft(owner, number, count, this.hashLabel);
      try {
        const present = await client.create(CONTROLLER_REVISIONS, draft, {}, signal);
        this.informer.noteWritten(present);
        return { present, collisionCount: count };
      } catch (error) {
        if (!hasReason(error, 'AlreadyExists')) throw error;
        const name = { namespace: draft.metadata.namespace ?? '', name: draft.metadata.name ?? '' };
        const present = await client.get(CONTROLLER_REVISIONS, name, signal);
        this.informer.noteWritten(present);
        const isAnothers =
          (controllerOf(present)?.uid ?? owner.metadata.uid) !== owner.metadata.uid;
        if (!isAnothers && holdsTemplate(present, owner)) return { present, collisionCount: count };
        if (count - knownCollisions >= COLLISIONS_MAX) throw error;
      }
    }
  }
}

export type RevisionStep =
  | { readonly kind: 'none'; readonly revision: ControllerRevision }
  | { readonly kind: 'renumber'; readonly revision: ControllerRevision; readonly number: Int64 }
  | { readonly kind: 'create'; readonly number: Int64 };

/** What makes the last of `revisions` (oldest first) hold the owner's present template. */
export const planRevision = (
  owner: TemplateOwner,
  revisions: readonly ControllerRevision[],
): RevisionStep => {
  const latest = revisions.at(-1);
  if (latest !== undefined && holdsTemplate(latest, owner))
    return { kind: 'none', revision: latest };
  const number = latest === undefined ? 1 : int64(numberOf(latest) + 1n);
  const revision = revisions.findLast((each) => holdsTemplate(each, owner));
  return revision === undefined
    ? { kind: 'create', number }
    : { kind: 'renumber', revision, number };
};

/** By number; of equal ones, the first made first. */
export const inOrder = (revisions: readonly ControllerRevision[]): ControllerRevision[] =>
  [...revisions].sort(
    (a, b) =>
      Number(numberOf(a) > numberOf(b)) - Number(numberOf(a) < numberOf(b)) ||
      createdAt(a) - createdAt(b) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  );

/** The oldest of those that nothing uses, as many as are too many. */
export const beyondLimit = (
  revisions: readonly ControllerRevision[],
  inUse: ReadonlySet<string>,
  limit: number,
): readonly ControllerRevision[] => {
  const idle = revisions.filter(({ metadata }) => !inUse.has(metadata.name));
  return idle.slice(0, Math.max(0, idle.length - limit));
};

/**
 * What a revision holds of its owner: a strategic merge patch that puts the template back, which is
 * how `kubectl rollout undo` uses it. In the order of names: kubectl compares its text with its own to
 * see whether there is anything to take back.
 */
export const revisionData = (template: PodTemplate): unknown =>
  parseJson(canonicalJson({ spec: { template: { ...template, $patch: 'replace' } } }));

/** The template that a revision holds; undefined if somebody else wrote something else into it. */
export const templateOf = (revision: ControllerRevision): PodTemplate | undefined => {
  const spec = isJsonObject(revision.data) ? revision.data['spec'] : undefined;
  const patch = isJsonObject(spec) ? spec['template'] : undefined;
  if (!isJsonObject(patch) || !isJsonObject(patch['spec'])) return undefined;
  const { $patch: _patch, ...template } = patch;
  return template;
};

/** The owner as it was when the revision was made; undefined if the revision holds no template. */
export const applyRevision = <O extends TemplateOwner>(
  owner: O,
  revision: ControllerRevision,
): O | undefined => {
  const template = templateOf(revision);
  return template && { ...owner, spec: { ...owner.spec, template } };
};

/** A short name for a revision's content; the very one that upstream gives it. */
export const revisionHash = (data: unknown, collisionCount: number): string => {
  // FNV-1 over Go's JSON, which writes these characters as escapes.
  const json = canonicalJson(data).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${json}${collisionCount}`)) {
    hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0;
  }
  return String(hash).replace(/\d/g, (digit) =>
    SAFE_ALPHABET.charAt(digit.charCodeAt(0) % SAFE_ALPHABET.length),
  );
};

const holdsTemplate = (revision: ControllerRevision, owner: TemplateOwner): boolean =>
  owner.spec !== undefined && jsonEqual(revision.data, revisionData(owner.spec.template));

const revisionDraft = (
  owner: TemplateOwner,
  number: Int64,
  collisionCount: number,
  hashLabel: string,
): DraftOf<ControllerRevision> => {
  const { metadata, spec } = owner;
  const data = revisionData(spec?.template ?? {});
  const hash = revisionHash(data, collisionCount);
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${metadata.name.slice(0, NAME_PREFIX_MAX)}-${hash}`,
      namespace: metadata.namespace ?? 'default',
      labels: { ...spec?.template?.metadata?.labels, [hashLabel]: hash },
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ownerReferences: [controllerRef(owner)],
    },
    data,
    revision: number,
  };
};

const numberOf = ({ revision }: ControllerRevision): bigint => BigInt(revision);

const createdAt = ({ metadata }: ControllerRevision): number =>
  Date.parse(metadata.creationTimestamp ?? '') || 0;

const DEFAULT_HISTORY = 10;
const COLLISIONS_MAX = 5;
const NAME_PREFIX_MAX = 223;
const SAFE_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
