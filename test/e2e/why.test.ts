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

it('sums up what pods of a workload wait for, each with its own reason, and how far a job is', async () => {
  const huge = { requests: { cpu: '1000' } };
  const main = { name: 'main', image: 'dhow.local/busybox:1', command: SLEEP };
  const spec = {
    ...{ parallelism: 2, completions: 3 },
    template: { spec: { restartPolicy: 'Never', containers: [{ ...main, resources: huge }] } },
  };
  const job = (name: string, own: object) =>
    JSON.stringify({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, spec: own });
  await cluster.apply(job('wide', spec));
  await cluster.untilSaid(
    /^default\/wide: 0 of 3 pods succeeded\n {2}1 pod not made yet\n[^]*\n +2 +Unschedulable/,
    () => cluster.dhow('why', 'job/wide'),
  );
  await cluster.untilSaid(/Insufficient cpu/, () => cluster.dhow('why', 'job/wide'));
  await cluster.must('create', 'job', 'short', '--image=dhow.local/busybox:1', '--', 'true');
  await cluster.must('wait', 'job/short', '--for=condition=complete', '--timeout=60s');
  await cluster.untilSaid(/^default\/short: 1 of 1 pod succeeded\n/, () =>
    cluster.dhow('why', 'job/short'),
  );
  await cluster.clear();
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

describe('rules about other pods', () => {
  afterEach(async () => {
    await cluster.clear();
    await cluster.must('delete', 'priorityclass', 'urgent', '--ignore-not-found');
  });

  /** Three or more of an app, with this in the spec of its pods. */
  const appOf = (name: string, replicas: number, podSpec: object): string => {
    const app = JSON.parse(deploymentYaml(name, replicas, SLEEP)) as {
      spec: { template: { spec: object } };
    };
    Object.assign(app.spec.template.spec, podSpec);
    return JSON.stringify(app);
  };
  const nodesOf = async (app: string) =>
    (await cluster.pods('-l', `app=${app}`)).map(({ spec }) => spec.nodeName ?? '').sort();
  const HOSTNAME = 'kubernetes.io/hostname';

  it('spread pods over the nodes, and keep apart those that shun each other, and say who is in the way', async () => {
    const term = (app: string) => ({
      topologyKey: HOSTNAME,
      labelSelector: { matchLabels: { app } },
    });
    const spread = { ...term('even'), maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' };
    await cluster.apply(appOf('even', 3, { topologySpreadConstraints: [spread] }));
    const podAntiAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [term('apart')] };
    await cluster.apply(appOf('apart', 4, { affinity: { podAntiAffinity } }));
    const each = ['node-1', 'node-2', 'node-3'];
    await cluster.until('all placed', async () => {
      const [even, apart] = [await nodesOf('even'), await nodesOf('apart')];
      return even.join() === each.join() && apart.join() === ['', ...each].join();
    });
    const workload = await cluster.must('why', 'deploy/apart');
    expect(workload).toMatch(
      /\n {2}PODS +NODE +FIT +WHY\n {2}1 +- +0\/3 +3 node\(s\) didn't match pod anti-/,
    );
    expect(workload).toMatch(/\n {2}1 +node-2 +\d\/3 +\S/);
    const pending = (await cluster.pods('-l', 'app=apart')).find(({ spec }) => !spec.nodeName);
    // Those that were placed after it may have it tried once more soon: until then, that is told.
    const why = await cluster.until('it waits for a change', async () => {
      const text = await cluster.must('why', pending!.metadata.name);
      const waits = /tried again after a new node, or .*\n +at the latest at 20/.test(text);
      return waits ? text : undefined;
    });
    expect(why).toContain('none of 3 nodes fits');
    expect(why).toMatch(/pod default\/apart-\S+ on node-2\s+matches app=apart, which the pod must/);
    // A companion is wanted where there is none, until there is.
    const podAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [term('friend')] };
    await cluster.apply(podYaml('lonely', SLEEP, {}, { affinity: { podAffinity } }));
    await cluster.until('the wait', async () =>
      (await cluster.must('why', 'lonely')).includes('no pod that matches app=friend runs in'),
    );
    await cluster.apply(podYaml('friend', SLEEP, {}, { nodeSelector: { [HOSTNAME]: 'node-3' } }));
    expect((await cluster.podIsReady('lonely')).spec.nodeName).toBe('node-3');
  });

  it('evict a pod for one that matters more, and tell of both', async () => {
    await cluster.must('create', 'priorityclass', 'urgent', '--value', '1000');
    const port = { ports: [{ containerPort: 80, hostPort: 7777 }] };
    const there = { nodeSelector: { [HOSTNAME]: 'node-2' } };
    await cluster.apply(podYaml('holder', SLEEP, port, there));
    const { metadata } = await cluster.podIsReady('holder');
    await cluster.apply(podYaml('urgent', SLEEP, port, { ...there, priorityClassName: 'urgent' }));
    const urgent = await cluster.podIsReady('urgent');
    expect(await cluster.pod('holder')).toBeUndefined();
    const { uid = '' } = urgent.metadata;
    await cluster.until('the event', async () =>
      (await cluster.must('get', 'events')).includes(`Preempted by pod ${uid} on node node-2`),
    );
    const { items } = JSON.parse(await cluster.must('decisions', '-o', 'json')) as {
      items: { spec: { podUID: string }; status: { preemption?: object } }[];
    };
    const preemption = { nodeName: 'node-2', victims: ['default/holder'] };
    expect(
      items.filter(({ spec }) => spec.podUID === uid).map(({ status }) => status.preemption),
    ).toContainEqual(expect.objectContaining(preemption));
    expect(metadata.uid).not.toBe(uid);
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
