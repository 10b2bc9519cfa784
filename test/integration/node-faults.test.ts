import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LEASES, NODES, PODS } from '../../api/resources';
import type { Pod } from '../../api/types';
import { systemClock } from '../../lib/clock';
import { silentLog, type LogFields } from '../../lib/log';
import { eventually, podDraft, startAgent, startPlane, type Plane } from './support/agent-plane';
import { FaultyStore } from './support/faulty-store';

jest.setTimeout(120_000);

const GRACE_MS = 1_000;

let directory: string;
let store: FaultyStore;
let plane: Plane;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-node-faults-'));
  store = new FaultyStore();
  plane = await startPlane(directory, { store, gracePeriodMs: GRACE_MS });
});

afterEach(async () => {
  store.become('well');
  await plane[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const named = (name: string) => ({ namespace: 'default', name });

const isReady = ({ status }: Pick<Pod, 'status'>): boolean =>
  status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

const run = async (name: string, command = 'sleep 1000'): Promise<void> => {
  await plane.client.create(PODS, podDraft(name, { command: ['sh', '-c', command] }));
  await becomesReady(name);
};

const becomesReady = (name: string) =>
  eventually(async () => isReady(await plane.client.get(PODS, named(name))));

const isGone = (name: string) =>
  eventually(
    async () => !(await plane.client.list(PODS)).items.some((p) => p.metadata.name === name),
  );

/** Everything that a node does works: its lease, its Node, pods that come, change and go. */
const expectWell = async (name: string): Promise<void> => {
  const lease = () => plane.client.get(LEASES, { namespace: 'kube-node-lease', name: 'n1' });
  const before = (await lease()).spec?.renewTime;
  await eventually(async () => (await lease()).spec?.renewTime !== before);
  await eventually(async () =>
    isReady(await plane.client.get(NODES, { namespace: '', name: 'n1' })),
  );
  await run(name);
  await plane.client.delete(PODS, named(name), { gracePeriodSeconds: 1 });
  await isGone(name);
};

describe.each(['refusing', 'silent', 'slow'] as const)('a store that is %s', (condition) => {
  it('for longer than the grace period harms no node and no pod for good', async () => {
    await using agent = await startAgent(plane, directory);
    await run('stays');
    await run('ends', 'sleep 1000');
    await plane.client.delete(PODS, named('ends'), { gracePeriodSeconds: 1 });
    store.become(condition);
    const exited = () => agent.runtime.containers().some(({ status }) => status !== 'running');
    await eventually(async () => exited() || agent.runtime.containers().length === 1);
    await systemClock.sleep(3 * GRACE_MS);
    store.become('well');
    await isGone('ends');
    await becomesReady('stays');
    await expectWell('later');
    expect(isReady(await plane.client.get(PODS, named('stays')))).toBe(true);
  });
});

it('stores a status again that somebody wrote over', async () => {
  await using _agent = await startAgent(plane, directory);
  await run('web');
  const pod = await plane.client.get(PODS, named('web'));
  const conditions = (pod.status.conditions ?? []).map((condition) =>
    condition.type === 'Ready' ? { ...condition, status: 'False' } : condition,
  );
  const foreign = { type: 'example.com/other', status: 'True' };
  const status = { ...pod.status, phase: 'Pending', conditions: [...conditions, foreign] };
  await plane.client.update(PODS, { ...pod, status }, { subresource: 'status' });
  await becomesReady('web');
  const { status: after } = await plane.client.get(PODS, named('web'));
  expect(after.phase).toBe('Running');
  expect(after.conditions).toContainEqual(expect.objectContaining(foreign));
});

it('makes pods ready again when their node comes back', async () => {
  const first = await startAgent(plane, directory);
  await run('web');
  await first.stop();
  await eventually(async () => !isReady(await plane.client.get(PODS, named('web'))));
  const { runtime } = first;
  await using _second = await startAgent(plane, directory, { runtime });
  await becomesReady('web');
  await expectWell('later');
});

it('registers a known node again within seconds when its object is deleted', async () => {
  await using _agent = await startAgent(plane, directory);
  await run('web');
  const { metadata } = await plane.client.get(NODES, { namespace: '', name: 'n1' });
  await plane.client.delete(NODES, { namespace: '', name: 'n1' });
  await eventually(async () =>
    (await plane.client.list(NODES)).items.some(({ metadata: now }) => now.uid !== metadata.uid),
  );
  await expectWell('later');
});

it('keeps the session when the store is full, deletes what has ended, and registers anew', async () => {
  const lines: string[] = [];
  const log = {
    ...silentLog,
    warn: (_fields: LogFields, message: string) => void lines.push(message),
  };
  const agent = await startAgent(plane, directory, { log });
  await run('stays');
  await run('ends');
  // One status that cannot be stored, of a pod that is not deleted.
  await run('fails', 'sleep 1; exit 1');
  await plane.client.delete(PODS, named('ends'), { gracePeriodSeconds: 1 });
  store.become('full');
  await isGone('ends');
  expect(lines).not.toContain('session ended, connecting again');
  await agent.stop();
  await using again = await startAgent(plane, directory, { runtime: agent.runtime });
  await eventually(async () => again.agent.isConnected);
  store.become('well');
  await expectWell('later');
  await eventually(async () => {
    const { status } = await plane.client.get(PODS, named('fails'));
    return (status.containerStatuses?.[0]?.restartCount ?? 0) > 0;
  });
});

it('carries numbers beyond 2^53 to the node, and every other pod beside', async () => {
  await using _agent = await startAgent(plane, directory);
  const tolerations = [
    { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 9007199254740993n },
  ];
  await plane.client.create(PODS, podDraft('huge', {}, { tolerations }));
  await becomesReady('huge');
  await expectWell('beside');
});
