import { PODS } from '../../api/resources';
import type { Pod } from '../../api/types';
import { silentLog } from '../../lib/log';
import { startTestServer, type TestServer } from '../api-server/testing';
import { StatusIntake } from './status-intake';

let server: TestServer;
let intake: StatusIntake;
let pod: Pod;
const PLACE = { namespace: 'default', name: 'web' };
const NEVER = new AbortController().signal;

beforeEach(async () => {
  server = await startTestServer();
  const { client } = server.api;
  const pods = { get: () => undefined, noteWritten: () => undefined } as never;
  intake = new StatusIntake({ client, pods, log: silentLog });
  pod = await client.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...PLACE, labels: { app: 'web' } },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'x' }] },
  });
});
afterEach(() => server[Symbol.asyncDispose]());

const report = (nodeName: string, more: object = {}) =>
  intake.accept(
    nodeName,
    {
      ...PLACE,
      uid: pod.metadata.uid ?? '',
      status: Buffer.from(JSON.stringify({ phase: 'Running' })),
      terminated: false,
      ...more,
    },
    NEVER,
  );
const read = () => server.api.client.get(PODS, PLACE);

it('takes the status of a node’s own pod', async () => {
  await report('n1');
  expect((await read()).status.phase).toBe('Running');
});

it.each([{ metadata: { labels: { app: 'bank' } } }, { spec: { nodeName: 'n2' } }])(
  'takes no status that is more than one: %j',
  async (more) => {
    const before = await read();
    await report('n1', { status: Buffer.from(JSON.stringify({ phase: 'Running', ...more })) });
    expect(await read()).toEqual(before);
  },
);

it.each([
  ['a pod of another node', 'n2', {}],
  ['an earlier pod of the name', 'n1', { uid: 'other' }],
])('drops that of %s, and its end', async (_what, nodeName, more) => {
  await server.api.client.delete(PODS, PLACE);
  const before = await read();
  await report(nodeName, { terminated: true, ...more });
  expect(await read()).toEqual(before);
});
