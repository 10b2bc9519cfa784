import type { RebalancePlan } from '../../api/rebalance-plans';
import { deploymentYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-rebalance');

const SLEEP = ['sleep', '1000000'];
const COUNT = 6;
const NO_IMAGE = 'nowhere.invalid/x:1';

const budget = (maxUnavailable: number): string =>
  JSON.stringify({
    ...{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'web' } },
    spec: { maxUnavailable, selector: { matchLabels: { app: 'web' } } },
  });

const places = async (): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(
    (await cluster.pods('-l', 'app=web')).map(({ metadata, spec }) => [
      metadata.uid,
      spec.nodeName ?? '',
    ]),
  );

/** How many pods are on each node, where none is leaving. */
const counts = async (): Promise<readonly number[]> => {
  const nodes = Object.values(await places());
  return ['node-1', 'node-2', 'node-3'].map((name) => nodes.filter((each) => each === name).length);
};

const preview = async (...args: string[]): Promise<RebalancePlan['status']> =>
  (JSON.parse(await cluster.must('rebalance', '--dry-run', '-o', 'json', ...args)) as RebalancePlan)
    .status;

/** Pods that came while a node took none. */
const drifted = async (): Promise<void> => {
  await cluster.must('cordon', 'node-3');
  await cluster.apply(deploymentYaml('web', COUNT, SLEEP));
  await cluster.must('rollout', 'status', 'deploy/web');
  await cluster.must('uncordon', 'node-3');
  await cluster.until('the node to take pods', async () => (await preview()).moves.length > 0);
};

describe('dhow rebalance', () => {
  afterEach(async () => {
    await cluster.must('uncordon', 'node-3');
    await cluster.must('delete', 'pdb', 'web', '--ignore-not-found');
    await cluster.clear();
  });

  it('names the moves and their gain beforehand, and moves nothing without being told', async () => {
    await drifted();
    const before = await places();
    const { moves, gain } = await preview();
    expect(new Set(moves.map(({ to }) => to))).toEqual(new Set(['node-3']));
    expect(moves.map(({ reason }) => reason)).toEqual(moves.map(() => 'SpreadDrift'));
    for (const { uid, from } of moves) expect(before[uid]).toBe(from);
    expect(gain.spreadSkew.after).toBeLessThan(gain.spreadSkew.before);
    const shown = await cluster.must('rebalance', '--dry-run');
    for (const { pod } of moves) expect(shown).toContain(`${pod} `);
    expect(shown).toMatch(/largest skew between nodes, in pods +3 +0\n/);
    const refused = await cluster.dhow('rebalance');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('see which with --dry-run, and say --yes to do it');
    expect(await places()).toEqual(before);
    await cluster.apply(budget(0));
    await cluster.until('the budget to hold', async () => {
      const { moves: none, notMoved } = await preview();
      return none.length === 0 && notMoved.some(({ reason }) => reason === 'BudgetAllowsNone');
    });
  });

  it('spreads the pods when told to, batch after batch, and then has nothing more to do', async () => {
    await cluster.apply(budget(1));
    await drifted();
    await cluster.until(
      'the budget to allow one',
      async () => (await preview()).moves.length === 2,
    );
    expect((await preview()).moves.map(({ batch }) => batch)).toEqual([1, 2]);
    const stdout = await cluster.must('rebalance', '--yes');
    expect(stdout).toMatch(/pod default\/web-\S+ on node-\d -> default\/web-\S+ on node-3\n/);
    expect(stdout).toContain('2 of 2 moved\n');
    await cluster.until('those that left to be gone', async () => {
      const all = await counts();
      return all.reduce((sum, each) => sum + each, 0) === COUNT;
    });
    expect(await counts()).toEqual([2, 2, 2]);
    // The scheduler hears of it in its own time.
    await cluster.until('nothing to move', async () => (await preview()).moves.length === 0);
    expect(await cluster.must('rebalance', '--yes')).toContain('no move is worth it');
  });

  it('stops at the first pod whose place is not taken in time', async () => {
    await drifted();
    // What is made anew finds no image: it is never ready.
    await cluster.must('rollout', 'pause', 'deploy/web');
    const set = (await cluster.must('get', 'rs', '-l', 'app=web', '-o', 'name')).trim();
    const image = { op: 'add', path: '/spec/template/spec/containers/0/image', value: NO_IMAGE };
    await cluster.must('patch', set, '--type=json', '-p', JSON.stringify([image]));
    const { code, stderr, stdout } = await cluster.dhow('rebalance', '--yes', '--timeout', '5s');
    expect(code).toBe(1);
    expect(stderr).toContain(
      'timed out waiting for the condition on what takes the place of pods/web-',
    );
    expect(stdout).not.toContain(' moved\n');
    const left = (await cluster.pods('-l', 'app=web')).filter(
      ({ metadata }) => !metadata.deletionTimestamp,
    );
    const ready = left.filter(({ spec }) => spec.containers[0]?.image !== NO_IMAGE);
    expect(ready.length).toBe(COUNT - 1);
  });
});
