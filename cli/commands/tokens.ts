import {
  authorityHashOf,
  hashOfSecret,
  JOIN_TOKEN_NAMESPACE,
  JOIN_TOKEN_TYPE,
  joinTokenName,
  joinTokenSecret,
  newJoinToken,
  storedJoinTokenOf,
  USES_MAX,
  type StoredJoinToken,
} from '../../api/join-tokens';
import { CONFIG_MAPS, SECRETS } from '../../api/resources';
import { rfc3339, systemClock } from '../../lib/clock';
import { formatJoinToken } from '../../lib/join-token';
import { hasReason } from '../../api/errors';
import type { CliContext } from '../context';
import { durationMs } from '../durations';
import { formatViews, listDocument, outputFormat } from '../output/format';
import { printable } from '../output/terminal';
import { formatTable } from '../output/table';
import { UsageError } from '../usage-error';

export interface TokenCreateOptions {
  readonly ttl: string;
  readonly uses?: number;
  readonly description?: string;
  readonly agentsPort?: number;
}

/** Prints a new token: it is not to be seen again, since the cluster keeps a hash of it. */
export const createToken = async (
  { client, config, terminal, signal }: CliContext,
  { ttl, uses, description = '', agentsPort }: TokenCreateOptions,
): Promise<void> => {
  const ttlMs = durationMs('--ttl', ttl);
  if (ttlMs < TTL_MIN_MS || ttlMs > TTL_MAX_MS)
    throw new UsageError('--ttl takes a minute (1m) to a year (8760h)');
  if (uses !== undefined && (uses < 1 || uses > USES_MAX))
    throw new UsageError(`--uses takes 1 to ${USES_MAX}`);
  if (description.length > DESCRIPTION_MAX)
    throw new UsageError(`--description takes at most ${DESCRIPTION_MAX} characters`);
  const caHash = await authorityHash(client, signal);
  const { id, secret } = newJoinToken();
  const expiresAtMs = systemClock.now() + ttlMs;
  const hash = hashOfSecret(secret);
  const stored = { id, hash, expiresAtMs, usesMax: uses, usedBy: [], description };
  await client.create(SECRETS, joinTokenSecret(stored), {}, signal);
  const port = agentsPort ?? Number(new URL(config.server).port || 443) + 1;
  terminal.out.write(`${formatJoinToken({ agentsPort: port, caHash, id, secret })}\n`);
};

/** By the authority that every namespace has a copy of: a kubeconfig may trust more than that. */
const authorityHash = async (
  client: CliContext['client'],
  signal: AbortSignal,
): Promise<string> => {
  const name = { namespace: JOIN_TOKEN_NAMESPACE, name: 'kube-root-ca.crt' };
  const { data } = await client.get(CONFIG_MAPS, name, signal);
  return authorityHashOf(data?.['ca.crt'] ?? '');
};

export interface TokenListOptions {
  readonly output?: string;
}

/** What is known of the tokens that there are. */
export const listTokens = async (
  { client, terminal, signal }: CliContext,
  { output }: TokenListOptions,
): Promise<void> => {
  const format = outputFormat(output);
  const place = { namespace: JOIN_TOKEN_NAMESPACE, fieldSelector: `type=${JOIN_TOKEN_TYPE}` };
  const { items } = await client.list(SECRETS, place, signal);
  const tokens = items.flatMap((secret) => storedJoinTokenOf(secret) ?? []);
  const views = tokens.map((token) => viewOf(token, systemClock.now()));
  terminal.out.write(
    formatViews(
      {
        document: listDocument(views),
        names: views.map(({ id }) => `token/${id}`),
        table: () => tableOf(views),
      },
      format,
    ),
  );
};

/** Pure: what people see of a token, whose hash is of no use to them. */
export const viewOf = (
  { id, expiresAtMs, usesMax, usedBy, description }: StoredJoinToken,
  nowMs: number,
) => ({
  id,
  state:
    nowMs >= expiresAtMs
      ? 'Expired'
      : usesMax !== undefined && usedBy.length >= usesMax
        ? 'UsedUp'
        : 'Live',
  expires: rfc3339(expiresAtMs),
  ...(usesMax === undefined ? {} : { usesMax, usedBy: usedBy.map(({ node }) => node) }),
  description,
});

const tableOf = (views: readonly ReturnType<typeof viewOf>[]): string =>
  views.length === 0
    ? 'no tokens; make one with: dhow token create\n'
    : formatTable(
        ['ID', 'STATE', 'EXPIRES', 'USES', 'DESCRIPTION'],
        views.map(({ id, state, expires, usesMax, usedBy = [], description }) => [
          ...[id, state, expires],
          usesMax === undefined ? 'any' : `${usedBy.length}/${usesMax}`,
          printable(description),
        ]),
      );

/** Nobody joins by them any more; who has joined stays. A whole token will do for its id. */
export const deleteTokens = async (
  { client, terminal, signal }: CliContext,
  given: readonly string[],
): Promise<void> => {
  for (const text of given) {
    const id = /(?:^|:)([a-z0-9]{6})(?:\.[a-z0-9]{16})?$/.exec(text)?.[1];
    // Not repeated: it may be a token, mistyped.
    if (id === undefined) throw new UsageError('a token is named by its id, six letters or digits');
    const name = { namespace: JOIN_TOKEN_NAMESPACE, name: joinTokenName(id) };
    try {
      await client.delete(SECRETS, name, {}, signal);
    } catch (error) {
      if (hasReason(error, 'NotFound')) throw new UsageError(`there is no token ${id}`);
      throw error;
    }
    terminal.out.write(`token ${id} deleted\n`);
  }
};

const TTL_MIN_MS = 60_000;
const TTL_MAX_MS = 365 * 24 * 3_600_000;
const DESCRIPTION_MAX = 256;
