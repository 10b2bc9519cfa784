import { ApiError } from '../../../api/errors';
import type { Resource } from '../../../api/resources';
import { compareVersions } from '../../../api/versions';
import type { ServedResources } from '../../../client/served-resources';
import type { VirtualResource } from '../../../client/virtual-resource';
import { STORED_KINDS, virtualKind } from './served-kinds';
import { storeNameOf, type ServedKind } from './served-kind';

/**
 * All kinds that this server serves now, by where requests name them. What is made of them follows by
 * `onChange`, or by looking whether `kinds` is still the same list.
 */
export class KindRegistry implements ServedResources {
  private served: readonly ServedKind[] = [];
  private byPath: ReadonlyMap<string, ServedKind> = new Map();
  /** Of kinds that are read by the server itself as they are stored. */
  private asStored: ReadonlyMap<Resource, ServedKind> = new Map();
  private storedResources: readonly Resource[] = [];
  private readonly ends = new Map<ServedKind, AbortController>();
  private readonly listeners = new Set<(change: KindChange) => void>();

  constructor(virtual: readonly VirtualResource[]) {
    const added = [...STORED_KINDS, ...virtual.map(virtualKind)];
    this.become(added, { removed: [], added });
  }

  /** In the order in which they came. Another list after each change. */
  get kinds(): readonly ServedKind[] {
    return this.served;
  }

  find(group: string, version: string, plural: string): ServedKind | undefined {
    return this.byPath.get(pathKey({ group, version, plural }));
  }

  /** @throws NotFound */
  of(resource: Resource): ServedKind {
    const found = this.asStored.get(resource) ?? this.byPath.get(pathKey(resource));
    if (found === undefined) throw notServed();
    return found;
  }

  /** Is it this very kind that is served, and not one that came in its place? */
  has(kind: ServedKind): boolean {
    return (
      this.byPath.get(pathKey(kind.resource)) === kind || this.asStored.get(kind.resource) === kind
    );
  }

  stored(): readonly ServedKind[] {
    return this.kinds.filter(({ virtual }) => virtual === undefined);
  }

  resources(): readonly Resource[] {
    return this.storedResources;
  }

  /** Aborts when it is served no more; at once when it is not served. */
  endOf(kind: ServedKind): AbortSignal {
    return this.ends.get(kind)?.signal ?? ENDED;
  }

  /** Serves one more kind from now on. @throws Error when its kind or its path is taken */
  add(kind: ServedKind): void {
    this.change([], [kind]);
  }

  /** Serves it no more: its watches end, and requests find nothing. What is stored of it stays there. */
  remove(kind: ServedKind): void {
    this.change([kind], []);
  }

  /**
   * Both in one: nobody finds one without the other. What is stored under a name that stays is kept in
   * memory. @throws Error as `add`; nothing has changed then
   */
  change(removed: readonly ServedKind[], added: readonly ServedKind[]): void {
    const gone = new Set(removed.filter((kind) => this.has(kind)));
    const kinds = this.served.filter((each) => !gone.has(each));
    for (const kind of added) {
      checkFree(kind, kinds);
      kinds.push(kind);
    }
    if (gone.size > 0 || added.length > 0) this.become(kinds, { removed: [...gone], added });
  }

  onChange(listener: (change: KindChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private become(kinds: readonly ServedKind[], change: KindChange): void {
    this.served = kinds;
    for (const kind of change.added.flatMap(withStored))
      if (!this.ends.has(kind)) this.ends.set(kind, new AbortController());
    this.asStored = new Map(
      kinds.flatMap(({ asStored }) =>
        asStored === undefined ? [] : [[asStored.resource, asStored]],
      ),
    );
    this.byPath = new Map(kinds.map((kind) => [pathKey(kind.resource), kind]));
    this.storedResources = preferredOf(this.stored());
    for (const kind of change.removed.flatMap(withStored)) {
      if (this.has(kind)) continue;
      this.ends.get(kind)?.abort();
      this.ends.delete(kind);
    }
    for (const listener of [...this.listeners]) listener(change);
  }
}

export interface KindChange {
  readonly added: readonly ServedKind[];
  readonly removed: readonly ServedKind[];
}

const checkFree = (kind: ServedKind, served: readonly ServedKind[]): void => {
  const { group, version } = kind.resource;
  const taken = served.find(
    ({ resource }) =>
      resource.group === group &&
      resource.version === version &&
      (resource.kind === kind.resource.kind || resource.plural === kind.resource.plural),
  );
  if (taken !== undefined)
    throw new Error(`${storeNameOf(kind)} ${version} is served as ${taken.resource.kind} already`);
};

const ENDED = AbortSignal.abort();

/** What a request for a path hears that names nothing. */
export const notServed = (): ApiError =>
  new ApiError('NotFound', 'the server could not find the requested resource');

const withStored = (kind: ServedKind): readonly ServedKind[] =>
  kind.asStored === undefined ? [kind] : [kind, kind.asStored];

/**
 * Of what is served in several versions the one that clients prefer: it is all the same objects. Where
 * to convert them may fail they are taken as they are stored.
 */
const preferredOf = (stored: readonly ServedKind[]): readonly Resource[] => {
  const preferred = new Map<string, Resource>();
  for (const kind of stored) {
    const name = storeNameOf(kind);
    const known = preferred.get(name);
    if (kind.asStored !== undefined) preferred.set(name, kind.asStored.resource);
    else if (known === undefined || compareVersions(kind.resource.version, known.version) < 0)
      preferred.set(name, kind.resource);
  }
  return [...preferred.values()];
};

type Path = Pick<Resource, 'group' | 'version' | 'plural'>;

const pathKey = ({ group, version, plural }: Path): string => `${group}/${version}/${plural}`;
