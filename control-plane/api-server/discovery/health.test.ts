import { ManualClock } from '../../../lib/clock';
import { ANONYMOUS } from '../auth/user';
import { servePublic, type VersionInfo } from './health';

it('waits for a check that does not answer until its time is up, and not longer', async () => {
  const clock = new ManualClock();
  const signals: AbortSignal[] = [];
  const stuck = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      signals.push(signal);
      signal.addEventListener('abort', () => reject(new Error('too late')));
    });
  const request = {
    method: 'GET',
    path: '/readyz',
    query: new URLSearchParams('verbose'),
    headers: {},
    user: ANONYMOUS,
    body: async () => Buffer.alloc(0),
    signal: new AbortController().signal,
  };
  const checks = [
    { name: 'ping', check: async () => undefined },
    { name: 'store', check: stuck },
  ];
  const answer = servePublic(request, { checks, version: {} as VersionInfo, clock });
  await clock.advance(2999);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  await clock.advance(1);
  expect(await answer).toMatchObject({ status: 500 });
  expect((await answer)?.body).toContain('[-]store failed');
});
