import { sharedCluster } from './support/shared-cluster';
import { deploymentYaml, podYaml } from './support/cluster';

jest.setTimeout(180_000);

const NAME = 'e2e-rollout';

const cluster = sharedCluster(NAME, { nodes: 2 });

const SLEEP = ['sleep', '1000000'];

describe('dhow', () => {
  afterEach(() => cluster.clear());

  it('follows rollouts, pauses them and takes them back', async () => {
    await cluster.apply(deploymentYaml('web', 2, SLEEP));
    expect(await cluster.must('rollout', 'status', 'deploy/web', '--timeout=60s')).toMatch(
      /deployment "web" successfully rolled out\n$/,
    );
    expect(await cluster.must('rollout', 'restart', 'deploy/web')).toBe(
      'deployment.apps/web restarted\n',
    );
    await cluster.must('rollout', 'status', 'deploy/web', '--timeout=60s');
    expect(await cluster.must('rollout', 'history', 'deploy/web')).toBe(
      'deployment.apps/web \nREVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n\n',
    );
    expect(await cluster.must('rollout', 'undo', 'deploy/web')).toBe(
      'deployment.apps/web rolled back\n',
    );
    expect((await cluster.dhow('rollout', 'undo', 'deploy/web', '--to-revision=9')).stderr).toBe(
      'error: unable to find specified revision 9 in history\n',
    );
    expect(await cluster.must('rollout', 'pause', 'deploy/web')).toBe(
      'deployment.apps/web paused\n',
    );
    expect((await cluster.dhow('rollout', 'restart', 'deploy/web')).stderr).toBe(
      `error: deployments.apps "web" can't restart paused deployment (run rollout resume first)\n`,
    );
    expect(await cluster.must('rollout', 'resume', 'deploy/web')).toBe(
      'deployment.apps/web resumed\n',
    );
  });

  it('ends a rollout that fails with the last words of the container', async () => {
    const crash = ['sh', '-c', 'echo no database; exit 3'];
    await cluster.apply(deploymentYaml('web', 1, crash));
    await cluster.until('a crash', async () => {
      const [pod] = await cluster.pods();
      return pod?.status.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff';
    });
    const { code, stderr } = await cluster.dhow('rollout', 'status', 'deploy/web', '--timeout=1s');
    expect(code).toBe(1);
    expect(stderr).toContain('last line: no database');
    expect(stderr).toMatch(/error: timed out waiting for the condition\n$/);
  });

  it('waits for conditions, fields, what is not there yet and what goes', async () => {
    const early = cluster.dhow('wait', '--for=condition=Ready', 'pod/late', '--timeout=60s');
    await cluster.apply(podYaml('late', SLEEP));
    expect(await early).toEqual({ code: 0, stdout: 'pod/late condition met\n', stderr: '' });
    const phase = '--for=jsonpath={.status.phase}=Running';
    expect(await cluster.must('wait', phase, 'pod', '-l', 'app=late')).toBe(
      'pod/late condition met\n',
    );
    const gone = cluster.dhow('wait', '--for=delete', 'pod/late', '--timeout=60s');
    await cluster.must('delete', 'pod', 'late', '--no-wait');
    expect((await gone).stdout).toBe('pod/late condition met\n');
    const none = await cluster.dhow('wait', '--for=condition=Ready', 'pod', '-l', 'app=none');
    expect(none.stderr).toBe('error: no matching resources found\n');
  });

  it('waits no longer for a pod that crashes again and again', async () => {
    await cluster.apply(podYaml('crash', ['sh', '-c', 'echo no database; exit 3']));
    const { code, stderr } = await cluster.dhow(
      'wait',
      '--for=condition=Ready',
      'pod/crash',
      '--timeout=80s',
    );
    expect(code).toBe(1);
    expect(stderr).toContain('pod/crash does not become Ready: its container ends again and again');
    expect(stderr).toContain('last line: no database');
  });
});
