import { STATEFUL_SETS } from '../../api/resources';
import { controllerRef } from '../../api/owners';
import type { ControllerRevision, StatefulSet } from '../../api/types';
import { Informers } from '../../client/informers';
import { startTestServer, type TestServer } from '../../control-plane/api-server/testing';
import { Revisions } from '../../control-plane/controllers/owned/revisions';
import { TaskGroup } from '../../lib/async/task-group';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';

/* The history that Revisions keeps of an owner, through the API. */

const LABEL = 'controller.kubernetes.io/hash';
const PATH = '/apis/apps/v1/namespaces/default/controllerrevisions';
const signal = new AbortController().signal;

let server: TestServer;
let group: TaskGroup;

beforeEach(async () => {
  server = await startTestServer();
  group = new TaskGroup();
});
afterEach(async () => {
  await group[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** As one process has it: another one begins with another copy. */
const openHistory = async (): Promise<Revisions<StatefulSet>> => {
  const { clock, api } = server;
  const shared = { clock, client: api.client, random: seededRandom(1), log: silentLog };
  const informers = new Informers(shared);
  const revisions = new Revisions(STATEFUL_SETS, LABEL, {
    ...shared,
    informers,
    events: { event: () => undefined },
  });
  group.run((end) => informers.run(end));
  await informers.whenSynced();
  return revisions;
};

const set = (image: string, fields: object = {}, uid = 'u1'): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', namespace: 'default', uid, annotations: { why: image } },
  spec: {
    serviceName: 'db',
    selector: { matchLabels: { app: 'db' } },
    template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'c', image }] } },
    ...fields,
  },
  status: { replicas: 0 },
});

const stored = async (): Promise<readonly ControllerRevision[]> =>
  (await server.request('GET', PATH)).json.items;

it('stores a template once, with its labels, its owner and what it was annotated with', async () => {
  const history = await openHistory();
  const { present, collisionCount } = await history.settle(set('a'), signal);
  expect(collisionCount).toBe(0);
  expect((await history.settle(set('a'), signal)).present).toEqual(present);
  // A process that has seen nothing of it yet.
  expect((await (await openHistory()).settle(set('a'), signal)).present).toEqual(present);
  const hash = present.metadata.labels?.[LABEL] ?? '';
  expect(await stored()).toMatchObject([
    {
      metadata: {
        name: `db-${hash}`,
        labels: { app: 'db' },
        annotations: { why: 'a' },
        ownerReferences: [controllerRef(set('a'))],
      },
      revision: 1,
    },
  ]);
});

it('numbers each new template, and an old one again when it comes back', async () => {
  const history = await openHistory();
  const first = (await history.settle(set('a'), signal)).present;
  await history.settle(set('b'), signal);
  const { present, revisions } = await history.settle(set('a'), signal);
  expect(present).toMatchObject({ metadata: { uid: first.metadata.uid }, revision: 3 });
  expect(revisions.map(({ revision }) => revision)).toEqual([2, 3]);
  expect(await stored()).toHaveLength(2);
});

it('takes another name when its own belongs to somebody else', async () => {
  const other = (await (await openHistory()).settle(set('a', {}, 'u2'), signal)).present;
  const { present, collisionCount } = await (await openHistory()).settle(set('a'), signal);
  expect(collisionCount).toBe(1);
  expect(present.metadata.name).not.toBe(other.metadata.name);
  const again = await (await openHistory()).settle(set('a'), signal);
  expect(again.present.metadata.uid).toBe(present.metadata.uid);
  expect(await stored()).toHaveLength(2);
});

it('adopts what an owner of its name left behind', async () => {
  const left = (await (await openHistory()).settle(set('a', {}, 'u2'), signal)).present;
  const { uid, name } = left.metadata;
  await server.request('PATCH', `${PATH}/${name}`, { metadata: { ownerReferences: null } }, MERGE);
  const { present } = await (await openHistory()).settle(set('a'), signal);
  expect(present.metadata).toMatchObject({ uid, ownerReferences: [controllerRef(set('a'))] });
});

it('deletes the oldest beyond the limit, and none in use', async () => {
  const history = await openHistory();
  const names: string[] = [];
  for (const image of ['a', 'b', 'c', 'd'])
    names.push((await history.settle(set(image), signal)).present.metadata.name);
  const last = set('d', { revisionHistoryLimit: 1 });
  const inUse = new Set([names[0] ?? '', names[3] ?? '']);
  await history.prune(last, await history.settle(last, signal), inUse, signal);
  expect((await stored()).map(({ metadata }) => metadata.name).sort()).toEqual(
    [names[0], names[2], names[3]].sort(),
  );
});

const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };
