import type { Job, Pod } from '../../api/types';
import { sharedCluster } from './support/shared-cluster';

/* Jobs whose pods end on real nodes, by kubectl and by dhow. */

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-jobs', { nodes: 2 });

afterEach(() => cluster.clear());

const IMAGE = 'dhow.local/busybox:1';

const jobYaml = (name: string, spec: string, script: string, restartPolicy = 'Never'): string =>
  JSON.stringify({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: {
      ...(JSON.parse(spec) as object),
      template: {
        spec: {
          restartPolicy,
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'main', image: IMAGE, command: ['sh', '-c', script] }],
        },
      },
    },
  });

const kubectl = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  return stdout;
};

const job = async (name: string) => (await cluster.object('job', name)) as Job;

const podsOf = (name: string) => cluster.pods('-l', `job-name=${name}`);

const exitCodes = (pods: readonly Pod[]) =>
  pods.map(({ status }) => status.containerStatuses?.[0]?.state?.terminated?.exitCode);

it('runs twenty pods to their end', async () => {
  await cluster.apply(jobYaml('many', '{"completions": 20, "parallelism": 5}', 'echo done'));
  expect(await kubectl('wait', '--for=condition=complete', 'job/many', '--timeout=120s')).toBe(
    'job.batch/many condition met\n',
  );
  expect((await job('many')).status).toMatchObject({
    ...{ succeeded: 20, ready: 0, terminating: 0, uncountedTerminatedPods: {} },
  });
  const pods = await podsOf('many');
  expect(pods).toHaveLength(20);
  expect(new Set(pods.map(({ status }) => status.phase))).toEqual(new Set(['Succeeded']));
  expect(new Set(exitCodes(pods))).toEqual(new Set([0]));
  expect(pods.flatMap(({ metadata }) => metadata.finalizers ?? [])).toEqual([]);
  expect(await kubectl('get', 'job', 'many')).toMatch(/many +Complete +20\/20 +\S+ +\S+\n$/);
  const logs = await cluster.must('logs', 'job/many', '--all-pods', '--prefix');
  expect(logs.match(/^\[pod\/many-[a-z0-9]{5}\/main\] done$/gm)).toHaveLength(20);
  expect(await kubectl('logs', 'job/many')).toBe('done\n');
});

it('tells each pod of an indexed job which it is', async () => {
  const spec = '{"completionMode": "Indexed", "completions": 3, "parallelism": 3}';
  await cluster.apply(jobYaml('parts', spec, 'echo $JOB_COMPLETION_INDEX $(hostname)'));
  await cluster.must('wait', '--for=condition=complete', 'job/parts', '--timeout=60s');
  expect((await job('parts')).status).toMatchObject({ completedIndexes: '0-2', succeeded: 3 });
  const lines = (await cluster.must('logs', '-l', 'job-name=parts')).trim().split('\n').sort();
  expect(lines).toEqual(['0 parts-0', '1 parts-1', '2 parts-2']);
});

it('fails when its pods have failed too often', async () => {
  await cluster.apply(jobYaml('bad', '{"backoffLimit": 1}', 'echo no; exit 3'));
  const { code, stderr } = await cluster.dhow(
    ...['wait', '--for=condition=complete', 'job/bad', '--timeout=90s'],
  );
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr:
      'error: job/bad does not become complete: BackoffLimitExceeded: Job has reached the specified backoff limit\n',
  });
  const pods = await podsOf('bad');
  expect(exitCodes(pods)).toEqual([3, 3]);
  expect((await job('bad')).status).toMatchObject({ failed: 2 });
  await cluster.untilSaid(
    /Warning +BackoffLimitExceeded .* Job has reached the specified backoff limit/,
    () => cluster.kubectl('describe', 'job', 'bad'),
  );
});

it('starts containers again in the same pod, if that is what is asked for', async () => {
  const script = 'test -e /data/seen || { touch /data/seen; exit 1; }';
  const body = JSON.parse(jobYaml('again', '{"backoffLimit": 3}', script, 'OnFailure')) as {
    spec: { template: { spec: { volumes?: object[]; containers: { volumeMounts?: object[] }[] } } };
  };
  const { spec } = body.spec.template;
  spec.volumes = [{ name: 'data', emptyDir: {} }];
  spec.containers[0]!.volumeMounts = [{ name: 'data', mountPath: '/data' }];
  await cluster.apply(JSON.stringify(body));
  await cluster.must('wait', '--for=condition=complete', 'job/again', '--timeout=90s');
  const [pod, ...others] = await podsOf('again');
  expect(others).toEqual([]);
  expect(pod?.status).toMatchObject({ phase: 'Succeeded' });
  expect(pod?.status.containerStatuses?.[0]).toMatchObject({ restartCount: 1 });
});

