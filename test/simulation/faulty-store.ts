import { ApiError } from '../../api/errors';
import type { ApiObject } from '../../api/types';
import { MemoryStore } from '../../control-plane/store';
import type {
  Store,
  StoredObject,
  StoreEvent,
  StoreKey,
  StoreList,
  StoreProgress,
  Term,
  WriteGuard,
} from '../../control-plane/store/store';
import { keyConflict } from '../../control-plane/store/store-errors';
import type { Clock } from '../../lib/clock';
import type { Random } from '../../lib/random';

/** What goes wrong with the store, each as a share of its calls. */
export interface StoreTrouble {
  /** Does not happen, and says so. */
  readonly refused: number;
  /** A write happens, and nobody can tell. */
  readonly ambiguous: number;
  /** Somebody else was first, as far as the caller can tell. */
  readonly conflict: number;
  /** Takes up to two seconds. */
  readonly slow: number;
  /** Of the changes that watches tell: comes up to two seconds late, and those after it. */
  readonly late: number;
}

/** The object as a write leaves it, undefined once it is gone, and as it was before. */
export type WriteListener = (
  key: StoreKey,
  after: ApiObject | undefined,
  before: ApiObject | undefined,
) => void;

/**
 * The store as servers meet it on bad days, which outlives them all; and, for the test, each write in
 * the order in which they happen.
 */
export class FaultyStore implements Store {
  trouble: StoreTrouble = CALM;
  /** Takes deletions only, as etcd beyond its quota. */
  isFull = false;
  /** Of former leaders: the writes that they tried, and those that happened. */
  readonly staleWrites = { triedCount: 0, doneCount: 0 };
  private term: Term | undefined;
  private readonly memory = new MemoryStore();
  private readonly objects = new Map<string, Map<string, ApiObject>>();
  private readonly listeners: WriteListener[] = [];

  constructor(private readonly deps: { readonly clock: Clock; readonly random: Random }) {}

  /** What is stored now, by the resource's name in the store (`deployments.apps`), in the order of lists. */
  current(resource: string): readonly ApiObject[] {
    const objects = [...(this.objects.get(resource) ?? [])];
    return objects.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Everything that is stored now. */
  everything(): readonly (readonly [resource: string, object: ApiObject])[] {
    return [...this.objects.keys()].flatMap((resource) =>
      this.current(resource).map((object) => [resource, object] as const),
    );
  }

  onWrite(listener: WriteListener): void {
    this.listeners.push(listener);
  }

  /** History is forgotten: whoever reads from before lists again. */
  compact(): void {
    this.memory.compact();
  }

  /** Another server leads: its term, which ends when the next begins. */
  beginTerm(): Term {
    this.term = { number: this.memory.beginTerm(), signal: NEVER };
    return this.term;
  }

  within(term: Term): Store {
    const memory = this.memory.within(term);
    const noted = async <T>(write: Promise<T>): Promise<T> => {
      const isStale = term !== this.term;
      if (isStale) this.staleWrites.triedCount++;
      const stored = await write;
      if (isStale) this.staleWrites.doneCount++;
      return stored;
    };
    return {
      get: (...args) => this.get(...args),
      list: (...args) => this.list(...args),
      watch: (resource, from, signal) => this.watch(resource, from, signal),
      currentVersion: (...args) => this.currentVersion(...args),
      progress: (...args) => this.progress(...args),
      within: (other) => this.within(other),
      create: (key, object, signal, guards) =>
        noted(this.create(key, object, signal, guards, memory)),
      update: (key, object, version, signal, guards) =>
        noted(this.update(key, object, version, signal, guards, memory)),
      delete: (key, version, signal) => noted(this.delete(key, version, signal, memory)),
    };
  }

  async get(key: StoreKey, signal?: AbortSignal): Promise<StoredObject | undefined> {
    await this.reach(signal);
    return this.memory.get(key, signal);
  }

  async list(resource: string, signal?: AbortSignal): Promise<StoreList> {
    await this.reach(signal);
    return this.memory.list(resource, signal);
  }

  create(
    key: StoreKey,
    object: ApiObject,
    signal?: AbortSignal,
    guards: readonly WriteGuard[] = [],
    memory: Store = this.memory,
  ): Promise<StoredObject> {
    return this.put(key, () => memory.create(key, object, signal, guards), signal);
  }

  update(
    key: StoreKey,
    object: ApiObject,
    expectedVersion: number,
    signal?: AbortSignal,
    guards: readonly WriteGuard[] = [],
    memory: Store = this.memory,
  ): Promise<StoredObject> {
    if (this.happens(this.trouble.conflict)) return Promise.reject(keyConflict(key));
    return this.put(key, () => memory.update(key, object, expectedVersion, signal, guards), signal);
  }

  async delete(
    key: StoreKey,
    expectedVersion: number,
    signal?: AbortSignal,
    memory: Store = this.memory,
  ): Promise<StoredObject> {
    await this.reach(signal);
    const last = await memory.delete(key, expectedVersion, signal);
    this.note(key, undefined);
    return this.answered(last);
  }

  async *watch(
    resource: string,
    fromVersion: number,
    signal: AbortSignal,
  ): AsyncIterable<StoreEvent> {
    for await (const event of this.memory.watch(resource, fromVersion, signal)) {
      await this.delay(this.trouble.late, signal);
      yield event;
    }
  }

  async currentVersion(signal?: AbortSignal): Promise<number> {
    await this.reach(signal);
    return this.memory.currentVersion(signal);
  }

  async progress(resource: string, signal?: AbortSignal): Promise<StoreProgress> {
    await this.reach(signal);
    return this.memory.progress(resource, signal);
  }

  private async put(
    key: StoreKey,
    write: () => Promise<StoredObject>,
    signal: AbortSignal | undefined,
  ): Promise<StoredObject> {
    await this.reach(signal);
    if (this.isFull) throw new ApiError('InsufficientStorage', 'the store is full');
    const stored = await write();
    this.note(key, stored.object);
    return this.answered(stored);
  }

  private async reach(signal: AbortSignal | undefined): Promise<void> {
    await this.delay(this.trouble.slow, signal);
    if (this.happens(this.trouble.refused))
      throw new ApiError('ServiceUnavailable', 'the store is not reached');
  }

  private async delay(share: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, random } = this.deps;
    if (this.happens(share)) await clock.sleep(random.next() * SLOW_MS, signal);
  }

  private answered(stored: StoredObject): StoredObject {
    if (this.happens(this.trouble.ambiguous))
      throw new ApiError('Timeout', 'the store gave no answer in time');
    return stored;
  }

  /** Draws only where something can go wrong: worlds without trouble are as they always were. */
  private happens(share: number): boolean {
    return share > 0 && this.deps.random.next() < share;
  }

  private note(key: StoreKey, after: ApiObject | undefined): void {
    const name = `${key.namespace}/${key.name}`;
    const objects = this.objects.get(key.resource) ?? new Map<string, ApiObject>();
    this.objects.set(key.resource, objects);
    const before = objects.get(name);
    if (after === undefined) objects.delete(name);
    else objects.set(name, after);
    for (const listener of this.listeners) listener(key, after, before);
  }
}

export const CALM: StoreTrouble = {
  ...{ refused: 0, ambiguous: 0, conflict: 0, slow: 0, late: 0 },
};
const NEVER = new AbortController().signal;
const SLOW_MS = 2_000;
