import { deploymentYaml, podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-cli', { nodes: 1 });

afterEach(() => cluster.clear());

const SLEEP = ['sleep', '1000000'];

it('shows the tree of what a deployment owns, and its scale as kubectl does', async () => {
  await cluster.apply(deploymentYaml('web', 1, SLEEP));
  const drawn = await cluster.until('a ready tree', async () => {
    const text = await cluster.must('tree', 'deploy/web');
    return text.includes('True') ? text : undefined;
  });
  expect(drawn).toMatch(
    /^default +Deployment\/web .*\n.*└─ReplicaSet\/web-\w+ .*\n.* {2}└─Pod\/web-\w+-\w+ +True /m,
  );
  const scale = ['get', 'deploy', 'web', '--subresource=scale'];
  for (const format of ['name', 'yaml']) {
    const { stdout } = await cluster.kubectl(...scale, '-o', format);
    expect(await cluster.must(...scale, '-o', format)).toBe(stdout);
  }
  expect(await cluster.must(...scale)).toMatch(/^NAME +DESIRED +AVAILABLE +AGE\nweb +1 +1 /);
  const bulk = ['get', 'pods', '--subresource=status'];
  expect(await cluster.dhow(...bulk)).toEqual(await cluster.kubectl(...bulk));
});

it('takes flags as kubectl does', async () => {
  await cluster.apply(podYaml('web', SLEEP));
  const get = ['get', 'pod', 'web', '--show-kind=true', '-o=name', '-n=default'];
  expect(await cluster.must(...get)).toBe('pod/web\n');
  const bad = ['get', 'pods', '--show-kind=maybe'];
  const [ours, theirs] = [await cluster.dhow(...bad), await cluster.kubectl(...bad)];
  expect(theirs.stderr).toContain(ours.stderr.trim());
  expect(ours.code).toBe(theirs.code);
});
