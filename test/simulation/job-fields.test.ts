import { isPodActive } from '../../api/pods';
import { EVENTS, JOBS, NAMESPACES, NODES, PODS } from '../../api/resources';
import type { Job, Pod } from '../../api/types';
import { folderOfWorlds } from './folder';
import { endOf, indexOf, jobOf, podsOf, templateOf } from './job-support';
import type { Ending } from './played-nodes';
import { World } from './world';

/* What the fields of a Job do, in a world whose nodes play pods that end. */

jest.setTimeout(120_000);

const directory = folderOfWorlds();
let world: World;

beforeEach(async () => {
  world = await World.start(1, directory(), 2);
});

afterEach(() => world[Symbol.asyncDispose]());

const PLACE = { namespace: 'default', name: 'j' };
const MINUTE_MS = 60_000;

const create = (spec: object, pod: object = {}) => world.client.create(JOBS, jobOf('j', spec, pod));

const change = (spec: object) => world.client.patch(JOBS, PLACE, 'merge', { spec });

const read = (): Promise<Job> => world.client.get(JOBS, PLACE);

const pods = async (): Promise<readonly Pod[]> => podsOf(await world.pods(), 'j');

const active = async () => (await pods()).filter(isPodActive);

const endWith = (ending: Ending | undefined) => {
  world.endingOf = () => ending;
};

const told = async (): Promise<readonly string[]> => {
  const { items } = await world.client.list(EVENTS, { namespace: 'default' });
  return items
    .filter(({ involvedObject }) => involvedObject.kind === 'Job')
    .map(({ reason = '', message = '' }) => `${reason}: ${message}`);
};

