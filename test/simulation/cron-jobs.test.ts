import { controllerOf } from '../../api/owners';
import { CRON_JOBS, EVENTS, JOBS } from '../../api/resources';
import type { Job } from '../../api/types';
import { folderOfWorlds } from './folder';
import { endOf, templateOf } from './job-support';
import { World } from './world';

jest.setTimeout(120_000);

const directory = folderOfWorlds();
let world: World;

beforeEach(async () => {
  world = await World.start(1, directory(), 2);
});

afterEach(() => world[Symbol.asyncDispose]());

const PLACE = { namespace: 'default', name: 'c' };
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const create = (spec: object, pod: object = {}) =>
  world.client.create(CRON_JOBS, {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'c', namespace: 'default' },
    spec: {
      schedule: '*/5 * * * *',
      jobTemplate: { metadata: { labels: { of: 'c' } }, spec: { template: templateOf(pod) } },
      ...spec,
    },
  });

const change = (spec: object) => world.client.patch(CRON_JOBS, PLACE, 'merge', { spec });

const read = () => world.client.get(CRON_JOBS, PLACE);

const jobs = async (): Promise<readonly Job[]> =>
  [...(await world.client.list(JOBS)).items].sort((a, b) =>
    a.metadata.name < b.metadata.name ? -1 : 1,
  );

const names = async () => (await jobs()).map(({ metadata }) => metadata.name);

/** The minutes of the hour for which jobs were started, by their names. */
const minutes = async () => (await names()).map((name) => Number(name.replace('c-', '')) % 60);

const told = async (): Promise<readonly string[]> => {
  const { items } = await world.client.list(EVENTS, { namespace: 'default' });
  return items
    .filter(({ involvedObject }) => involvedObject.kind === 'CronJob')
    .map(({ reason = '', message = '' }) => `${reason}: ${message}`);
};

const succeed = () => {
  world.endingOf = () => 'Succeeded';
};

it('starts a job at each time, tells of it and keeps as many as it should', async () => {
  succeed();
  await create({ successfulJobsHistoryLimit: 2 });
  await world.advance(21 * MINUTE_MS);
  expect(await minutes()).toEqual([15, 20]);
  const [, last] = await jobs();
  expect(controllerOf(last!)).toMatchObject({ kind: 'CronJob', name: 'c', controller: true });
  expect(last?.metadata).toMatchObject({
    labels: { of: 'c' },
    annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2030-01-01T00:20:00Z' },
  });
  const { status } = await read();
  expect(status).toMatchObject({
    ...{
      lastScheduleTime: '2030-01-01T00:20:00Z',
      lastSuccessfulTime: last?.status?.completionTime,
    },
  });
  expect(status?.active).toBeUndefined();
  const [first] = (await names()).map((name) => Number(name.replace('c-', '')) - 10);
  expect(await told()).toEqual(
    expect.arrayContaining([
      `SuccessfulCreate: Created job c-${first ?? 0}`,
      `SawCompletedJob: Saw completed job: c-${first ?? 0}, condition: Complete`,
      `SuccessfulDelete: Deleted job c-${first ?? 0}`,
    ]),
  );
});

it('starts each job once, wherever its controller dies', async () => {
  succeed();
  await create({ schedule: '* * * * *', successfulJobsHistoryLimit: 100 });
  world.faultRate = 0.1;
  for (let round = 0; round < 40; round++) {
    world.killControllers({
      afterWrites: Math.floor(world.random.next() * 8),
      takesEffect: world.random.next() < 0.5,
    });
    await world.advance(30_000);
    world.restartControllers();
  }
  world.faultRate = 0;
  await world.advance(MINUTE_MS);
  const started = await minutes();
  expect(new Set(started).size).toBe(started.length);
  // A process that dies early in its half minute may miss one: more than half are started all the same.
  expect(started.length).toBeGreaterThan(10);
  expect((await jobs()).every((job) => endOf(job)?.type === 'Complete')).toBe(true);
  expect((await read()).status?.active).toBeUndefined();
});

