import { notFound, ApiError } from '../../../api/errors';
import { nameOf, type ObjectName } from '../../../api/types';
import { TimeSlice } from '../../../lib/async/time-slice';
import type { Clock } from '../../../lib/clock';
import type { Store, StoredObject } from '../../store/store';
import type { WatchCache, WatchCaches } from '../../store/watch-cache';
import { notServed, type KindRegistry } from '../kinds/kind-registry';
import {
  presented,
  presentedNow,
  storeNameOf,
  type Conversion,
  type ServedKind,
  type Waiting,
} from '../kinds/served-kind';
import { decodeContinue, encodeContinue, INCONSISTENT, type ContinueToken } from './continue-token';
import { itemOf, type Item } from './item';
import { PageSnapshots, type Snapshot } from './page-snapshots';
import { compileSelection, type Selection, type SelectionQuery } from './selection';
import { expired, type VersionMatch } from './versions';

export interface ListQuery extends SelectionQuery {
  readonly limit?: number;
  readonly continue?: string;
  readonly version?: number;
  readonly versionMatch?: VersionMatch;
}

export interface ListPage {
  readonly items: readonly Item[];
  readonly resourceVersion: number;
  readonly continue?: string;
  /** Known only when no selector is in play. */
  readonly remaining?: number;
}

export interface ReaderDeps {
  readonly kinds: Pick<KindRegistry, 'has' | 'endOf'>;
  /** Read only: what writes goes through `AuthorizedStore`. */
  readonly store: Pick<Store, 'get'>;
  readonly caches: WatchCaches;
  readonly clock: Clock;
  /** What the lists behind continue tokens may take up. */
  readonly snapshotBytes: number;
}

/** Gets and lists objects of any served kind, from the watch caches or from a kind's own source. */
export class ObjectReader {
  private readonly snapshots: PageSnapshots;

  constructor(private readonly deps: ReaderDeps) {
    this.snapshots = new PageSnapshots(deps.clock, deps.snapshotBytes);
  }

  /** @throws NotFound when the kind went while its request was on its way */
  cacheOf(kind: ServedKind): WatchCache {
    if (!this.deps.kinds.has(kind)) throw notServed();
    return this.deps.caches.of(storeNameOf(kind));
  }

  /** How many there are, as far as is known without asking anybody. */
  countOf(kind: ServedKind, namespace?: string): number {
    return kind.virtual === undefined ? this.cacheOf(kind).list(namespace).items.length : 0;
  }

  /** Ends all watches of a kind that is served no more, and forgets what is kept of its objects. */
  async forget(kind: ServedKind): Promise<void> {
    const name = storeNameOf(kind);
    this.snapshots.forget(`${name} `);
    await this.deps.caches.drop(name);
  }

  /** The newest state, or any state at least as new as `version`. @throws NotFound */
  async get(
    kind: ServedKind,
    name: ObjectName,
    version: number | undefined,
    query: URLSearchParams,
    waiting: Waiting,
  ): Promise<Item> {
    if (kind.virtual !== undefined)
      return itemOf(await kind.virtual.get(name, query, waiting.signal));
    const stored =
      version === undefined
        ? await this.getNewest(kind, name, waiting)
        : await this.getCached(kind, name, version, waiting);
    if (stored === undefined) throw notFound(kind.resource.plural, kind.resource.group, name.name);
    return stored;
  }

  /** A cluster-scoped object, cached or the newest; undefined when there is none. */
  async find(kind: ServedKind, name: string, signal: AbortSignal): Promise<Item | undefined> {
    const place = { namespace: '', name };
    const cached = await this.getCachedNow(kind, place, { signal });
    return cached ?? this.getNewest(kind, place, { signal });
  }

  /** Straight from the store. */
  async getNewest(
    kind: ServedKind,
    name: ObjectName,
    waiting: Waiting,
  ): Promise<StoredObject | undefined> {
    const key = { resource: storeNameOf(kind), ...name };
    const stored = await this.deps.store.get(key, waiting.signal);
    return stored && presented(kind, stored, waiting);
  }

  /** As the cache has it, which may be behind. @throws NotFound when the kind is gone */
  async getCachedNow(
    kind: ServedKind,
    { namespace, name }: ObjectName,
    waiting: Waiting,
  ): Promise<StoredObject | undefined> {
    const stored = this.cacheOf(kind).get(namespace, name);
    return stored && presented(kind, stored, waiting);
  }

  /** Ends when the kind is served no more. */
  endOf(kind: ServedKind): AbortSignal {
    return this.deps.kinds.endOf(kind);
  }

