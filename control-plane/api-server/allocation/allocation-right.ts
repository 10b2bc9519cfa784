import { ApiError, hasReason } from '../../../api/errors';
import type { ApiObject } from '../../../api/types';
import type { Clock } from '../../../lib/clock';
import type { Store, StoredObject, StoreKey, WriteGuard } from '../../store/store';

/** Who allocates: a server, and this start of it. */
export interface Allocator {
  readonly server: string;
  readonly instance: string;
}

interface AllocationRightDeps {
  readonly store: Store;
  readonly allocator: Allocator;
  readonly clock: Clock;
}

/**
 * The right to give out what each may have once, as the addresses of services: one of the servers that share a store
 * has it at a time. It is a stored object that names its holder, and each write that stores what was given out is
 * guarded by that object's version. So what a former holder has given out is stored before the next one takes the right,
 * or never; no clock matters, and no server waits for one that is gone.
 */
export class AllocationRight {
  private held: WriteGuard | undefined;
  private taking: Promise<void> | undefined;

  private readonly key: StoreKey;

  /** @param what Is given out: each has a right of its own. */
  constructor(
    what: 'services' | 'nodes',
    private readonly deps: AllocationRightDeps,
  ) {
    this.key = { resource: RESOURCE, namespace: '', name: what };
  }

  /** By which a write is guarded; undefined while another server may have the right. */
  get guard(): WriteGuard | undefined {
    return this.held;
  }

  /**
   * Has the right when it resolves. What others have given out is stored by then: look before giving out more. Those
   * who ask at the same time share one turn. @throws ApiError
   */
  async take(signal: AbortSignal): Promise<void> {
    // It goes on when one of them leaves, and ends by itself: the store answers or throws in time.
    this.taking ??= this.takeNow().finally(() => (this.taking = undefined));
    await this.taking;
    signal.throwIfAborted();
  }

  /** A write that was guarded by it did not happen: perhaps it is another's by now. */
  doubt(guard: WriteGuard): void {
    if (this.held === guard) this.held = undefined;
  }

  private async takeNow(): Promise<void> {
    const { store, allocator, clock } = this.deps;
    let seen: number | undefined;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const found = await store.get(this.key);
      const holder = found && holderIn(found.object);
      // Whoever has it has time to store what it has given out; else two servers would only stop each other.
      const isOthers = holder !== undefined && holder.server !== allocator.server;
      if (isOthers && seen !== found?.resourceVersion) {
        seen = found?.resourceVersion;
        await clock.sleep(TURN_MS);
        continue;
      }
      const held = isSame(holder, allocator) ? found : await this.write(found);
      if (held === undefined) continue;
      this.held = { key: this.key, version: held.resourceVersion };
      return;
    }
    throw new ApiError('ServiceUnavailable', 'other servers allocate all the time: try again');
  }

  /** Undefined when another was faster. */
  private async write(found: StoredObject | undefined): Promise<StoredObject | undefined> {
    const { store, allocator } = this.deps;
    const record = recordOf(this.key, allocator);
    try {
      return found === undefined
        ? await store.create(this.key, record)
        : await store.update(this.key, record, found.resourceVersion);
    } catch (error) {
      if (hasReason(error, 'Conflict', 'AlreadyExists', 'NotFound')) return undefined;
      throw error;
    }
  }
}

const RESOURCE = 'allocators.cluster.dhow.dev';

const recordOf = (
  { name }: StoreKey,
  { server, instance }: Allocator,
): ApiObject & { readonly spec: Allocator } => ({
  apiVersion: 'cluster.dhow.dev/v1',
  kind: 'Allocator',
  metadata: { name },
  spec: { server, instance },
});

/** Undefined where it is not as this release writes it: then it is nobody's. */
const holderIn = (object: ApiObject): Allocator | undefined => {
  const { server, instance } = (object as { spec?: Partial<Allocator> }).spec ?? {};
  return typeof server === 'string' && typeof instance === 'string'
    ? { server, instance }
    : undefined;
};

const isSame = (a: Allocator | undefined, b: Allocator): boolean =>
  a?.server === b.server && a.instance === b.instance;

/** A good deal longer than a write takes. */
const TURN_MS = 50;
const ATTEMPTS_MAX = 20;
