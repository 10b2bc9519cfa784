import { hasReason } from '../../../api/errors';
import { Alarm } from '../../../lib/async/alarm';
import type { Clock } from '../../../lib/clock';
import { describeError, type Log } from '../../../lib/log';
import type { KeyValue } from '../../../proto/gen/etcd/kv';
import type { Store } from '../store';
import type { EtcdConnection } from './connection';
import type { Envelopes } from './envelope';
import { decodeKey, rangeOf } from './keys';
import { listRange } from './list-range';

export interface ReencryptionDeps {
  readonly connection: EtcdConnection;
  readonly envelopes: Envelopes;
  readonly store: Store;
  readonly resource: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** How many objects each key encrypts; those in the clear are under ''. */
export type KeyUse = ReadonlyMap<string, number>;

/**
 * Writes what is in the clear, or under a former key, under the newest one: what an earlier release left,
 * and all there is after a new key. The object stays as it is and has a new version, as after upstream's
 * storage migration.
 */
export class Reencryption {
  private readonly alarm: Alarm;

  constructor(private readonly deps: ReencryptionDeps) {
    this.alarm = new Alarm(deps.clock);
  }

  /** As it is now. */
  async use(signal: AbortSignal): Promise<KeyUse> {
    return (await this.look(signal)).use;
  }

  /** There is a new key. */
  keysChanged(): void {
    this.alarm.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { wakes } = this.alarm;
      const isDone = await this.attempt(signal);
      await this.alarm.sleep(isDone ? REST_MS : RETRY_MS, signal, wakes);
    }
  }

  private async attempt(signal: AbortSignal): Promise<boolean> {
    const { log, resource } = this.deps;
    try {
      return (await this.pass(signal)) === 0;
    } catch (error) {
      if (!signal.aborted)
        log.warn({ resource, err: describeError(error) }, 'cannot encrypt anew yet');
      return false;
    }
  }

  /** How many were not under the newest key, before it wrote them. */
  private async pass(signal: AbortSignal): Promise<number> {
    const { stale } = await this.look(signal);
    for (const keyValue of stale) await this.rewrite(keyValue, signal);
    if (stale.length > 0) {
      this.deps.log.info(
        { resource: this.deps.resource, count: stale.length },
        'encrypted anew with the newest key',
      );
    }
    return stale.length;
  }

  private async look(signal: AbortSignal) {
    const { connection, envelopes, resource } = this.deps;
    const { keyValues } = await listRange(connection, rangeOf(resource), signal);
    const objects = keyValues.filter(({ key }) => decodeKey(resource, key) !== undefined);
    const use = new Map<string, number>();
    for (const { value } of objects) {
      const id = envelopes.keyIdOf(value) ?? '';
      use.set(id, (use.get(id) ?? 0) + 1);
    }
    const stale = objects.filter(
      ({ key, value }) =>
        !envelopes.isCurrent(resource, value) && envelopes.open(key, value) !== undefined,
    );
    return { use, stale };
  }

  /** Who changed or deleted it meanwhile has done all there is to do. */
  private async rewrite({ key }: KeyValue, signal: AbortSignal): Promise<void> {
    const { store, resource } = this.deps;
    const place = decodeKey(resource, key);
    const found = place && (await store.get(place, signal));
    if (found === undefined) return;
    try {
      await store.update(found.key, found.object, found.resourceVersion, signal);
    } catch (error) {
      if (!hasReason(error, 'Conflict') && !hasReason(error, 'NotFound')) throw error;
    }
  }
}

/** What others write into this etcd in the clear is found, too. */
const REST_MS = 60 * 60 * 1000;
const RETRY_MS = 10_000;
