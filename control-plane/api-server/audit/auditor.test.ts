import { ManualClock } from '../../../lib/clock';
import { AUTHENTICATED } from '../auth/user';
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
  return { server: await startTestServer({ auditor }), events };
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
