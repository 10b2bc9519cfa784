import { isReady } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';
import { Stack } from './support/stack';

/* Applications of several services, each from one apply of one file. */

jest.setTimeout(240_000);

const cluster = sharedCluster('e2e-stacks', { nodes: 2 });

afterEach(async () => {
  await cluster.must('uncordon', 'node-1', 'node-2');
  await cluster.clear();
  await cluster.must('delete', 'pvc', '--all');
});

const nodeOf = async (selector: string): Promise<string> =>
  (await cluster.pods('-l', selector))[0]?.spec.nodeName ?? '';

const readyCount = async (selector: string): Promise<number> =>
  (await cluster.pods('-l', selector)).filter(
    (pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined,
  ).length;

it('a guest book: found by names and variables; a drain keeps budgets and loses no request', async () => {
  const stack = new Stack(cluster, 'guestbook', 'kubectl');
  await stack.apply();
  await stack.isAvailable();
  const list = '/cgi-bin/list';
  // Pods are available before every node knows the way to them.
  const add = (node: string, word: string) =>
    stack.askUntil(node, 30180, `/cgi-bin/add?${word}`, (answer) => answer === `added ${word}\n`);
  await add('node-1', 'first');
  await add('node-2', 'second');
  const both = /^first\nsecond\nserved by frontend-\S+\n$/;
  for (const node of ['node-1', 'node-2'])
    expect(await stack.askUntil(node, 30180, list, (answer) => both.test(answer))).toMatch(both);

  // The leader's entries are on its node alone: the other one goes.
  const stays = await nodeOf('tier=leader');
  const goes = stays === 'node-1' ? 'node-2' : 'node-1';
  const fewest = { frontend: Infinity, follower: Infinity };
  let isDone = false;
  const watched = (async () => {
    while (!isDone)
      for (const tier of ['frontend', 'follower'] as const)
        fewest[tier] = Math.min(fewest[tier], await readyCount(`tier=${tier}`));
  })();
  const drained = stack
    .run('drain', goes, '--delete-emptydir-data', '--timeout=85s')
    .finally(() => (isDone = true));
  const { answers, losses } = await stack.askDuring(drained, stays, 30180, list);
  await watched;
  expect(losses).toEqual([]);
  expect(answers.filter((answer) => !both.test(answer))).toEqual([]);
  expect(fewest.frontend).toBeGreaterThanOrEqual(2);
  expect(fewest.follower).toBeGreaterThanOrEqual(1);
  await stack.isAvailable();
  expect((await cluster.pods()).map(({ spec }) => spec.nodeName)).not.toContain(goes);
  // The port of the node that is drained still leads to the pods, which are elsewhere.
  expect(await stack.ask(goes, 30180, list)).toMatch(both);
  expect(await stack.delete()).toEqual([]);
});

it('votes: through a queue and a worker into a database that outlives its pod', async () => {
  const stack = new Stack(cluster, 'voting', 'dhow');
  await stack.apply();
  await stack.isAvailable();
  await stack.run('rollout', 'status', 'sts/db', '--timeout=60s');
  await stack.askUntil('node-1', 30280, '/', (answer) => answer === 'vote\n');
  for (const vote of ['cats', 'dogs', 'cats'])
    expect(await stack.ask('node-1', 30280, `/cgi-bin/vote?${vote}`)).toBe(`queued ${vote}\n`);
  const counted = /^ +2 cats\n +1 dogs\n$/;
  const result = () =>
    stack.askUntil('node-2', 30281, '/cgi-bin/result', (answer) => counted.test(answer));
  expect(await result()).toMatch(counted);
  const uid = async () => (await cluster.pod('db-0'))?.metadata.uid;
  const before = await uid();
  await stack.run('delete', 'pod', 'db-0');
  await stack.run('rollout', 'status', 'sts/db', '--timeout=60s');
  expect(await result()).toMatch(counted);
  expect(await uid()).not.toBe(before);
  expect(await stack.delete()).toEqual([]);
});

it('a shop: ten services call one another over namespaces, and nobody else does', async () => {
  const stack = new Stack(cluster, 'shop', 'kubectl');
  await stack.apply();
  for (const namespace of ['shop-edge', 'shop-front', 'shop-back'])
    await stack.isAvailable(namespace);
  const all =
    'web(catalog(prices()stock())cart(users()orders(payments(users())mail()))search(catalog(prices()stock())))';
  for (const node of ['node-1', 'node-2'])
    expect(await stack.askUntil(node, 30380, '/cgi-bin/call', (answer) => answer === all)).toBe(
      all,
    );
  const call = 'timeout 3 wget -q -O - http://payments.shop-back/cgi-bin/call';
  const direct = ['exec', '-n', 'shop-edge', 'deploy/web', '--', 'sh', '-c', call];
  expect(await cluster.kubectl(...direct)).toMatchObject({ code: 143, stdout: '' });
  const [web] = await cluster.pods('-n', 'shop-edge');
  const why = ['why-blocked', `pod/${web?.metadata.name ?? ''}`, '-n', 'shop-edge'];
  const blocked = await cluster.dhow(...why, 'svc/payments.shop-back:80');
  expect(blocked).toMatchObject({ code: 1, stdout: expect.stringContaining('shop-back/deny') });
  expect(await stack.delete()).toEqual([]);
});
