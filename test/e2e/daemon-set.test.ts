import { controllerOf } from '../../api/owners';
import type { Pod } from '../../api/types';
import { deploymentYaml, isReady, podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(300_000);

const NAME = 'e2e-daemon';

const cluster = sharedCluster(NAME, { nodes: 3 });

const SLEEP = ['sleep', '1000000'];

const daemonSetYaml = (name: string, more: object = {}, podSpec: object = {}): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { ...(JSON.parse(podYaml(name, SLEEP)) as Pod).spec, ...podSpec },
      },
      ...more,
    },
  });

const daemons = async () =>
  (await cluster.pods()).filter((pod) => controllerOf(pod)?.kind === 'DaemonSet');

const places = async () =>
  (await daemons())
    .filter(isReady)
    .map(({ spec }) => spec.nodeName ?? '')
    .sort();

const runsOn = (...nodes: readonly string[]) =>
  cluster.until(
    `daemons on ${nodes.join(' ')}`,
    async () =>
      (await places()).join(' ') === nodes.join(' ') && (await daemons()).length === nodes.length,
    120_000,
  );

const ok = async (result: Promise<{ code: number; stdout: string; stderr: string }>) => {
  const { code, stdout, stderr } = await result;
  if (code !== 0) throw new Error(`${code}\n${stdout}${stderr}`);
  return stdout;
};

const ALL = ['node-1', 'node-2', 'node-3'];

afterEach(async () => {
  await cluster.must('uncordon', ...ALL);
  await cluster.clear();
});

describe('a DaemonSet', () => {
  it('runs on every node, is updated, and taken back, by kubectl and by dhow', async () => {
    await cluster.apply(daemonSetYaml('agent'));
    expect(await ok(cluster.kubectl('rollout', 'status', 'ds/agent', '--timeout=60s'))).toMatch(
      /daemon set "agent" successfully rolled out\n$/,
    );
    expect(await places()).toEqual(ALL);
    expect(await ok(cluster.kubectl('get', 'ds', 'agent'))).toMatch(
      /\nagent +3 +3 +3 +3 +3 +<none> +\S+\n$/,
    );
    await cluster.must('set', 'env', 'ds/agent', 'STEP=2');
    expect(await cluster.must('rollout', 'status', 'ds/agent', '--timeout=120s')).toMatch(
      /daemon set "agent" successfully rolled out\n$/,
    );
    const history =
      'daemonset.apps/agent \nREVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n\n';
    expect(await cluster.must('rollout', 'history', 'ds/agent')).toBe(history);
    expect(await ok(cluster.kubectl('rollout', 'history', 'ds/agent'))).toBe(history);
    const one = ['rollout', 'history', 'ds/agent', '--revision=2'];
    expect(await cluster.must(...one)).toBe(await ok(cluster.kubectl(...one)));
    expect(await ok(cluster.kubectl('rollout', 'undo', 'ds/agent'))).toBe(
      'daemonset.apps/agent rolled back\n',
    );
    await cluster.must('rollout', 'status', 'ds/agent', '--timeout=120s');
    const [pod] = await daemons();
    expect(pod?.spec.containers[0]?.env).toBeUndefined();
    expect(await cluster.must('rollout', 'undo', 'ds/agent')).toBe(
      'daemonset.apps/agent rolled back\n',
    );
    expect((await cluster.dhow('rollout', 'undo', 'ds/agent', '--to-revision=9')).stderr).toBe(
      'error: unable to find specified revision 9 in history\n',
    );
    await cluster.must('rollout', 'status', 'ds/agent', '--timeout=120s');
    expect(await cluster.must('rollout', 'restart', 'ds/agent')).toBe(
      'daemonset.apps/agent restarted\n',
    );
    await cluster.must('rollout', 'status', 'ds/agent', '--timeout=120s');
    expect(await places()).toEqual(ALL);
  });

  it('says by `why` what keeps a daemon from its node', async () => {
    await cluster.apply(daemonSetYaml('agent', {}, { nodeSelector: { disk: 'ssd' } }));
    await cluster.must('label', 'node', 'node-2', 'disk=ssd');
    await runsOn('node-2');
    const [placed] = await daemons();
    expect(await cluster.must('why', placed!.metadata.name)).toContain('node-2');
    await cluster.must('label', 'node', 'node-2', 'disk-');
    await runsOn();
    const large = { resources: { requests: { cpu: '900' } } };
    const { containers } = (JSON.parse(podYaml('x', SLEEP, large)) as Pod).spec;
    await cluster.apply(daemonSetYaml('large', {}, { containers }));
    const text = await cluster.until('a daemon that waits', async () => {
      const [pod] = (await daemons()).filter(
        ({ metadata }) => metadata.labels?.['app'] === 'large',
      );
      if (pod === undefined) return undefined;
      const { code, stdout } = await cluster.dhow('why', pod.metadata.name);
      return code === 0 && stdout.includes('none of 3 nodes fits') ? stdout : undefined;
    });
    expect(text).toMatch(/node-\d +cpu: 900 needed/);
    expect(text).toContain('required affinity is not met: metadata.name In [node-');
    expect(await cluster.must('why', 'ds/large')).toMatch(/default\/large: 0 of 3 pods ready\n/);
  });

  it('goes with a node that goes, and comes to one that comes', async () => {
    await cluster.apply(daemonSetYaml('agent'));
    await runsOn(...ALL);
    cluster.killNode('node-3');
    await cluster.must('delete', 'node', 'node-3');
    await runsOn('node-1', 'node-2');
    const { status } = (await cluster.object('ds', 'agent')) as unknown as { status: object };
    expect(status).toMatchObject({ desiredNumberScheduled: 2, numberReady: 2 });
    await cluster.up();
    await runsOn(...ALL);
  });
});