  /** @throws BadRequest, Expired, Timeout */
  async list(kind: ServedKind, query: ListQuery, waiting: Waiting): Promise<ListPage> {
    const { signal } = waiting;
    const selection = compileSelection(kind, query);
    const token = continueOf(query);
    const scope = `${storeNameOf(kind)} ${selection.namespace ?? ''}`;
    const snapshot =
      token === undefined || token.version === INCONSISTENT
        ? await this.snapshot(kind, selection, query, signal)
        : this.snapshots.find(scope, token.version);
    if (snapshot === undefined) throw expiredPage(token);
    const { clock } = this.deps;
    const range = { after: token?.last, limit: query.limit ?? 0 };
    const page =
      kind.conversion === undefined
        ? await pageOf(kind, snapshot, selection, range, clock)
        : await convertedPage(kind.conversion, snapshot, selection, range, waiting);
    if (page.continue !== undefined) this.snapshots.keep(scope, snapshot);
    return page;
  }

  private async getCached(
    kind: ServedKind,
    name: ObjectName,
    version: number,
    waiting: Waiting,
  ): Promise<StoredObject | undefined> {
    const cache = this.cacheOf(kind);
    await cache.ready(waiting.signal);
    if (version > 0) await cache.waitFor(version, waiting.signal);
    return this.getCachedNow(kind, name, waiting);
  }

  private async snapshot(
    kind: ServedKind,
    selection: Selection,
    { version, versionMatch }: ListQuery,
    signal: AbortSignal,
  ): Promise<Snapshot> {
    if (kind.virtual !== undefined) {
      const present = await virtualSnapshot(kind, selection, signal);
      // Its owner knows the present alone.
      if (versionMatch === 'Exact' && present.resourceVersion !== version) throw tooOld();
      return present;
    }
    const cache = this.cacheOf(kind);
    await cache.ready(signal);
    if (version === undefined) await cache.waitFresh(signal);
    else if (version > 0) await cache.waitFor(version, signal);
    if (versionMatch !== 'Exact' || version === undefined) return cache.list(selection.namespace);
    const scope = `${storeNameOf(kind)} ${selection.namespace ?? ''}`;
    const past = cache.listAt(version, selection.namespace) ?? this.snapshots.find(scope, version);
    if (past === undefined) throw tooOld();
    return past;
  }
}

const tooOld = (): ApiError => expired('The resourceVersion for the provided list is too old.');

const continueOf = (query: ListQuery): ContinueToken | undefined => {
  if (query.continue === undefined || query.continue === '') return undefined;
  if (query.version !== undefined && query.version !== 0)
    throw new ApiError(
      'BadRequest',
      'specifying resource version is not allowed when using continue',
    );
  return decodeContinue(query.continue);
};

const virtualSnapshot = async (
  { virtual, resource }: ServedKind,
  { namespace }: Selection,
  signal: AbortSignal,
): Promise<Snapshot> => {
  const listed = await virtual?.list?.(namespace, signal);
  if (listed === undefined)
    throw new ApiError('MethodNotAllowed', `${resource.plural} cannot be listed: name one`);
  const items = listed.items.map(itemOf);
  return { items, resourceVersion: Number(listed.resourceVersion), isInOwnOrder: true };
};

/** Which items of a snapshot. */
interface Range {
  /** The last of the page before. */
  readonly after: string | undefined;
  /** 0: no limit. */
  readonly limit: number;
}

const startOf = ({ items, isInOwnOrder = false }: Snapshot, { after }: Range): number => {
  const next = isInOwnOrder ? placeAfter : firstAfter;
  return after === undefined ? 0 : next(items, after);
};

const pageOf = async (
  kind: ServedKind,
  snapshot: Snapshot,
  selection: Selection,
  range: Range,
  clock: Clock,
): Promise<ListPage> => {
  const { items, resourceVersion } = snapshot;
  const { limit } = range;
  const start = startOf(snapshot, range);
  // Objects are parsed when somebody looks into them: thousands take long.
  const slice = new TimeSlice(clock);
  if (selection.isWhole) {
    const end = limit > 0 ? Math.min(items.length, start + limit) : items.length;
    const whole = items.slice(start, end);
    const seen = kind.present === undefined ? whole : await seenAs(kind, whole, slice);
    return page(seen, items, end, resourceVersion, items.length - end);
  }
  const found: Item[] = [];
  let end = start;
  for (; end < items.length && (limit <= 0 || found.length < limit); end++) {
    if (end % LOOKED_AT_AT_A_TIME === 0 && slice.isOver) await slice.turn();
    const each = items[end];
    const item = each && seen(kind, each);
    if (item !== undefined && selection.matches(item.object)) found.push(item);
  }
  return page(found, items, end, resourceVersion, undefined);
};

