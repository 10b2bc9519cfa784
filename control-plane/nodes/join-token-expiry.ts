import { hasReason } from '../../api/errors';
import { JOIN_TOKEN_NAMESPACE, JOIN_TOKEN_TYPE, storedJoinTokenOf } from '../../api/join-tokens';
import { SECRETS } from '../../api/resources';
import { nameOf } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';

export interface JoinTokenExpiryDeps {
  readonly client: Pick<ApiClient, 'list' | 'delete'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Deletes join tokens a day after they have expired, until `signal` aborts: until then a machine that comes late
 * is told so, and `dhow token list` shows who has joined by them.
 */
export const expireJoinTokens = async (
  { client, clock, log }: JoinTokenExpiryDeps,
  signal: AbortSignal,
): Promise<void> => {
  const isStopping = () => signal.aborted;
  for (;;) {
    try {
      const place = { namespace: JOIN_TOKEN_NAMESPACE, fieldSelector: `type=${JOIN_TOKEN_TYPE}` };
      const { items } = await client.list(SECRETS, place, signal);
      const oldestMs = clock.now() - KEPT_MS;
      for (const secret of items) {
        const token = storedJoinTokenOf(secret);
        // What is no token, whatever its type says, is not ours to delete.
        if (token === undefined || token.expiresAtMs > oldestMs) continue;
        const { uid = '', resourceVersion = '' } = secret.metadata;
        const preconditions = { uid, resourceVersion };
        await client.delete(SECRETS, nameOf(secret), { preconditions }, signal).catch(ignoreRaces);
        log.info({ token: token.id }, 'expired join token deleted');
      }
    } catch (error) {
      if (!isStopping())
        log.warn({ err: describeError(error) }, 'expired join tokens stay for now');
    }
    await clock.sleep(INTERVAL_MS, signal);
    if (isStopping()) return;
  }
};

const ignoreRaces = (error: unknown): void => {
  if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
};

const KEPT_MS = 24 * 3_600_000;
const INTERVAL_MS = 3_600_000;
