import { clusterPaths } from '../../cli/cluster-paths';
import { deploymentYaml, podYaml, shell } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-cli', { nodes: 1 });

afterEach(() => cluster.clear());

const SLEEP = ['sleep', '1000000'];

it('shows the tree of what a deployment owns, and its scale as kubectl does', async () => {
  await cluster.apply(deploymentYaml('web', 1, SLEEP));
  await cluster.untilSaid(
    /^default +Deployment\/web .*\n.*└─ReplicaSet\/web-\w+ .*\n.* {2}└─Pod\/web-\w+-\w+ +True /m,
    () => cluster.dhow('tree', 'deploy/web'),
  );
  const scale = ['get', 'deploy', 'web', '--subresource=scale'];
  // Its version goes on with the status of the deployment.
  for (const format of ['name', 'yaml'])
    await cluster.untilSame(
      async () => (await cluster.kubectl(...scale, '-o', format)).stdout,
      () => cluster.must(...scale, '-o', format),
    );
  for (const tool of ['dhow', 'kubectl'] as const)
    await cluster.untilSaid(/^NAME +DESIRED +AVAILABLE +AGE\nweb +1 +1 /, () =>
      cluster[tool](...scale),
    );
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

it('completes command lines, and never bothers the shell with errors', async () => {
  await cluster.apply(podYaml('web-1', SLEEP));
  const bash = (words: string, config: string) =>
    shell(`export KUBECONFIG=${config}; source <(./dhow completion bash); COMP_WORDS=(./dhow ${words})
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _dhow; printf '%s\n' "\${COMPREPLY[@]}"`);
  const here = clusterPaths('e2e-cli').kubeconfig;
  expect((await bash('expla', here)).stdout).toBe('explain\n');
  expect((await bash("get ''", here)).stdout).toContain('\ndeployments\n');
  expect((await bash('get pod web', here)).stdout).toBe('web-1\n');
  expect((await bash('logs pod/we', here)).stdout).toBe('pod/web-1\n');
  expect((await bash("logs web-1 -c ''", here)).stdout).toBe('main\n');
  expect((await bash('get pods --output = ya', here)).stdout).toBe('yaml\n');
  expect((await bash('get -n kube-s', here)).stdout).toBe('kube-system\n');
  expect(await bash('get pod web', '/nonexistent')).toEqual({ code: 0, stdout: '\n', stderr: '' });
  expect((await cluster.dhow('completion', 'tcsh')).stderr).toBe(
    'error: Unsupported shell type "tcsh".\n',
  );
});

it('says what keeps a pod from running, in a column and at the end of a rollout', async () => {
  await cluster.apply(podYaml('big', SLEEP, { resources: { requests: { cpu: '5000' } } }));
  await cluster.until('a reason', async () =>
    (await cluster.must('get', 'pods', '--show-reason')).includes('Unschedulable: 0/1 nodes are'),
  );
  const [ours, theirs] = [await cluster.dhow('get', 'pods'), await cluster.kubectl('get', 'pods')];
  expect(ours.stdout.replace(/\d+s/, '')).toBe(theirs.stdout.replace(/\d+s/, ''));
  const crash = ['sh', '-c', 'echo one; echo no database; exit 3'];
  await cluster.apply(
    deploymentYaml('bad', 1, crash, { minReadySeconds: 4, progressDeadlineSeconds: 20 }),
  );
  // Its deadline might pass before a container has said anything.
  await cluster.until('a crash', async () => {
    const [pod] = await cluster.pods('-l', 'app=bad');
    return pod?.status.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff';
  });
  const { code, stderr } = await cluster.dhow('rollout', 'status', 'deploy/bad');
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /last lines of container main of pod\/bad-\S+:\n {2}one\n {2}no database\n/,
  );
  await cluster.must('set', 'resources', 'deploy/bad', '--requests=cpu=5000');
  const pending = await cluster.dhow('rollout', 'status', 'deploy/bad');
  expect(pending.stderr).toMatch(/default\/bad-\S+ waits: [^]*cpu: 5k needed/);
});
