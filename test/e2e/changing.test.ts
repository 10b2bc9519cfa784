import { sharedCluster } from './support/shared-cluster';
import { deploymentYaml } from './support/cluster';

jest.setTimeout(180_000);

const NAME = 'e2e-changing';

const cluster = sharedCluster(NAME, { nodes: 2 });

const SLEEP = ['sleep', '1000000'];

describe('dhow', () => {
  afterEach(() => cluster.clear());

  it('labels and annotates in the words of kubectl', async () => {
    await cluster.apply(deploymentYaml('web', 0, SLEEP));
    expect(await cluster.must('label', 'deploy', 'web', 'disk=ssd')).toBe(
      'deployment.apps/web labeled\n',
    );
    expect(await cluster.dhow('label', 'deploy', 'web', 'disk=hdd')).toEqual({
      code: 1,
      stdout: '',
      stderr: "error: 'disk' already has a value (ssd), and --overwrite is false\n",
    });
    const overwrite = ['label', 'deploy/web', 'disk=hdd', '--overwrite', '--dry-run'];
    expect(await cluster.must(...overwrite)).toBe('deployment.apps/web labeled (server dry run)\n');
    expect(await cluster.must('get', 'deploy', '-L', 'disk')).toMatch(/DISK\nweb .* ssd\n/);
    expect(await cluster.must('label', 'deploy', '-l', 'disk=ssd', 'disk-')).toBe(
      'deployment.apps/web unlabeled\n',
    );
    expect(await cluster.must('annotate', 'deploy', 'web', 'note=hello world')).toBe(
      'deployment.apps/web annotated\n',
    );
    const note = ['get', 'deploy', 'web', '-o', 'jsonpath={.metadata.annotations.note}'];
    expect(await cluster.must(...note)).toBe('hello world');
  });

  it('scales and patches, if things are as they were said to be', async () => {
    await cluster.apply(deploymentYaml('web', 1, SLEEP));
    const wrong = ['scale', 'deploy/web', '--current-replicas=9', '--replicas=4'];
    expect((await cluster.dhow(...wrong)).stderr).toBe('error: Expected replicas to be 9, was 1\n');
    const right = ['scale', 'deploy/web', '--current-replicas=1', '--replicas=2', '--timeout=30s'];
    expect(await cluster.must(...right)).toBe('deployment.apps/web scaled\n');
    const patch = ['patch', 'deploy', 'web', '-p', '{"spec":{"replicas":1}}'];
    expect(await cluster.must(...patch)).toBe('deployment.apps/web patched\n');
    expect(await cluster.must(...patch)).toBe('deployment.apps/web patched (no change)\n');
    const replicas = ['get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}'];
    expect(await cluster.must(...replicas)).toBe('1');
  });

  it('taints, cordons and drains a node', async () => {
    const node = 'node-1';
    expect(await cluster.must('taint', 'node', node, 'k=v:PreferNoSchedule')).toBe(
      'node/node-1 tainted\n',
    );
    expect((await cluster.dhow('taint', 'node', node, 'k=v:PreferNoSchedule')).stderr).toBe(
      'error: node node-1 already has k taint(s) with same effect(s) and --overwrite is false\n',
    );
    expect(await cluster.must('taint', 'node', node, 'k-')).toBe('node/node-1 untainted\n');
    // There is only one place for its pod, until it is to leave that.
    expect(await cluster.must('cordon', 'node-2')).toBe('node/node-2 cordoned\n');
    await cluster.apply(deploymentYaml('web', 1, SLEEP));
    await cluster.until('a pod on the node', async () =>
      (await cluster.pods()).some(({ spec }) => spec.nodeName === node),
    );
    await cluster.must('uncordon', 'node-2');
    const drained = await cluster.must('drain', node, '--timeout=60s');
    expect(drained).toMatch(
      /^node\/node-1 cordoned\nevicting pod default\/web-\S+\npod\/web-\S+ evicted\nnode\/node-1 drained\n$/,
    );
    expect((await cluster.pods()).map(({ spec }) => spec.nodeName)).not.toContain(node);
    expect(await cluster.must('uncordon', node)).toBe('node/node-1 uncordoned\n');
    expect(await cluster.must('uncordon', node)).toBe('node/node-1 already uncordoned\n');
  });
});
