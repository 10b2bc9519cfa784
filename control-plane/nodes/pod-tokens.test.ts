import type { Pod } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { PodTokens } from './pod-tokens';

const podOf = (uid: string, tokens: readonly object[], more: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: uid, namespace: 'ns', uid, ...more },
  spec: {
    containers: [],
    volumes: [
      {
        name: 'v',
        projected: {
          sources: tokens.map((token) => ({
            serviceAccountToken: { path: 'token', ...token },
          })),
        },
      },
    ],
  },
  status: {},
});

const setUp = (...pods: readonly Pod[]) => {
  const clock = new ManualClock(0);
  const state = { pods, issued: 0, failure: undefined as Error | undefined, changes: 0 };
  const tokens = new PodTokens({
    csiOrdersOf: () => [],
    nodeName: 'n1',
    podIndex: { podsOn: () => state.pods },
    issueToken: (pod, { audience, lifetimeSeconds }) =>
      state.failure === undefined
        ? Promise.resolve(`${pod.metadata.name} ${audience} ${lifetimeSeconds} #${++state.issued}`)
        : Promise.reject(state.failure),
    ...{ clock, log: silentLog, onChange: () => state.changes++ },
  });
  const stop = new AbortController();
  const running = tokens.run(stop.signal);
  const rest = async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    return tokens.tokens();
  };
  const end = async () => {
    stop.abort();
    await running;
  };
  return { state, tokens, clock, rest, end };
};

it('issues a token for each audience of each pod, and none for pods that end', async () => {
  const going = { deletionTimestamp: '2030-01-01T00:00:00Z' };
  const { state, tokens, rest, end } = setUp(
    podOf('a', [{}, { audience: 'vault', expirationSeconds: 600 }, {}]),
    podOf('b', [{}], going),
    { ...podOf('c', []), spec: { containers: [], volumes: [null] } as never },
  );
  expect(await rest()).toEqual([
    { key: 'a 3600 ', token: 'a  3600 #1' },
    { key: 'a 600 vault', token: 'a vault 600 #2' },
  ]);
  state.pods = [podOf('d', [{}])];
  tokens.podsChanged();
  expect(await rest()).toEqual([{ key: 'd 3600 ', token: 'd  3600 #3' }]);
  expect(state.changes).toBe(2);
  await end();
});

it('issues another when a fifth of its life is left, whatever the wall clock says', async () => {
  const { clock, rest, end } = setUp(podOf('a', [{ expirationSeconds: 3607 }]));
  await rest();
  await clock.advance(2_885_000);
  expect((await rest())[0]?.token).toContain('#1');
  await clock.advance(1_000);
  expect((await rest())[0]?.token).toContain('#2');
  await end();
});

it('says why there is none, tries again, and keeps one that still holds', async () => {
  const { state, clock, rest, end } = setUp(podOf('a', [{}]));
  state.failure = new Error('no account');
  await clock.advance(2_880_000);
  // The first was issued before the failure.
  expect((await rest())[0]?.token).toContain('#1');
  state.pods = [podOf('b', [{}])];
  await clock.advance(10_000);
  expect(await rest()).toEqual([{ key: 'b 3600 ', error: 'no account' }]);
  state.failure = undefined;
  await clock.advance(10_000);
  expect(await rest()).toEqual([{ key: 'b 3600 ', token: 'b  3600 #2' }]);
  await end();
});

it('is caught up when every pod has a token or a reason, and never waits longer than it may', async () => {
  const { state, tokens, clock, rest, end } = setUp(podOf('a', [{}]));
  const stop = new AbortController();
  await tokens.whenIssued(50, stop.signal);
  expect(tokens.tokens()).toHaveLength(1);
  state.pods = [podOf('a', [{}]), podOf('b', [{}])];
  tokens.podsChanged();
  await tokens.whenIssued(50, stop.signal);
  expect(tokens.tokens()).toHaveLength(2);
  await end();
  // Nobody issues any more.
  tokens.podsChanged();
  const waited = tokens.whenIssued(50, stop.signal);
  await clock.advance(50);
  await waited;
  await rest();
});
