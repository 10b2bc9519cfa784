import { sharedCluster } from './support/shared-cluster';
import { deploymentYaml, podYaml } from './support/cluster';

jest.setTimeout(180_000);

const NAME = 'e2e-why';

const cluster = sharedCluster(NAME);

const SLEEP = ['sleep', '1000000'];

describe('dhow why', () => {
  afterEach(() => cluster.clear());

  it('tells of a pod that was placed and does not run what is wrong and what was said last', async () => {
    const crash = ['sh', '-c', 'echo first; echo "no settings: giving up" >&2; exit 3'];
    await cluster.apply(podYaml('crash', crash));
    await cluster.apply(podYaml('image', SLEEP, { image: 'dhow.local/nothing:9' }));
    const envFrom = [{ configMapRef: { name: 'nowhere' } }];
    await cluster.apply(podYaml('config', SLEEP, { envFrom }));
    const why = async (pod: string, reason: RegExp) =>
      cluster.until(`${pod} in trouble`, async () => {
        const text = await cluster.must('why', pod);
        return reason.test(text) ? text : undefined;
      });
    // Events are written a moment after the status that they explain.
    const image = await why(
      'image',
      /container main: (ErrImagePull|ImagePullBackOff) since 20[^]*last event: (Failed|BackOff)/,
    );
    expect(image).toMatch(/default\/image is on node-\d, and does not run well there\n/);
    expect(image).toContain('next: correct the image');
    const config = await why('config', /container main: CreateContainerConfigError since 20/);
    expect(config).toContain('configmap "nowhere" not found');
    const loop = await why(
      'crash',
      /container main: CrashLoopBackOff since 20[^]*last event: BackOff/,
    );
    expect(loop).toMatch(/last ended: Error, exit code 3, at 20/);
    expect(loop).toContain('last line: no settings: giving up\n');
    expect(loop).toContain('next: read its log: dhow logs crash -c main --previous');
    const { status } = JSON.parse(await cluster.must('why', 'crash', '-o', 'json')) as {
      status: { troubles: object[] };
    };
    expect(status.troubles).toMatchObject([
      { container: 'main', lastLine: 'no settings: giving up', lastEnd: { exitCode: 3 } },
    ]);
  });

  it('sums up a workload by what keeps its pods from running', async () => {
    await cluster.apply(deploymentYaml('loop', 3, ['sh', '-c', 'echo "last words"; exit 3']));
    const text = await cluster.until('the loop', async () => {
      const found = await cluster.must('why', 'deploy/loop');
      return /\n +3 +container main: CrashLoopBackOff/.test(found) ? found : undefined;
    });
    expect(text).toMatch(/^default\/loop: 0 of 3 pods ready\n/);
    expect(text).toContain('last line: last words\n');
    const [set] = (await cluster.must('get', 'rs', '-o', 'name')).trim().split('\n');
    expect(await cluster.must('why', set!)).toContain('of 3 pods ready');
    await cluster.apply(
      deploymentYaml('nobody', 1, SLEEP, {}).replace(
        '"containers"',
        '"serviceAccountName":"nobody","containers"',
      ),
    );
    await cluster.until('the failure', async () =>
      /ReplicaFailure: FailedCreate since .*nobody/s.test(
        await cluster.must('why', 'deploy', 'nobody'),
      ),
    );
  });
});

describe('dhow timeline', () => {
  afterEach(() => cluster.clear());

  it('tells step by step what happened to a pod that restarts', async () => {
    await cluster.apply(podYaml('again', ['sh', '-c', 'exit 3']));
    const { status } = await cluster.until('a restart in the timeline', async () => {
      const text = await cluster.must('timeline', 'pod/again', '-o', 'json');
      return /"restart 1"[^]*"BackOff"|"BackOff"[^]*"restart 1"/.test(text)
        ? (JSON.parse(text) as { status: { entries: { step: string; message: string }[] } })
        : undefined;
    });
    const [created, scheduled, ...others] = status.entries;
    expect(created).toMatchObject({ step: 'Created', message: 'by dhow-apply' });
    expect(scheduled).toMatchObject({
      step: 'Scheduled',
      message: expect.stringMatching(/^to node-\d: 3 of 3 nodes fit/) as string,
    });
    const ended = { step: 'Ended', container: 'main' };
    expect(others).toContainEqual(expect.objectContaining(ended));
    expect(others.find(({ step }) => step === 'Ended')?.message).toMatch(/^exit code 3 after \d+s/);
    expect(await cluster.must('timeline', 'again')).toMatch(
      /^AT +TOOK +STEP +CONTAINER +WHY\n\+0s +Created +by dhow-apply\n\+\d/,
    );
  });
});

describe('dhow apply --dry-run', () => {
  it.each(['server', 'client'])('says whether it would fit: %s', async (mode) => {
    const dry = async (manifest: string) => {
      const { code, stdout } = await cluster.dhowWith(
        manifest,
        'apply',
        '-f',
        '-',
        '--dry-run',
        mode,
      );
      expect(code).toBe(0);
      return stdout;
    };
    const selector = { nodeSelector: { 'kubernetes.io/hostname': 'node-2' } };
    expect(await dry(podYaml('one', SLEEP, {}, selector))).toMatch(
      /^pod\/one created \(.*dry run\)\n {2}would fit on 1 of 3 nodes: 2 node\(s\) didn't match/,
    );
    const huge = deploymentYaml('huge', 3, SLEEP).replace(
      '"command"',
      '"resources":{"requests":{"cpu":"1000"}},"command"',
    );
    expect(await dry(huge)).toMatch(
      /would fit on none of 3 nodes: 3 Insufficient cpu; would help: lower the cpu request/,
    );
    expect(await cluster.pods()).toEqual([]);
    expect(await cluster.must('decisions')).not.toContain('huge');
  });
});