it('completes, and says so as upstream does', async () => {
  endWith('Succeeded');
  await create({ completions: 3, parallelism: 2 });
  await world.advance(30_000);
  const { status } = await read();
  const said = {
    reason: 'CompletionsReached',
    message: 'Reached expected number of succeeded pods',
  };
  expect(status).toMatchObject({
    ...{ succeeded: 3, ready: 0, terminating: 0, uncountedTerminatedPods: {} },
    conditions: [
      { type: 'SuccessCriteriaMet', status: 'True', ...said },
      { type: 'Complete', status: 'True', ...said },
    ],
  });
  expect(status?.completionTime).toBe(status?.conditions?.[1]?.lastTransitionTime);
  expect(status?.failed).toBeUndefined();
  expect(await told()).toContain('Completed: Job completed');
  expect((await pods()).map(({ metadata }) => metadata.finalizers)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

it('without completions ends when one pod has succeeded and the others are done', async () => {
  await create({ parallelism: 3 });
  await world.advance(10_000);
  const [first] = await pods();
  world.endingOf = ({ metadata }) =>
    metadata.name === first?.metadata.name ? 'Succeeded' : undefined;
  await world.advance(10_000);
  expect(endOf(await read())).toBeUndefined();
  expect(await pods()).toHaveLength(3);
  endWith('Succeeded');
  await world.advance(10_000);
  expect(endOf(await read())?.type).toBe('Complete');
  expect((await read()).status?.succeeded).toBe(3);
  expect(await pods()).toHaveLength(3);
});

it('gives each pod of an indexed job its index, and takes pods that have none for strangers', async () => {
  await create({ completions: 3, parallelism: 3, completionMode: 'Indexed' });
  await world.advance(10_000);
  const own = [...(await pods())].sort((a, b) => indexOf(a) - indexOf(b));
  expect(own.map(indexOf)).toEqual([0, 1, 2]);
  for (const [index, { metadata, spec }] of own.entries()) {
    expect(metadata.name).toMatch(new RegExp(`^j-${index}-[a-z0-9]{5}$`));
    expect(metadata.labels?.['batch.kubernetes.io/job-completion-index']).toBe(String(index));
    expect(spec.hostname).toBe(`j-${index}`);
    expect(spec.containers[0]?.env).toMatchObject([
      {
        name: 'JOB_COMPLETION_INDEX',
        valueFrom: {
          fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" },
        },
      },
    ]);
  }
  const metadata = { name: 'stray', labels: own[0]?.metadata.labels ?? {}, namespace: 'default' };
  const stray = { apiVersion: 'v1', kind: 'Pod', metadata, spec: templateOf().spec };
  await world.client.create(PODS, stray);
  world.endingOf = (pod) => (indexOf(pod) === 1 ? undefined : 'Succeeded');
  await world.advance(10_000);
  expect(await read()).toMatchObject({ status: { completedIndexes: '0,2', succeeded: 2 } });
  expect((await world.pods()).map((pod) => pod.metadata.name)).not.toContain('stray');
});

it('replaces what fails 10 s, 20 s, 40 s later, also in a process that did not see it fail', async () => {
  endWith('Failed');
  await create({ backoffLimit: 3 });
  const starts: number[] = [];
  for (let second = 0; second < 120; second++) {
    await world.advance(1000);
    const count = (await pods()).length;
    while (starts.length < count) starts.push(second);
    if (second % 7 === 0) world.restartControllers();
  }
  const gaps = starts.slice(1).map((start, i) => start - (starts[i] ?? 0));
  expect(gaps).toHaveLength(3);
  for (const [i, gap] of gaps.entries()) {
    // Pods tell whole seconds of their end.
    expect(gap).toBeGreaterThanOrEqual(10 * 2 ** i - 1);
    expect(gap).toBeLessThan(10 * 2 ** i + 8);
  }
  const end = {
    reason: 'BackoffLimitExceeded',
    message: 'Job has reached the specified backoff limit',
  };
  expect(await read()).toMatchObject({
    status: {
      failed: 4,
      conditions: [
        { type: 'FailureTarget', ...end },
        { type: 'Failed', ...end },
      ],
    },
  });
  expect(await told()).toContain(
    'BackoffLimitExceeded: Job has reached the specified backoff limit',
  );
});

it('ends what still runs when it has failed, and counts it as failed', async () => {
  await create({ backoffLimit: 0, parallelism: 3, completions: 3 });
  await world.advance(10_000);
  const [first] = await pods();
  world.endingOf = ({ metadata }) =>
    metadata.name === first?.metadata.name ? 'Failed' : undefined;
  await world.advance(20_000);
  const job = await read();
  expect(endOf(job)?.reason).toBe('BackoffLimitExceeded');
  expect(job.status).toMatchObject({ failed: 3, terminating: 0, uncountedTerminatedPods: {} });
  expect((await pods()).map(({ metadata }) => metadata.name)).toEqual([first?.metadata.name]);
});

it('counts restarts in place against the limit', async () => {
  await create({ backoffLimit: 2 }, { restartPolicy: 'OnFailure' });
  await world.advance(10_000);
  const [pod] = await pods();
  const restarted = async (restartCount: number) => {
    const { metadata, status } = await world.client.get(PODS, {
      namespace: 'default',
      name: pod?.metadata.name ?? '',
    });
    const one = { name: 'main', image: 'app:1', imageID: '', ready: true, restartCount };
    const next = { ...pod!, metadata, status: { ...status, containerStatuses: [one] } };
    await world.client.update(PODS, next, { subresource: 'status' });
    await world.advance(10_000);
  };
  await restarted(1);
  expect(endOf(await read())).toBeUndefined();
  await restarted(2);
  expect(endOf(await read())?.reason).toBe('BackoffLimitExceeded');
});

it('fails at its deadline, which no setting of the clock brings nearer', async () => {
  await create({ activeDeadlineSeconds: 60 });
  await world.advance(20_000);
  world.clock.setBy(3_600_000);
  await world.advance(35_000);
  expect(endOf(await read())).toBeUndefined();
  await world.advance(15_000);
  expect(endOf(await read())).toMatchObject({
    reason: 'DeadlineExceeded',
    message: 'Job was active longer than specified deadline',
  });
});

it('is deleted with its pods when its time after the end is over', async () => {
  endWith('Succeeded');
  await create({ ttlSecondsAfterFinished: 60 });
  await world.advance(40_000);
  expect(endOf(await read())?.type).toBe('Complete');
  await world.advance(MINUTE_MS);
  await expect(read()).rejects.toThrow('not found');
  expect(await world.pods()).toEqual([]);
});

it('lets no pod run while it is suspended, and begins anew when resumed', async () => {
  await create({ parallelism: 2, completions: 2, suspend: true });
  await world.advance(10_000);
  expect(await pods()).toEqual([]);
  expect((await read()).status?.startTime).toBeUndefined();
  expect((await read()).status?.conditions).toMatchObject([
    { type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' },
  ]);
  await change({ suspend: false });
  await world.advance(10_000);
  expect(await active()).toHaveLength(2);
  const { startTime } = (await read()).status ?? {};
  expect((await read()).status?.conditions).toMatchObject([
    { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' },
  ]);
  await change({ suspend: true });
  await world.advance(10_000);
  expect(await pods()).toEqual([]);
  expect((await read()).status?.failed).toBeUndefined();
  await change({ suspend: false });
  await world.advance(10_000);
  expect((await read()).status?.startTime).not.toBe(startTime);
  expect(await told()).toEqual(
    expect.arrayContaining([
      'Suspended: Job suspended',
      'Resumed: Job resumed',
      expect.stringMatching(/^SuccessfulDelete: Deleted pod: j-/),
    ]),
  );
});

it('follows its parallelism', async () => {
  await create({ parallelism: 4, completions: 10 });
  await world.advance(10_000);
  await change({ parallelism: 1 });
  await world.advance(10_000);
  expect(await pods()).toHaveLength(1);
  await change({ parallelism: 3 });
  await world.advance(10_000);
  expect(await active()).toHaveLength(3);
  expect((await read()).status).toMatchObject({ active: 3 });
  expect((await read()).status?.failed).toBeUndefined();
});

it('leaves a job alone that is managed by somebody else', async () => {
  await create({ managedBy: 'example.com/queue' });
  await world.advance(10_000);
  expect(await pods()).toEqual([]);
  expect((await read()).status).toEqual({});
});

it('lets go of its pods when it is deleted, of those that it leaves behind too', async () => {
  await create({ parallelism: 2, completions: 2 });
  await world.advance(10_000);
  world.restartControllers();
  await world.client.delete(JOBS, PLACE, { propagationPolicy: 'Orphan' });
  await world.advance(10_000);
  const left = await world.pods();
  expect(left.map(({ metadata }) => [metadata.finalizers, metadata.ownerReferences])).toEqual([
    [undefined, undefined],
    [undefined, undefined],
  ]);
  await world.client.create(JOBS, jobOf('j', { parallelism: 2, completions: 2 }));
  await world.advance(10_000);
  await world.client.delete(JOBS, PLACE, { propagationPolicy: 'Background' });
  await world.advance(30_000);
  expect(podsOf(await world.pods(), 'j')).toEqual([]);
});

it('goes with its namespace', async () => {
  const metadata = { name: 'shop' };
  await world.client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata });
  const job = jobOf('j', { parallelism: 3, completions: 3 });
  await world.client.create(JOBS, { ...job, metadata: { ...job.metadata, namespace: 'shop' } });
  await world.advance(10_000);
  expect(await pods()).toHaveLength(3);
  await world.client.delete(NAMESPACES, { namespace: '', name: 'shop' });
  await world.advance(2 * MINUTE_MS);
  expect(await world.pods()).toEqual([]);
  await expect(world.client.get(NAMESPACES, { namespace: '', name: 'shop' })).rejects.toThrow(
    'not found',
  );
});

it('adopts and holds what its own selector finds', async () => {
  const labels = { app: 'mine' };
  const metadata = { name: 'old', namespace: 'default', labels };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: templateOf().spec };
  await world.client.create(PODS, pod);
  const template = { metadata: { labels }, ...templateOf() };
  const { spec, ...job } = jobOf('j');
  await world.client.create(JOBS, {
    ...job,
    spec: { ...spec, manualSelector: true, selector: { matchLabels: labels }, template },
  });
  await world.advance(10_000);
  expect((await pods()).map((each) => each.metadata.name)).toEqual(['old']);
  endWith('Succeeded');
  await world.advance(10_000);
  expect((await read()).status).toMatchObject({ succeeded: 1 });
  expect(endOf(await read())?.type).toBe('Complete');
});

describe('each index with its own limit', () => {
  const INDEXED = { completionMode: 'Indexed', completions: 4, parallelism: 4 };

  it('gives up an index that fails too often, and goes on with the others', async () => {
    world.endingOf = (pod) => (indexOf(pod) === 2 ? 'Failed' : undefined);
    await create({ ...INDEXED, backoffLimitPerIndex: 1 });
    await world.advance(5_000);
    world.restartControllers();
    await world.advance(40_000);
    const failed = (await pods()).filter((pod) => indexOf(pod) === 2);
    expect(
      failed
        .map(
          ({ metadata }) => metadata.annotations?.['batch.kubernetes.io/job-index-failure-count'],
        )
        .sort(),
    ).toEqual(['0', '1']);
    expect((await read()).status).toMatchObject({ failedIndexes: '2', failed: 2, active: 3 });
    endWith('Succeeded');
    await world.advance(10_000);
    expect(endOf(await read())).toMatchObject({
      ...{ type: 'Failed', reason: 'FailedIndexes', message: 'Job has failed indexes' },
    });
    expect((await read()).status).toMatchObject({ completedIndexes: '0,1,3', succeeded: 3 });
  });

  it('fails as a whole when too many indexes have', async () => {
    endWith('Failed');
    await create({ ...INDEXED, backoffLimitPerIndex: 0, maxFailedIndexes: 2 });
    await world.advance(20_000);
    expect(endOf(await read())).toMatchObject({
      reason: 'MaxFailedIndexesExceeded',
      message: 'Job has exceeded the specified maximal number of failed indexes',
    });
  });
});

it('ends as soon as the indexes that matter have succeeded', async () => {
  world.endingOf = (pod) => (indexOf(pod) === 1 ? 'Succeeded' : undefined);
  const successPolicy = {
    rules: [{ succeededIndexes: '0' }, { succeededIndexes: '1-2', succeededCount: 1 }],
  };
  await create({ completionMode: 'Indexed', completions: 3, parallelism: 3, successPolicy });
  await world.advance(20_000);
  const job = await read();
  expect(endOf(job)).toMatchObject({
    ...{ type: 'Complete', reason: 'SuccessPolicy', message: 'Matched rules at index 1' },
  });
  expect(job.status).toMatchObject({ succeeded: 1, completedIndexes: '1', terminating: 0 });
  expect(job.status?.failed).toBeUndefined();
  expect(await pods()).toHaveLength(1);
});

describe('a policy for failures', () => {
  const onExit = (action: string) => ({
    rules: [{ action, onExitCodes: { operator: 'In', values: [1] } }],
  });

  it('fails the job at once', async () => {
    endWith('Failed');
    await create({ podFailurePolicy: onExit('FailJob'), backoffLimit: 6 });
    await world.advance(20_000);
    const [pod] = await pods();
    expect(endOf(await read())).toMatchObject({
      reason: 'PodFailurePolicy',
      message: `Container main for pod default/${pod?.metadata.name ?? ''} failed with exit code 1 matching FailJob rule at index 0`,
    });
  });

  it('does not count what it ignores', async () => {
    endWith('Failed');
    await create({ podFailurePolicy: onExit('Ignore'), backoffLimit: 0 });
    await world.advance(40_000);
    expect((await pods()).length).toBeGreaterThanOrEqual(2);
    expect((await read()).status?.failed).toBeUndefined();
    endWith('Succeeded');
    await world.advance(3 * MINUTE_MS);
    expect(endOf(await read())?.type).toBe('Complete');
  });
});

it('is told why a pod ends that its node cannot tell of', async () => {
  const onPodConditions = [{ type: 'DisruptionTarget', status: 'True' }];
  await create({
    ...{ backoffLimit: 0, podFailurePolicy: { rules: [{ action: 'Ignore', onPodConditions }] } },
  });
  await world.advance(10_000);
  const [pod] = await pods();
  const lost = world.nodes.find(({ name }) => name === pod?.spec.nodeName);
  lost!.isDown = true;
  await world.client.delete(NODES, { namespace: '', name: lost!.name });
  await world.advance(2 * MINUTE_MS);
  expect(await read()).toMatchObject({ status: { active: 1 } });
  expect((await read()).status?.failed).toBeUndefined();
  expect((await active()).map(({ spec }) => spec.nodeName)).not.toContain(lost?.name);
});

it.each([
  ['is drained away', true],
  ['is deleted by hand', false],
])('tells a pod that %s by its condition alone', async (_what, isDrained) => {
  const onPodConditions = [{ type: 'DisruptionTarget', status: 'True' }];
  await create({
    ...{ backoffLimit: 0, podFailurePolicy: { rules: [{ action: 'Ignore', onPodConditions }] } },
  });
  await world.advance(10_000);
  const [pod] = await pods();
  const name = pod!.metadata.name;
  if (isDrained) {
    const { nodeName = '' } = pod!.spec;
    const cordon = { spec: { unschedulable: true } };
    await world.client.patch(NODES, { namespace: '', name: nodeName }, 'merge', cordon);
    expect(await world.evict(pod!)).toBe(201);
  } else await world.client.delete(PODS, { namespace: 'default', name });
  await world.advance(2 * MINUTE_MS);
  const job = await read();
  expect(job.status?.failed).toBe(isDrained ? undefined : 1);
  expect(endOf(job)?.reason).toBe(isDrained ? undefined : 'BackoffLimitExceeded');
  const nodes = (await active()).map(({ spec }) => spec.nodeName);
  expect(nodes).toHaveLength(isDrained ? 1 : 0);
  expect(nodes).not.toContain(pod!.spec.nodeName);
});

it('fails a pod that was deleted before it had a node', async () => {
  const nowhere = { nodeSelector: { 'example.com/none': 'x' } };
  await create({ podReplacementPolicy: 'Failed' }, nowhere);
  await world.advance(5_000);
  const [pod] = await pods();
  await world.client.delete(PODS, { namespace: 'default', name: pod?.metadata.name ?? '' });
  await world.advance(MINUTE_MS);
  expect((await read()).status).toMatchObject({ failed: 1, active: 1, terminating: 0 });
});

describe('what is on its way out', () => {
  const removed = async (podReplacementPolicy: string) => {
    await create({ podReplacementPolicy });
    await world.advance(10_000);
    const [pod] = await pods();
    for (const node of world.nodes) node.isDown = true;
    await world.client.delete(PODS, { namespace: 'default', name: pod?.metadata.name ?? '' });
    await world.advance(20_000);
  };

  it('is replaced only when it has ended, if the job says so', async () => {
    await removed('Failed');
    expect((await read()).status).toMatchObject({ terminating: 1 });
    expect(await active()).toEqual([]);
    for (const node of world.nodes) node.isDown = false;
    await world.advance(30_000);
    expect(await active()).toHaveLength(1);
    expect((await read()).status).toMatchObject({ failed: 1, active: 1, terminating: 0 });
  });

  it('is replaced at once otherwise, and counts as failed', async () => {
    await removed('TerminatingOrFailed');
    expect((await read()).status).toMatchObject({ terminating: 1, active: 1, failed: 1 });
  });
});