it('ends what runs at its deadline, and leaves nothing when it is deleted', async () => {
  await cluster.apply(
    jobYaml('slow', '{"activeDeadlineSeconds": 4, "podReplacementPolicy": "Failed"}', 'sleep 1000'),
  );
  await kubectl('wait', '--for=condition=failed', 'job/slow', '--timeout=60s');
  expect((await job('slow')).status).toMatchObject({ failed: 1, terminating: 0 });
  await cluster.apply(jobYaml('held', '{"parallelism": 2}', 'sleep 1000'));
  await cluster.until('two pods', async () => {
    const pods = await podsOf('held');
    return pods.length === 2 && pods.every(({ status }) => status.phase === 'Running');
  });
  await kubectl('delete', 'job', 'held');
  await cluster.until('no pod', async () => (await podsOf('held')).length === 0);
});

it('replaces a pod that somebody deletes, once it has ended', async () => {
  await cluster.apply(jobYaml('kept', '{"podReplacementPolicy": "Failed"}', 'sleep 1000'));
  const running = async (other: string) => {
    const pods = await podsOf('kept');
    return pods.find(
      ({ metadata, status }) => metadata.name !== other && status.phase === 'Running',
    );
  };
  const first = await cluster.until('a pod', () => running(''));
  await cluster.must('delete', 'pod', first.metadata.name);
  await cluster.until('another', () => running(first.metadata.name));
  await cluster.until('the count of both', async () => {
    const { failed, active } = (await job('kept')).status ?? {};
    return failed === 1 && active === 1;
  });
});

it('is made by hand, and by a cron job when its time comes', async () => {
  expect(await cluster.must('create', 'job', 'hand', `--image=${IMAGE}`, '--', 'echo', 'hi')).toBe(
    'job.batch/hand created\n',
  );
  const schedule = '--schedule=@every 2s';
  const cron = ['create', 'cronjob', 'tick', `--image=${IMAGE}`, schedule, '--', 'date'];
  expect(await cluster.must(...cron)).toBe('cronjob.batch/tick created\n');
  await cluster.until('a job of its own', async () => {
    const { stdout } = await cluster.kubectl('get', 'jobs', '-o', 'name');
    return /^job.batch\/tick-\d+$/m.test(stdout);
  });
  await cluster.must('patch', 'cronjob', 'tick', '-p', '{"spec":{"suspend":true}}');
  expect(await cluster.must('create', 'job', 'now', '--from=cronjob/tick')).toBe(
    'job.batch/now created\n',
  );
  for (const name of ['hand', 'now'])
    await cluster.must('wait', '--for=condition=complete', `job/${name}`, '--timeout=60s');
  expect(await cluster.must('logs', 'job/hand')).toBe('hi\n');
  expect(await kubectl('get', 'cronjob', 'tick')).toMatch(/tick +@every 2s +<none> +True +\d/);
  await cluster.until('its end to be seen', async () => {
    const { stdout } = await cluster.kubectl('describe', 'cronjob', 'tick');
    return /SawCompletedJob +\S+ +cronjob-controller +Saw completed job: tick-\d+/.test(stdout);
  });
  const from = await cluster.dhow('create', 'job', 'x', '--from=job/hand');
  expect(from.stderr).toBe('error: from must be an existing cronjob\n');
  expect((await cluster.dhow('create', 'job', 'x')).stderr).toBe(
    'error: either --image or --from must be specified\n',
  );
});

it('is shown before it is made', async () => {
  const show = ['--dry-run=client', '-o', 'yaml'];
  expect(await cluster.must('create', 'job', 'j1', '--image=busybox', ...show, '--', 'echo', 'hi'))
    .toBe(`apiVersion: batch/v1
kind: Job
metadata:
  name: j1
spec:
  template:
    metadata: {}
    spec:
      containers:
      - command:
        - echo
        - hi
        image: busybox
        name: j1
        resources: {}
      restartPolicy: Never
status: {}
`);
  const cron = ['create', 'cronjob', 'c', '--image=busybox', '--schedule=*/5 * * * *', ...show];
  expect(await cluster.must(...cron)).toBe((await cluster.kubectl(...cron)).stdout);
});
