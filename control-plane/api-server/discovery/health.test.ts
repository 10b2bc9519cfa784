import { ManualClock } from '../../../lib/clock';
import type { ApiRequest } from '../http/exchange';
import { ANONYMOUS } from '../auth/user';
import { serveCheck, servePublic, type HealthCheck, type VersionInfo } from './health';

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
  const checks: HealthCheck[] = [
    { name: 'ping', endpoints: ['readyz'], check: async () => undefined },
    { name: 'etcd', endpoints: ['readyz'], check: stuck },
  ];
  const answer = servePublic(request, { checks, version: {} as VersionInfo, clock });
  await clock.advance(2999);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  await clock.advance(1);
  expect(await answer).toMatchObject({ status: 500 });
  expect((await answer)?.body).toContain('[-]etcd failed');
});

const ask = (path: string, query = ''): ApiRequest => ({
  method: 'GET',
  path,
  query: new URLSearchParams(query),
  headers: {},
  user: ANONYMOUS,
  body: async () => Buffer.alloc(0),
  signal: new AbortController().signal,
});
const CHECKS: HealthCheck[] = [
  { name: 'ping', endpoints: ['livez', 'readyz'], check: async () => undefined },
  {
    name: 'poststarthook/rbac',
    endpoints: ['readyz'],
    check: () => Promise.reject(new Error('no roles')),
  },
];
const deps = { checks: CHECKS, version: {} as VersionInfo, clock: new ManualClock() };

it.each([
  ['/livez', '', 200, 'ok'],
  ['/livez', 'verbose', 200, '[+]ping ok\nlivez check passed\n'],
  [
    '/readyz',
    '',
    500,
    '[+]ping ok\n[-]poststarthook/rbac failed: reason withheld\nreadyz check failed\n',
  ],
  ['/readyz', 'exclude=poststarthook/rbac', 200, 'ok'],
  [
    '/readyz',
    'exclude=poststarthook/rbac&exclude=b&exclude=a&verbose',
    200,
    '[+]ping ok\n[+]poststarthook/rbac excluded: ok\n' +
      'warn: some health checks cannot be excluded: no matches for "a","b"\nreadyz check passed\n',
  ],
])('answers %s?%s by %d', async (path, query, status, body) => {
  expect(await servePublic(ask(path, query), deps)).toMatchObject({ status, body });
});

it('tells the reason of one check, to who asks for it by name', async () => {
  expect(await servePublic(ask('/readyz/ping'), deps)).toBeUndefined();
  expect(await serveCheck(ask('/readyz/ping'), deps)).toMatchObject({ status: 200, body: 'ok' });
  expect(await serveCheck(ask('/readyz/poststarthook/rbac'), deps)).toMatchObject({
    status: 500,
    body: 'internal server error: no roles\n',
  });
  expect(await serveCheck(ask('/livez/poststarthook/rbac'), deps)).toBeUndefined();
  expect(await serveCheck(ask('/readyz/other'), deps)).toBeUndefined();
});

it('writes its version for people to read, as upstream', async () => {
  const version = { major: '1', minor: '36' } as VersionInfo;
  const answer = await servePublic(ask('/version'), { ...deps, version });
  expect(answer?.body).toBe('{\n  "major": "1",\n  "minor": "36"\n}');
});
