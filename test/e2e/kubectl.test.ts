import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { sharedCluster } from './support/shared-cluster';
import { deploymentYaml, isReady, podYaml } from './support/cluster';

jest.setTimeout(180_000);

const NAME = 'e2e-kubectl';

const cluster = sharedCluster(NAME);

const SLEEP = ['sleep', '1000000'];

describe('kubectl', () => {
  afterEach(() => cluster.clear());

  const must = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cluster.kubectl(...args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };

  it('rolls a deployment out, scales it, undoes it and deletes it', async () => {
    await cluster.apply(deploymentYaml('app', 3, ['sh', '-c', 'echo v1; exec sleep 1000000']));
    expect(await must('rollout', 'status', 'deploy/app', '--timeout=60s')).toContain(
      'successfully rolled out',
    );
    expect(await must('get', 'deploy', 'app', '-o', 'wide')).toMatch(/app +3\/3 +3 +3/);
    await must('scale', 'deploy/app', '--replicas=4');
    await must('rollout', 'status', 'deploy/app', '--timeout=60s');
    await must('set', 'env', 'deploy/app', 'VERSION=2');
    expect(await must('rollout', 'status', 'deploy/app', '--timeout=90s')).toContain(
      'successfully rolled out',
    );
    expect((await must('rollout', 'history', 'deploy/app')).trim().split('\n')).toHaveLength(4);
    await must('rollout', 'undo', 'deploy/app');
    await must('rollout', 'status', 'deploy/app', '--timeout=90s');
    const deployment = JSON.parse(await must('get', 'deploy', 'app', '-o', 'json'));
    expect(deployment.spec.template.spec.containers[0].env).toBeUndefined();
    expect(deployment.metadata.annotations['deployment.kubernetes.io/revision']).toBe('3');
    await cluster.until('four ready pods', async () => {
      const pods = await cluster.pods('-l', 'app=app');
      return pods.length === 4 && pods.every(isReady);
    });
    await cluster.untilSaid(/ScalingReplicaSet/, () =>
      cluster.kubectl('describe', 'deploy', 'app'),
    );
    await cluster.untilSaid('v1\n', () => cluster.kubectl('logs', 'deploy/app'));
    expect(await must('exec', 'deploy/app', '--', 'echo', 'hi')).toBe('hi\n');
    await must('delete', 'deploy', 'app', '--timeout=60s');
    await cluster.until('no pods', async () => (await cluster.pods()).length === 0);
  });

  it('creates and deletes a namespace with all that is in it', async () => {
    await must('create', 'namespace', 'team');
    await must('-n', 'team', 'create', 'configmap', 'settings', '--from-literal=a=b');
    await must(
      '-n',
      'team',
      'create',
      'deployment',
      'app',
      '--image=dhow.local/busybox:1',
      '--',
      'sleep',
      '1000000',
    );
    await cluster.until('its pod', async () => (await cluster.pods('-n', 'team')).some(isReady));
    await must('delete', 'namespace', 'team', '--timeout=90s');
    expect(await cluster.object('namespace', 'team')).toBeUndefined();
  });

  it('finds nothing to change in what dhow applied, nor dhow in what it applied', async () => {
    const command = ['sh', '-c', 'test 1 -lt 2 && exec sleep 1000000 > /dev/null'];
    const manifest = join(mkdtempSync(join(tmpdir(), 'dhow-e2e-')), 'pod.json');
    writeFileSync(manifest, podYaml('shared', command));
    await cluster.must('apply', '-f', manifest);
    expect(await must('apply', '-f', manifest)).toBe('pod/shared unchanged\n');
    expect(await must('diff', '-f', manifest)).toBe('');
    expect(await cluster.must('apply', '-f', manifest)).toBe('pod/shared unchanged\n');
    expect(await cluster.must('apply', '-f', manifest, '--dry-run')).toBe(
      'pod/shared unchanged (server dry run)\n',
    );
    await cluster.must('delete', '-f', manifest);
    rmSync(dirname(manifest), { recursive: true });
  });

  it('debugs a running pod with a container that sees its processes', async () => {
    await cluster.apply(podYaml('watched', SLEEP));
    const { status } = await cluster.podIsReady('watched');
    const image = '--image=dhow.local/busybox:1';
    const look = ['cat /proc/1/cmdline; echo; exec sleep 2000000'];
    const target = ['pod/watched', image, '-c', 'look', '--target=main'];
    await must('debug', ...target, '--profile=general', '--', 'sh', '-c', ...look);
    const logs = () => cluster.kubectl('logs', 'watched', '-c', 'look');
    await cluster.until('what it saw', async () => (await logs()).stdout.includes('1000000'));
    expect(await must('exec', 'watched', '-c', 'look', '--', 'hostname', '-i')).toBe(
      `${status.podIP}\n`,
    );
    await cluster.untilSaid(/Ephemeral Containers:\n +look:\n/, () =>
      cluster.kubectl('describe', 'pod', 'watched'),
    );
    const list = '{"spec":{"ephemeralContainers":null}}';
    const taken = ['patch', 'pod', 'watched', '--subresource=ephemeralcontainers', '-p', list];
    expect((await cluster.kubectl(...taken)).stderr).toMatch(
      /existing ephemeral containers "look" may not be removed/,
    );
    expect(await must('delete', 'pod', 'watched')).toContain('deleted');
  });

  it("reads the scheduler's decisions like any other kind", async () => {
    await cluster.apply(podYaml('placed', SLEEP));
    await cluster.podIsReady('placed');
    expect(await must('get', 'schedulingdecisions')).toContain('placed');
    expect(
      await must('get', 'podexplanation', 'placed', '-o', 'jsonpath={.status.nodes[*].node}'),
    ).toContain('node-1');
    await must('delete', 'pod', 'placed');
  });
});
