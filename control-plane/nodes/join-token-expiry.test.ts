import { joinTokenSecret } from '../../api/join-tokens';
import type { Secret } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { expireJoinTokens, type JoinTokenExpiryDeps } from './join-token-expiry';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 5, 1);

const tokenOf = (id: string, expiresAtMs: number): Secret => {
  const fields = { id, hash: '0'.repeat(64), usesMax: undefined, usedBy: [], description: '' };
  return joinTokenSecret({ ...fields, expiresAtMs });
};

it('deletes a join token a day after it has expired, and nothing else', async () => {
  const clock = new ManualClock(START_MS);
  const secrets = new Map(
    [
      tokenOf('aaaaaa', START_MS - 25 * HOUR_MS),
      tokenOf('bbbbbb', START_MS - 22 * HOUR_MS),
      tokenOf('cccccc', START_MS + HOUR_MS),
      { ...tokenOf('dddddd', 0), data: {} },
    ].map((secret) => [secret.metadata.name, secret]),
  );
  let isDown = true;
  const client = {
    list: async () => {
      if (isDown) throw new Error('no answer');
      return { items: [...secrets.values()] };
    },
    delete: async (_kind: unknown, { name }: { name: string }) => void secrets.delete(name),
  } as unknown as JoinTokenExpiryDeps['client'];
  const stop = new AbortController();
  const running = expireJoinTokens({ client, clock, log: silentLog }, stop.signal);
  await clock.advance(HOUR_MS - 1);
  expect(secrets.size).toBe(4);
  isDown = false;
  await clock.advance(1);
  const left = () => [...secrets.keys()].map((name) => name.slice(-6));
  expect(left()).toEqual(['bbbbbb', 'cccccc', 'dddddd']);
  await clock.advance(HOUR_MS);
  expect(left()).toEqual(['cccccc', 'dddddd']);
  await clock.advance(25 * HOUR_MS);
  expect(left()).toEqual(['dddddd']);
  stop.abort();
  await running;
});