/**
 * The same where objects are converted, many at a time: what selects by labels must see them converted,
 * for labels may have changed.
 */
const convertedPage = async (
  conversion: Conversion,
  snapshot: Snapshot,
  selection: Selection,
  range: Range,
  waiting: Waiting,
): Promise<ListPage> => {
  const { items, resourceVersion } = snapshot;
  const { limit } = range;
  const found: Item[] = [];
  let end = startOf(snapshot, range);
  while (end < items.length && (limit <= 0 || found.length < limit)) {
    const count = selection.isWhole && limit > 0 ? limit - found.length : CONVERTED_AT_A_TIME;
    const chunk = items.slice(end, end + count) as unknown as readonly StoredObject[];
    const wanted = chunk.filter(
      ({ key }) => selection.name === undefined || selection.name === key.name,
    );
    const converted = await conversion.present(wanted, waiting);
    const place = new Map(converted.map((item) => [item.resourceVersion, item]));
    for (const each of chunk) {
      if (limit > 0 && found.length >= limit) break;
      end++;
      const item = place.get(each.resourceVersion);
      if (item !== undefined && (selection.isWhole || selection.matches(item.object)))
        found.push(item);
    }
  }
  const remaining = selection.isWhole ? items.length - end : undefined;
  return page(found, items, end, resourceVersion, remaining);
};

const CONVERTED_AT_A_TIME = 1000;

/** Items of kinds that are not stored are no stored objects, and are shown as they are. */
const seen = (kind: ServedKind, item: Item): Item =>
  kind.virtual === undefined ? presentedNow(kind, item as StoredObject) : item;

const seenAs = async (
  kind: ServedKind,
  items: readonly Item[],
  slice: TimeSlice,
): Promise<readonly Item[]> => {
  const found: Item[] = [];
  for (const [index, item] of items.entries()) {
    if (index % LOOKED_AT_AT_A_TIME === 0 && slice.isOver) await slice.turn();
    found.push(seen(kind, item));
  }
  return found;
};

const page = (
  found: readonly Item[],
  all: readonly Item[],
  end: number,
  resourceVersion: number,
  remaining: number | undefined,
): ListPage => {
  const last = all[end - 1];
  if (end >= all.length || last === undefined) return { items: found, resourceVersion };
  return {
    items: found,
    resourceVersion,
    continue: encodeContinue({ version: resourceVersion, last: positionOf(last) }),
    ...(remaining === undefined ? {} : { remaining }),
  };
};

const LOOKED_AT_AT_A_TIME = 32;

const positionOf = ({ object }: Item): string => {
  const { namespace, name } = nameOf(object);
  return `${namespace}/${name}`;
};

/**
 * In a source's own order, behind the item itself. Only an expired token can name one that is gone;
 * sources drop their oldest first, so that all that is left comes after it.
 */
const placeAfter = (items: readonly Item[], position: string): number =>
  items.findIndex((item) => positionOf(item) === position) + 1;

/** Items are ordered by namespace, then name. */
const firstAfter = (items: readonly Item[], position: string): number => {
  const slash = position.indexOf('/');
  const [namespace, name] = [position.slice(0, slash), position.slice(slash + 1)];
  const index = items.findIndex(({ object }) => {
    const other = nameOf(object);
    return other.namespace === namespace ? other.name > name : other.namespace > namespace;
  });
  return index < 0 ? items.length : index;
};

/** The token's own place lets the client go on, at the price of a mixed picture. */
const expiredPage = (token: ContinueToken | undefined): ApiError =>
  new ExpiredPageError(encodeContinue({ version: INCONSISTENT, last: token?.last ?? '/' }));

export class ExpiredPageError extends ApiError {
  constructor(readonly inconsistentContinue: string) {
    super(
      'Expired',
      'The provided continue parameter is too old to display a consistent list result. You can ' +
        'start a new list without the continue parameter, or use the continue token in this ' +
        'response to retrieve the remainder of the results. Continuing with the provided token ' +
        'results in an inconsistent list - objects that were created, modified, or deleted between ' +
        'the time the first chunk was returned and now may show up in the list.',
    );
  }

  override toStatus() {
    return { ...super.toStatus(), metadata: { continue: this.inconsistentContinue } };
  }
}
