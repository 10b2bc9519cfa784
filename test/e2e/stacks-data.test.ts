import { sharedCluster } from './support/shared-cluster';
import { Stack } from './support/stack';

/* Work on data: a database and its backup, a queue and its workers, load, and the logs of it all. */

jest.setTimeout(240_000);

const cluster = sharedCluster('e2e-stacks-data', { nodes: 2 });

afterEach(async () => {
  await cluster.must('taint', 'node', 'node-2', 'dedicated-').catch(() => undefined);
  await cluster.must('delete', 'hpa', '--all');
  await cluster.clear();
  await cluster.must('delete', 'pvc', '--all');
});

const ITEMS = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => `item-${i}`);

it('works off a queue into a database that is backed up, grows with load, and collects all logs', async () => {
  const stack = new Stack(cluster, 'data', 'kubectl');
  await stack.run('taint', 'node', 'node-2', 'dedicated=others:NoSchedule');
  await stack.apply();
  await stack.isAvailable();
  await stack.run('rollout', 'status', 'ds/logs', '--timeout=60s');
  await stack.run('wait', 'job/work', '--for=condition=Complete', '--timeout=85s');

  // Every item once, from the queue by way of a worker, the database and the backup's volume.
  const rows = ITEMS.map((item) => `${item}\n`).join('');
  expect(await stack.askUntil('node-1', 30480, '/rows', (answer) => answer === rows)).toBe(rows);

  // Each node's own collector answers at its port, on the node with the taint too.
  const worked: string[] = [];
  for (const node of ['node-1', 'node-2']) {
    const said = await stack.askUntil(node, 30482, '/cgi-bin/logs', (answer) =>
      answer.startsWith('logs of'),
    );
    const [title, ...lines] = said.trim().split('\n');
    expect(title).toBe(`logs of ${node}`);
    worked.push(...lines);
  }
  expect(worked.sort()).toEqual(ITEMS.map((item) => `worked off ${item}`));

  const grown = cluster.until(
    'three replicas, all ready',
    async () => {
      const path = 'jsonpath={.status.readyReplicas}';
      return (await cluster.must('get', 'deploy', 'api', '-o', path)) === '3';
    },
    120_000,
  );
  const { answers } = await stack.askDuring(grown, 'node-1', 30481, '/cgi-bin/burn');
  expect(answers).toContainEqual(expect.stringMatching(/^burnt by api-/));
  expect(await stack.delete()).toEqual([]);
});
