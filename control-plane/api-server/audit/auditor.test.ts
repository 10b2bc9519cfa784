import { ManualClock } from '../../../lib/clock';
import { ANONYMOUS, AUTHENTICATED } from '../auth/user';
import { startTestServer } from '../testing';
import { Auditor } from './auditor';
import { parseAuditPolicy, type Level } from './policy';

const MAPS = '/api/v1/namespaces/default/configmaps';
const MAP = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { k: 'v' } };

const setUp = async (level: Level, more = '') => {
  // The tests know what they asked for.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const events: Record<string, any>[] = [];
  const policy = parseAuditPolicy(
    `apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: ${level}}]\n${more}`,
  );
  const sink = { write: (line: string) => events.push(JSON.parse(line) as never) };
  const auditor = new Auditor({ policy, sink, clock: new ManualClock(Date.UTC(2026, 0, 1)) });
  return { server: await startTestServer({ auditor }), events, auditor };
};

it('writes who did what, when, and whether they might', async () => {
  const { server, events } = await setUp('Metadata');
  const headers = { 'user-agent': 'me/1', 'audit-id': 'x' };
  const { headers: answered } = await server.request('POST', `${MAPS}?dryRun=All`, MAP, {
    headers,
  });
  expect(answered['audit-id']).toBe('x');
  expect(events[0]).toMatchObject({ stage: 'RequestReceived', auditID: 'x' });
  expect(events[1]).toEqual({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: 'x',
    stage: 'ResponseComplete',
    requestURI: `${MAPS}?dryRun=All`,
    verb: 'create',
    user: { username: 'kubernetes-admin', groups: ['system:masters', AUTHENTICATED] },
    userAgent: 'me/1',
    objectRef: { resource: 'configmaps', namespace: 'default', apiVersion: 'v1' },
    responseStatus: { metadata: {}, code: 201 },
    requestReceivedTimestamp: '2026-01-01T00:00:00.000000Z',
    stageTimestamp: '2026-01-01T00:00:00.000000Z',
    annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' },
  });
  await server[Symbol.asyncDispose]();
});

it('writes bodies where that is asked for, without managed fields if so', async () => {
  const { server, events } = await setUp('RequestResponse', 'omitManagedFields: true');
  await server.request('POST', MAPS, MAP);
  const [, event] = events;
  expect(event!['requestObject']).toEqual(MAP);
  expect(event!['objectRef']).toMatchObject({ name: 'a' });
  expect(event!['responseObject']).toMatchObject({ data: { k: 'v' }, metadata: { name: 'a' } });
  expect(event!['responseObject'].metadata.managedFields).toBeUndefined();
  await server[Symbol.asyncDispose]();
});

it('tells whom one acted as, and what was refused', async () => {
  const { server, events } = await setUp('Request');
  const headers = { 'impersonate-user': 'dev' };
  await server.request('GET', `${MAPS}/a`, undefined, { headers });
  expect(events[1]).toMatchObject({
    user: { username: 'kubernetes-admin' },
    impersonatedUser: { username: 'dev' },
    responseStatus: { status: 'Failure', reason: 'Forbidden', code: 403 },
    annotations: { 'authorization.k8s.io/decision': 'forbid' },
  });
  await server[Symbol.asyncDispose]();
});

it('tells who may not act as whom they name', async () => {
  const { server, events } = await setUp('Metadata');
  const user = { name: 'dev', groups: [AUTHENTICATED] };
  const headers = { 'impersonate-user': 'kubernetes-admin' };
  const { status } = await server.request('GET', MAPS, undefined, { headers, user });
  expect(status).toBe(403);
  expect(events[1]).toMatchObject({
    user: { username: 'dev' },
    responseStatus: { code: 403, message: expect.stringContaining('cannot impersonate') },
    annotations: { 'authorization.k8s.io/decision': 'forbid' },
  });
  await server[Symbol.asyncDispose]();
});

it('writes of who has no name that they failed, and only so often', async () => {
  const { server, events, auditor } = await setUp('RequestResponse');
  const ask = (headers: Record<string, string>) =>
    server.request('POST', MAPS, MAP, { headers, user: ANONYMOUS });
  expect((await ask({ authorization: 'Bearer secret' })).status).toBe(401);
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({
    ...{ level: 'Metadata', stage: 'ResponseStarted', verb: 'create', user: {} },
    responseStatus: { code: 401, message: 'Authentication failed, attempted: bearer' },
  });
  expect(events[0]?.['annotations']).toBeUndefined();
  await ask({});
  expect(events[1]?.['responseStatus'].message).toBe(
    'Authentication failed, no credentials provided',
  );
  for (let i = 0; i < 100; i++) await ask({});
  expect(events).toHaveLength(50);
  expect(auditor.lostCount).toBe(52);
  const { text } = await server.request('GET', '/metrics');
  expect(text).toContain('apiserver_audit_error_total{plugin="log"} 52\n');
  await server[Symbol.asyncDispose]();
});

it('writes when a watch begins and when it ends', async () => {
  const { server, events } = await setUp('Metadata', 'omitStages: [RequestReceived]');
  await server.request('POST', MAPS, MAP);
  await server.watch(`${MAPS}?watch=1`, 1);
  expect(events.slice(1).map(({ stage, verb }) => `${verb} ${stage}`)).toEqual([
    'watch ResponseStarted',
    'watch ResponseComplete',
  ]);
  await server[Symbol.asyncDispose]();
});

it('writes nothing of what the policy passes over', async () => {
  const { server, events } = await setUp('None');
  await server.request('POST', MAPS, MAP);
  expect(events).toEqual([]);
  await server[Symbol.asyncDispose]();
});