describe('beside a job that runs on', () => {
  it('starts another', async () => {
    await create({ concurrencyPolicy: 'Allow' });
    await world.advance(11 * MINUTE_MS);
    expect(await minutes()).toEqual([5, 10]);
    expect((await read()).status?.active).toMatchObject([
      { kind: 'Job', apiVersion: 'batch/v1', namespace: 'default' },
      { kind: 'Job' },
    ]);
  });

  it('starts none, and the one that was missed when it may', async () => {
    await create({ concurrencyPolicy: 'Forbid' });
    await world.advance(12 * MINUTE_MS);
    expect(await minutes()).toEqual([5]);
    expect(await told()).toContain(
      'JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid',
    );
    succeed();
    await world.advance(2 * MINUTE_MS);
    expect(await minutes()).toEqual([5, 10]);
  });

  it('starts another in its place', async () => {
    await create({ concurrencyPolicy: 'Replace' });
    await world.advance(12 * MINUTE_MS);
    expect(await minutes()).toEqual([10]);
    expect((await read()).status?.active).toHaveLength(1);
    expect(
      (await world.pods()).filter(({ metadata }) => metadata.deletionTimestamp === undefined),
    ).toHaveLength(1);
  });
});

it('starts nothing while it is suspended, and what was missed within the deadline afterwards', async () => {
  succeed();
  await create({ suspend: true, startingDeadlineSeconds: 120 });
  await world.advance(6 * MINUTE_MS);
  expect(await jobs()).toEqual([]);
  await change({ suspend: false });
  await world.advance(10_000);
  expect(await minutes()).toEqual([5]);
  await change({ suspend: true });
  await world.advance(7 * MINUTE_MS);
  await change({ suspend: false });
  await world.advance(10_000);
  expect(await minutes()).toEqual([5]);
});

it('starts nothing twice when the clock is set back, and the latest missed when it is set forward', async () => {
  succeed();
  await create({ schedule: '*/20 * * * *' });
  await world.advance(21 * MINUTE_MS);
  expect(await minutes()).toEqual([20]);
  world.clock.setBy(-HOUR_MS);
  await world.advance(45 * MINUTE_MS);
  expect(await minutes()).toEqual([20]);
  world.clock.setBy(2 * HOUR_MS);
  await world.advance(2 * MINUTE_MS);
  expect((await read()).status?.lastScheduleTime).toBe('2030-01-01T02:00:00Z');
  expect(await minutes()).toEqual([20, 0]);
});

it('goes by the clock of its zone, an hour that comes twice included', async () => {
  succeed();
  // The world begins at 2030-01-01T00:00Z; clocks of New York go back at 2030-11-03T06:00Z.
  world.clock.setBy(Date.parse('2030-11-03T05:20:00Z') - world.clock.now());
  await create({ schedule: '30 1 * * *', timeZone: 'America/New_York' });
  await world.advance(90 * MINUTE_MS);
  const stamps = (await jobs()).map(
    ({ metadata }) => metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'],
  );
  expect(stamps).toEqual(['2030-11-03T01:30:00-04:00', '2030-11-03T01:30:00-05:00']);
});

it('keeps failed jobs apart, and forgets one that somebody has deleted', async () => {
  world.endingOf = () => 'Failed';
  await create({
    failedJobsHistoryLimit: 1,
    jobTemplate: { spec: { backoffLimit: 0, template: templateOf() } },
  });
  await world.advance(16 * MINUTE_MS);
  expect(await minutes()).toEqual([15]);
  expect((await read()).status?.lastSuccessfulTime).toBeUndefined();
  world.endingOf = () => undefined;
  await world.advance(5 * MINUTE_MS);
  const [{ name = '' } = {}] = (await read()).status?.active ?? [];
  await world.client.delete(JOBS, { namespace: 'default', name });
  await world.advance(MINUTE_MS);
  expect((await read()).status?.active).toBeUndefined();
  expect(await told()).toContain(`MissingJob: Active job went missing: ${name}`);
});

it('tells of a job that it did not start itself', async () => {
  const { metadata } = await create({ suspend: true });
  const owner = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'c', uid: metadata.uid ?? '' };
  await world.client.create(JOBS, {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: 'by-hand',
      namespace: 'default',
      ownerReferences: [{ ...owner, controller: true }],
    },
    spec: { template: templateOf() },
  });
  await world.advance(10_000);
  expect(await told()).toContain(
    'UnexpectedJob: Saw a job that the controller did not create or forgot: by-hand',
  );
});
