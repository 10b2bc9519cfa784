import { ApiError } from '../../../api/errors';
import type { JsonSchema } from '../../../api/structural/json-schema';
import type { ApiObject } from '../../../api/types';
import { onAbort } from '../../../lib/async/on-abort';
import { Semaphore } from '../../../lib/async/semaphore';
import type { StoredObject } from '../../store/store';
import { NOTHING_HELD } from '../http/aside';
import { presenter, PresentedObject, storer, withStoredDefaults } from '../kinds/presented';
import type { Conversion, Waiting } from '../kinds/served-kind';
import type { ConversionCache } from './conversion-cache';
import { isUnanswered, type WebhookConverter } from './webhook-converter';

/** A definition's versions by `apiVersion`, and which of them is stored. */
export interface VersionSchemas {
  readonly schemas: ReadonlyMap<string, JsonSchema>;
  readonly storage: string;
}

/**
 * One version of a kind whose versions a webhook makes of each other. What is stored in this very version
 * needs no webhook; each other state is asked about once, in batches, however many want to see it.
 */
export class VersionConversion implements Conversion {
  private readonly id = nextId++;
  private readonly own: (stored: StoredObject) => StoredObject;
  private readonly prune: (object: ApiObject) => ApiObject;
  private readonly store: (object: ApiObject) => ApiObject;
  /** By version of the object. */
  private readonly inFlight = new Map<number, Promise<StoredObject>>();

  constructor(
    private readonly apiVersion: string,
    private readonly versions: VersionSchemas,
    private readonly converter: WebhookConverter,
    private readonly cache: ConversionCache,
  ) {
    const { schemas, storage } = versions;
    this.own = presenter(apiVersion, schemas.get(apiVersion) ?? {});
    this.prune = storer(apiVersion, schemas.get(apiVersion) ?? {});
    this.store = storer(storage, schemas.get(storage) ?? {});
  }

  get hasFailedLately(): boolean {
    return this.converter.hasFailedLately;
  }

  async present(
    stored: readonly StoredObject[],
    waiting: Waiting,
  ): Promise<readonly StoredObject[]> {
    const known = stored.map((each) => this.known(each));
    const missing = stored.filter((_each, i) => known[i] === undefined);
    if (missing.length === 0) return known as readonly StoredObject[];
    const { aside = NOTHING_HELD, signal } = waiting;
    const work = aside(() => this.await(stored, missing));
    return untilAborted(work, signal);
  }

  private async await(
    stored: readonly StoredObject[],
    missing: readonly StoredObject[],
  ): Promise<readonly StoredObject[]> {
    const isJoining = missing.some((each) => this.isInFlight(each));
    this.begin(missing);
    try {
      return await this.settled(stored);
    } catch (error) {
      if (!isJoining || isUnanswered(error)) throw error;
      // Others may have asked about a bad one together with ours.
      this.begin(stored.filter((each) => this.known(each) === undefined));
      return this.settled(stored);
    }
  }

  private async settled(stored: readonly StoredObject[]): Promise<readonly StoredObject[]> {
    return Promise.all(
      stored.map(async (each) => {
        const found = this.known(each) ?? (await this.inFlight.get(each.resourceVersion));
        if (found === undefined) throw new Error('a conversion that nobody began');
        return found;
      }),
    );
  }

  async toStored(object: ApiObject, waiting: Waiting): Promise<ApiObject> {
    return this.store(await this.through(object, this.versions.storage, waiting));
  }

  async convert<T extends ApiObject>(object: T, waiting: Waiting): Promise<T> {
    if (object.apiVersion === this.apiVersion) return object;
    return this.prune(await this.through(object, this.apiVersion, waiting)) as T;
  }

  private async through(
    object: ApiObject,
    apiVersion: string,
    { signal, aside = NOTHING_HELD }: Waiting,
  ): Promise<ApiObject> {
    if (object.apiVersion === apiVersion) return object;
    const work = this.converter.convert([object], apiVersion);
    const [converted] = await aside(() => untilAborted(work, signal));
    return converted as ApiObject;
  }

  private known(stored: StoredObject): StoredObject | undefined {
    if (stored.object.apiVersion === this.apiVersion) return this.own(stored);
    return this.cache.get(this.keyOf(stored));
  }

  private keyOf({ resourceVersion }: StoredObject): string {
    return `${this.id} ${resourceVersion}`;
  }

  /** Asks about what nobody asks about yet, a few batches at a time. After a failure no further begins. */
  private begin(missing: readonly StoredObject[]): void {
    const lane = new Semaphore(BATCHES_AT_A_TIME);
    let failure: Error | undefined;
    for (const batch of batchesOf(missing.filter((each) => !this.isInFlight(each)))) {
      const whole = lane.use(async () => {
        if (failure !== undefined) throw failure;
        return this.convertAll(batch).catch((error: unknown) => {
          failure = error instanceof Error ? error : new Error(String(error));
          throw failure;
        });
      });
      batch.forEach((each, i) => this.follow(each, whole, i));
    }
  }

  private isInFlight({ resourceVersion }: StoredObject): boolean {
    return this.inFlight.has(resourceVersion);
  }

  private follow(
    { resourceVersion }: StoredObject,
    batch: Promise<readonly StoredObject[]>,
    index: number,
  ): void {
    const forget = () => void this.inFlight.delete(resourceVersion);
    const one = batch.then((all) => all[index] as StoredObject);
    this.inFlight.set(resourceVersion, one);
    // Whoever waits hears of a failure; nobody need wait.
    one.then(forget, forget);
  }

  private async convertAll(batch: readonly StoredObject[]): Promise<readonly StoredObject[]> {
    const { schemas } = this.versions;
    const objects = batch.map(({ object }) =>
      withStoredDefaults(object, schemas.get(object.apiVersion) ?? PRESERVED),
    );
    const converted = await this.converter.convert(objects, this.apiVersion);
    return batch.map((stored, i) => {
      const object = this.prune(converted[i] as ApiObject);
      const presented = new PresentedObject(stored, object);
      const bytes = OBJECT_BYTES + stored.raw.length * BYTES_A_BYTE;
      this.cache.set(this.keyOf(stored), presented, bytes);
      return presented;
    });
  }
}

/** What comes together, in pieces that take neither end long to write or read. */
const batchesOf = (stored: readonly StoredObject[]): readonly (readonly StoredObject[])[] => {
  const batches: StoredObject[][] = [];
  let bytes = Infinity;
  for (const each of stored) {
    const last = batches.at(-1);
    if (last === undefined || last.length >= BATCH_COUNT || bytes + each.raw.length > BATCH_BYTES) {
      batches.push([each]);
      bytes = each.raw.length;
      continue;
    }
    last.push(each);
    bytes += each.raw.length;
  }
  return batches;
};

const untilAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const giveUp = () => reject(new ApiError('ServiceUnavailable', 'the request was given up'));
    if (signal.aborted) giveUp();
    const undo = onAbort(signal, giveUp);
    work.then(resolve, reject).finally(undo);
  });

let nextId = 1;
const PRESERVED: JsonSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const BATCHES_AT_A_TIME = 4;
const BATCH_COUNT = 100;
const BATCH_BYTES = 256 * 1024;
/** What is kept of an object: itself, and its bytes once somebody wants them. */
const BYTES_A_BYTE = 4;
const OBJECT_BYTES = 500;
