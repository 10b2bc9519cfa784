import { status } from '@grpc/grpc-js';

import { conflict, notFound } from '../../api/errors';
import { hashOfSecret, joinTokenSecret, storedJoinTokenOf } from '../../api/join-tokens';
import type { Secret } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { ManualClock } from '../../lib/clock';
import { JoinTokens } from './join-tokens';

const NEVER = new AbortController().signal;
const TOKEN = 'abc123.0123456789abcdef';
const FIELDS = { id: 'abc123', hash: hashOfSecret('0123456789abcdef'), description: '' };
const clock = new ManualClock(1_000_000);

/** One Secret, with compare-and-swap; `meanwhile` is done by somebody else before the first write. */
const clientOf = (first: Secret, meanwhile?: (secret: Secret) => Secret) => {
  let [version, secret, other] = [1, first, meanwhile];
  const read = () => ({
    ...secret,
    metadata: { ...secret.metadata, resourceVersion: String(version) },
  });
  const client = {
    get: async (_resource: unknown, { name }: { name: string }) => {
      if (name !== 'join-token-abc123') throw notFound('secrets', '', name);
      return read();
    },
    update: async (_resource: unknown, next: Secret) => {
      if (other !== undefined) {
        secret = other(secret);
        version++;
        other = undefined;
      }
      if (next.metadata.resourceVersion !== String(version))
        throw conflict('secrets', '', 'join-token-abc123', 'changed');
      secret = next;
      version++;
      return read();
    },
  };
  return {
    client: client as unknown as ApiClient,
    usedBy: () => storedJoinTokenOf(secret)?.usedBy,
  };
};

const stored = (usesMax?: number, expiresAtMs = 2_000_000) =>
  joinTokenSecret({ ...FIELDS, expiresAtMs, usesMax, usedBy: [] });
const joining = (name: string) => ({ nodeName: name, agentId: `agent of ${name}` });

it('lets as many machines in as it may, and then says who they were', async () => {
  const { client } = clientOf(stored(2));
  const tokens = new JoinTokens(client, clock);
  for (const name of ['a', 'b', 'b']) await tokens.use(TOKEN, joining(name), NEVER);
  await expect(tokens.use(TOKEN, joining('c'), NEVER)).rejects.toMatchObject({
    code: status.UNAUTHENTICATED,
    details: expect.stringContaining('is used up, by a, b') as string,
  });
});

it('lets one of two in that come at once where one may', async () => {
  const { client, usedBy } = clientOf(stored(1), (secret) => ({
    ...secret,
    data: {
      ...secret.data,
      'used-by': Buffer.from('[{"agent":"x","node":"first","atMs":1}]').toString('base64'),
    },
  }));
  await expect(new JoinTokens(client, clock).use(TOKEN, joining('late'), NEVER)).rejects.toThrow(
    'is used up, by first',
  );
  expect(usedBy()).toHaveLength(1);
});

it('counts nothing by a check', async () => {
  const { client, usedBy } = clientOf(stored(1));
  await new JoinTokens(client, clock).check(TOKEN, joining('a'), NEVER);
  expect(usedBy()).toEqual([]);
});

it.each([
  ['has another secret half', 'abc123.0123456789abcdeX'.toLowerCase(), stored(), 'is unknown'],
  ['is not known', 'zzz999.0123456789abcdef', stored(), 'is unknown'],
  ['is no token', '../x.0123456789abcdef', stored(), 'is unknown'],
  ['has expired', TOKEN, stored(undefined, 999_999), 'abc123 has expired'],
])('refuses one that %s', async (_, token, secret, problem) => {
  const tokens = new JoinTokens(clientOf(secret).client, clock);
  await expect(tokens.use(token, joining('a'), NEVER)).rejects.toThrow(problem);
});
