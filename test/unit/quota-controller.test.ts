import { PENDING_USAGE } from '../../api/quota/pending';
import { ApiEventRecorder } from '../../client/events';
import { Informers } from '../../client/informers';
import { startTestServer, type TestServer } from '../../control-plane/api-server/testing';
import { createControllers, runControllers } from '../../control-plane/controllers';
import { TaskGroup } from '../../lib/async/task-group';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import { VOYAGES } from './sample-kind/resource';
import { VOYAGE } from './sample-kind/served';

const CORE = '/api/v1/namespaces/default';
const QUOTA = `${CORE}/resourcequotas/q`;
const VOYAGE_PATH = '/apis/fleet.example.com/v1/namespaces/default/voyages';
const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };

let server: TestServer;
let group: TaskGroup;

beforeEach(async () => {
  server = await startTestServer();
  const { clock, api } = server;
  const { client } = api;
  const shared = { clock, random: seededRandom(1), log: silentLog };
  const informers = new Informers({ ...shared, client });
  const eventsFor = (component: string) =>
    new ApiEventRecorder({ client, clock, log: silentLog, component });
  const controllers = createControllers(
    { ...shared, client, informers, eventsFor },
    { served: api.kinds, caCertificate: () => '', nodeGracePeriodMs: 40_000 },
  );
  group = new TaskGroup();
  group.run((signal) => informers.run(signal));
  group.run((signal) => runControllers(controllers, shared, signal));
});

afterEach(async () => {
  const ended = group[Symbol.asyncDispose]();
  await pass(600_000);
  await ended;
  await server[Symbol.asyncDispose]();
});

const pass = async (ms: number): Promise<void> => {
  for (let step = 0; step < 20; step++) {
    await server.clock.advance(ms / 20);
    for (let turn = 0; turn < 20; turn++) await new Promise((next) => setImmediate(next));
  }
};
const quota = (hard: object, more: object = {}) =>
  server.request('POST', `${CORE}/resourcequotas`, {
    ...{ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' } },
    spec: { hard, ...more },
  });
const pod = (name: string) =>
  server.request('POST', `${CORE}/pods`, {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name } },
    spec: { containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '1' } } }] },
  });
const stored = async () => (await server.request('GET', QUOTA)).json;
const status = async () => {
  await pass(1000);
  return (await stored()).status;
};

it('says what is used of a new quota, and of one that has changed', async () => {
  await pod('a');
  await quota({ pods: '2', services: '1' });
  expect(await status()).toEqual({
    hard: { pods: '2', services: '1' },
    used: { pods: '1', services: '0' },
  });
  await server.request('PATCH', QUOTA, { spec: { hard: { cpu: '3', services: null } } }, MERGE);
  expect(await status()).toEqual({ hard: { cpu: '3', pods: '2' }, used: { cpu: '1', pods: '1' } });
});

it('gives back at once what is deleted, or has ended', async () => {
  await quota({ pods: '2', configmaps: '9' });
  await pod('a');
  await pod('b');
  await server.request('DELETE', `${CORE}/pods/a`);
  expect((await status()).used.pods).toBe('1');
  await server.request('PATCH', `${CORE}/pods/b/status`, { status: { phase: 'Failed' } }, MERGE);
  // The bundle of certificates is one of all namespaces.
  expect((await status()).used).toEqual({ configmaps: '1', pods: '0' });
});

it('counts kinds that come and go', async () => {
  await quota({ 'count/voyages.fleet.example.com': '2' });
  const voyage = (name: string) => ({
    ...{ apiVersion: 'fleet.example.com/v1', kind: 'Voyage', metadata: { name } },
    spec: { ship: 'dhow' },
  });
  server.api.kinds.add(VOYAGE);
  await pass(1000);
  const answers = [];
  for (const name of ['a', 'b', 'c'])
    answers.push((await server.request('POST', VOYAGE_PATH, voyage(name))).status);
  expect(answers).toEqual([201, 201, 403]);
  await server.request('DELETE', `${VOYAGE_PATH}/a`);
  expect((await status()).used).toEqual({ 'count/voyages.fleet.example.com': '1' });
  server.api.kinds.remove(VOYAGE);
  expect((await status()).used).toEqual({ 'count/voyages.fleet.example.com': '0' });
  server.api.kinds.add(VOYAGE);
  expect((await status()).used).toEqual({ 'count/voyages.fleet.example.com': '1' });
  await server.api.client.delete(VOYAGES, { namespace: 'default', name: 'b' });
  expect((await status()).used).toEqual({ 'count/voyages.fleet.example.com': '0' });
});

it('forgets the notes of a server that is gone, once their time is over', async () => {
  await quota({ pods: '2' });
  await status();
  const at = new Date(server.clock.now()).toISOString();
  const note = [{ id: 'x', uid: 'u', from: '', adds: { pods: '1' }, at }];
  const annotations = { [PENDING_USAGE]: JSON.stringify(note), a: 'b' };
  const change = { metadata: { annotations }, status: { used: { pods: '1' } } };
  await server.request('PATCH', `${QUOTA}/status`, change, MERGE);
  await pod('a');
  expect((await status()).used).toEqual({ pods: '2' });
  await pass(70_000);
  expect((await stored()).status.used).toEqual({ pods: '1' });
  expect((await stored()).metadata.annotations).toEqual({ a: 'b' });
});

it('writes nothing when nothing has changed', async () => {
  await quota({ pods: '2' });
  await pod('a');
  await status();
  const { resourceVersion } = (await stored()).metadata;
  await pass(20 * 60_000);
  expect((await stored()).metadata.resourceVersion).toBe(resourceVersion);
});
