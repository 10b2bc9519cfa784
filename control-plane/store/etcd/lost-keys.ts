import { hasReason } from '../../../api/errors';
import type { Log } from '../../../lib/log';
import type { ValueCipher } from '../encryption/value-cipher';
import type { Store } from '../store';
import { versionOf } from '../version';
import type { EtcdConnection } from './connection';
import { indexIn, type Envelopes } from './envelope';
import { decodeKey, rangeOf } from './keys';
import { listRange } from './list-range';

export interface LostKeysDeps {
  readonly connection: EtcdConnection;
  readonly cipher: ValueCipher;
  readonly envelopes: Envelopes;
  readonly store: Store;
  readonly resource: string;
  /** Delete what nobody can read any more, and go on. */
  readonly isLossAccepted: boolean;
  readonly log: Log;
}

/**
 * Without its key an object is there and cannot be seen: what asks for it would be told that there is
 * none, and who makes it anew, that there is one. So a server without a key does not start.
 * @throws Error that says how many there are, and what can be done
 */
export const checkKeys = async (deps: LostKeysDeps, signal?: AbortSignal): Promise<void> => {
  const { connection, cipher, envelopes, resource, isLossAccepted, log } = deps;
  const { keyValues } = await listRange(connection, rangeOf(resource), signal);
  const lost = keyValues.filter(({ value }) => {
    const id = envelopes.keyIdOf(value);
    return id !== undefined && !cipher.hasKey(id);
  });
  if (lost.length === 0) return;
  const ids = [...new Set(lost.map(({ value }) => envelopes.keyIdOf(value)))].join(', ');
  if (!isLossAccepted)
    throw new Error(
      `${lost.length} of ${resource} are encrypted with a key that this server does not have (${ids}): put its key file back from a backup, or let it delete them by --discard-unreadable-secrets`,
    );
  for (const { key, value, modRevision } of lost) {
    const place = decodeKey(resource, key);
    const index = indexIn(value);
    if (place === undefined || index === undefined) continue;
    log.warn({ key: place }, 'deleted: its key is lost');
    // It is deleted, and then cannot be read to be shown.
    await deps.store
      .delete(place, versionOf(modRevision, index), signal)
      .catch((error: unknown) => {
        if (!hasReason(error, 'NotFound')) throw error;
      });
  }
};