describe('a drain', () => {
  const drainOf = (node: string) => ['drain', node, '--ignore-daemonsets', '--timeout=150s'];

  const readyCount = async () =>
    (await cluster.pods('-l', 'app=web')).filter(
      (pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined,
    ).length;

  /** So many pods, all on these nodes, of which all but one must serve. */
  const serveFrom = async (replicas: number, others: readonly string[]) => {
    const probe = { exec: { command: ['true'] }, initialDelaySeconds: 2, periodSeconds: 1 };
    const template = (JSON.parse(podYaml('web', SLEEP, { readinessProbe: probe })) as Pod).spec;
    const spec = { metadata: { labels: { app: 'web' } }, spec: template };
    await cluster.must('cordon', ...others);
    await cluster.apply(deploymentYaml('web', replicas, SLEEP, { template: spec }));
    await cluster.must('rollout', 'status', 'deploy/web', '--timeout=60s');
    await cluster.must('uncordon', ...others);
    const budget = ['--selector=app=web', `--min-available=${replicas - 1}`];
    await ok(cluster.kubectl('create', 'pdb', 'web', ...budget));
    await cluster.until('one disruption allowed', async () =>
      (await cluster.must('get', 'pdb', 'web')).includes(' 1 '),
    );
  };

  /** The fewest that served at any time until it was done. */
  const fewestDuring = async (work: Promise<unknown>): Promise<number> => {
    let isDone = false;
    const ended = work.finally(() => (isDone = true));
    const counts: number[] = [];
    while (!isDone) counts.push(await readyCount());
    await ended;
    return Math.min(...counts);
  };

  const WAITS =
    /error when evicting pods\/"web-\S+" -n "default" \(will retry after 5s\): Cannot evict pod as it would violate the pod's disruption budget\.\n/;

  it.each([
    ['kubectl', () => cluster.kubectl(...drainOf('node-1'))],
    ['dhow', () => cluster.dhow(...drainOf('node-1'))],
  ])('of %s waits for the budget, which is never broken', async (_by, drain) => {
    await serveFrom(3, ['node-2', 'node-3']);
    const drained = drain();
    expect(await fewestDuring(drained)).toBeGreaterThanOrEqual(2);
    const { code, stdout, stderr } = await drained;
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(WAITS) });
    expect(stdout.match(/pod\/web-\S+ evicted\n/g)).toHaveLength(3);
    expect(stdout).toMatch(/node\/node-1 drained\n$/);
    expect((await cluster.pods()).map(({ spec }) => spec.nodeName)).not.toContain('node-1');
  });

  it('of two nodes at once takes one pod after the other', async () => {
    await serveFrom(4, ['node-3']);
    const drains = Promise.all([
      ok(cluster.kubectl(...drainOf('node-1'))),
      ok(cluster.dhow(...drainOf('node-2'))),
    ]);
    expect(await fewestDuring(drains)).toBeGreaterThanOrEqual(3);
    const nodes = (await cluster.pods()).map(({ spec }) => spec.nodeName);
    expect(new Set(nodes)).toEqual(new Set(['node-3']));
  });
});
