import type { PlacementPlan } from '../../api/placement-plans';
import { deploymentYaml, podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-plan');

const SLEEP = ['sleep', '1000000'];
const HOSTNAME = 'kubernetes.io/hostname';

/** A Deployment whose pods ask for this much, with this in their spec. */
const app = (name: string, replicas: number, cpu: string, podSpec: object = {}): string => {
  const deployment = JSON.parse(deploymentYaml(name, replicas, SLEEP)) as {
    spec: { template: { spec: { containers: { resources?: object }[] } } };
  };
  const { spec } = deployment.spec.template;
  Object.assign(spec, podSpec);
  spec.containers[0]!.resources = { requests: { cpu } };
  return JSON.stringify(deployment);
};

const planned = async (input: string, ...args: string[]): Promise<PlacementPlan['status']> => {
  const { stdout } = await cluster.dhowWith(input, 'plan', ...args, '-o', 'json');
  return (JSON.parse(stdout) as PlacementPlan).status;
};

describe('dhow plan', () => {
  afterEach(async () => {
    await cluster.must('uncordon', 'node-1');
    await cluster.clear();
    await cluster.must('delete', 'priorityclass', 'urgent', '--ignore-not-found');
  });

  it('tells beforehand where the pods of each kind go, and writes nothing', async () => {
    const apart = {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: HOSTNAME, labelSelector: { matchLabels: { app: 'web' } } },
          ],
        },
      },
    };
    const web = app('web', 4, '10m', apart);
    const { code, stdout } = await cluster.dhowWith(web, 'plan', '-f', '-');
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^# +POD +OF +FROM +TO +FIT +WHY\n1 +default\/web-1 +Deployment\/web +- +node-\d +3\/3 /,
    );
    expect(stdout).toContain("waits: 3 node(s) didn't match pod anti-affinity rules");
    expect(stdout).toContain('3 of 4 pods would be placed, 1 would wait\n');
    expect(await cluster.pods()).toEqual([]);
    expect(await cluster.object('deploy', 'web')).toBeUndefined();
    expect(await cluster.must('decisions')).not.toContain('web');
    // What was foretold comes true.
    const foretold = (await planned(web, '-f', '-')).placements.map(
      ({ nodeName = '' }) => nodeName,
    );
    await cluster.apply(web);
    const nodes = await cluster.until('three placed', async () => {
      const names = (await cluster.pods('-l', 'app=web')).map(({ spec }) => spec.nodeName ?? '');
      return names.filter((name) => name !== '').length === 3 && names;
    });
    expect(nodes.sort()).toEqual(foretold.sort());
    // Of what is there already only what is missing is planned; of another template, all.
    const { placements } = await planned(app('web', 6, '10m', apart), '-f', '-');
    expect(placements.map(({ outcome }) => outcome)).toEqual(['Unschedulable', 'Unschedulable']);
    const anew = await planned(app('web', 3, '20m', apart), '-f', '-');
    expect(anew).toMatchObject({ replaced: 3 });
    expect(anew.placements.map(({ outcome }) => outcome)).toEqual(Array(3).fill('Scheduled'));
    const daemon = JSON.parse(app('agent', 1, '1m')) as {
      kind: string;
      spec: { replicas?: number };
    };
    daemon.kind = 'DaemonSet';
    delete daemon.spec.replicas;
    const daemons = await planned(
      JSON.stringify(daemon),
      '-f',
      '-',
      '--add-node',
      'cpu=1,memory=1Gi',
    );
    const own = daemons.placements.filter(({ cause }) => cause === 'Planned');
    expect(own.map(({ pod, nodeName }) => [pod, nodeName])).toEqual([
      ...['node-1', 'node-2', 'node-3', 'new'].map((node) => [`default/agent-${node}`, node]),
    ]);
  });

  it('plays a drain and the loss of a node, and then the drain does what it said', async () => {
    const there = (node: string) => ({ nodeSelector: { [HOSTNAME]: node } });
    await cluster.apply(app('moves', 2, '10m'));
    await cluster.apply(app('stays', 1, '10m', there('node-1')));
    await cluster.apply(podYaml('bare', SLEEP, {}, there('node-1')));
    await cluster.podIsReady('bare');
    await cluster.must('rollout', 'status', 'deploy/moves');
    await cluster.must('rollout', 'status', 'deploy/stays');
    const { placements, nodes } = await planned('', '--drain', 'node-1');
    const of = (name: string) => placements.find(({ pod }) => pod.startsWith(`default/${name}`));
    expect(of('stays')).toMatchObject({ cause: 'Moved', from: 'node-1', outcome: 'Unschedulable' });
    expect(of('bare')).toMatchObject({ outcome: 'Lost', message: 'no controller makes it anew' });
    expect(nodes.find(({ node }) => node === 'node-1')).toMatchObject({ change: 'Drained' });
    const moved = placements.filter(({ owner }) => owner?.startsWith('ReplicaSet/moves') === true);
    for (const each of moved) expect(each.nodeName).toMatch(/node-[23]/);
    const without = await cluster.dhow('plan', '--without', 'node-1');
    expect(without.stdout).toMatch(/\nnode-1 +removed +\d+ -> 0 of /);
    expect(without.code).toBe(1);
    expect((await cluster.dhow('plan', '--drain', 'node-9')).stderr).toContain(
      '"node-9" not found',
    );
    await cluster.must('drain', 'node-1', '--force', '--ignore-daemonsets');
    await cluster.until('as it was said', async () => {
      const pods = await cluster.pods();
      const waits = pods.some(
        ({ metadata, spec }) => metadata.name.startsWith('stays') && spec.nodeName === undefined,
      );
      return waits && pods.every(({ spec }) => spec.nodeName !== 'node-1');
    });
    expect(await cluster.pod('bare')).toBeUndefined();
  });

  it('says what a new node would let in, how many more fit, and who would go for whom', async () => {
    await cluster.apply(app('huge', 2, '500'));
    await cluster.until('the wait', async () =>
      (await cluster.must('why', 'deploy/huge')).includes('Insufficient cpu'),
    );
    const node = 'cpu=600,memory=8Gi,labels=a=b';
    const { placements } = await planned('', '--add-node', node);
    expect(placements.map(({ cause, nodeName }) => [cause, nodeName])).toEqual([
      ['Waiting', 'new'],
      ['Waiting', undefined],
    ]);
    const more = await cluster.dhow(
      'plan',
      '--more',
      'deploy/huge',
      '--add-node',
      `${node},count=3`,
    );
    expect(more.code).toBe(0);
    expect(more.stdout).toMatch(
      /room for 1 more pod of Deployment\/huge; then: .*6 Insufficient cpu/,
    );
    await cluster.must('delete', 'deploy', 'huge');
    await cluster.must('create', 'priorityclass', 'urgent', '--value', '1000');
    const port = { ports: [{ containerPort: 80, hostPort: 7778 }] };
    const there = { nodeSelector: { [HOSTNAME]: 'node-2' } };
    await cluster.apply(podYaml('holder', SLEEP, port, there));
    const { metadata } = await cluster.podIsReady('holder');
    const urgent = podYaml('urgent', SLEEP, port, { ...there, priorityClassName: 'urgent' });
    const { stdout } = await cluster.dhowWith(urgent, 'plan', '-f', '-');
    expect(stdout).toMatch(/default\/urgent .* node-2 .* evicts default\/holder\n/);
    expect(stdout).toMatch(/default\/holder .* lost: no controller makes it anew\n/);
    expect((await cluster.pod('holder'))?.metadata.uid).toBe(metadata.uid);
  });

  it('is asked through kubectl as well, and tells what it does not take', async () => {
    const { stdout } = await cluster.kubectlWith(
      JSON.stringify({
        spec: { addNodes: [{ name: 'n', allocatable: { cpu: '1', memory: '1Gi' } }] },
      }),
      ...['create', '--raw', '/apis/scheduling.dhow.dev/v1/placementplans', '-f', '-'],
    );
    const { status } = JSON.parse(stdout) as PlacementPlan;
    expect(status.nodes).toMatchObject([{ node: 'n', change: 'Added' }]);
    const nothing = await cluster.dhow('plan');
    expect(nothing.stderr).toContain('what is to be planned?');
    const bad = await cluster.dhow('plan', '--add-node', 'cpu=1');
    expect(bad.stderr).toContain('--add-node cpu=1: cpu and memory are needed');
  });
});
