import { ManualClock } from '../../lib/clock';
import type { MeterJob, MeterReading } from '../storage/meter';
import { DiskMeter, type DiskSubject } from './disk-meter';

const subject = (id: string): DiskSubject => ({ id, layer: `/layers/${id}`, logs: `/logs/${id}` });

interface Asked {
  readonly job: MeterJob;
  readonly answer: (bytes: number) => void;
  readonly fail: () => void;
}

/** A meter that answers each job when it is told to. */
const setUp = () => {
  const clock = new ManualClock();
  const jobs: Asked[] = [];
  const run = (job: MeterJob) =>
    new Promise<MeterReading>((resolve, reject) =>
      jobs.push({
        job,
        answer: (bytes) => resolve({ bytes: [bytes, 7], inodes: [2, 1], isWhole: true }),
        fail: () => reject(new Error('cancelled')),
      }),
    );
  return { clock, jobs, meter: new DiskMeter({ meter: { run }, clock }) };
};

it('counts the layer and the logs of each container, once a minute', async () => {
  const { clock, jobs, meter } = setUp();
  const asked = meter.measure([subject('a')]);
  expect(jobs.map(({ job }) => job.parts)).toEqual([
    [{ paths: ['/layers/a'] }, { paths: ['/logs/a'] }],
  ]);
  jobs[0]!.answer(40);
  const use = {
    rootfs: { usedBytes: 40, inodesUsed: 2 },
    logs: { usedBytes: 7, inodesUsed: 1 },
    atMs: clock.now(),
  };
  expect(await asked).toEqual(new Map([['a', use]]));
  expect(await meter.measure([subject('a')])).toEqual(new Map([['a', use]]));
  expect(jobs).toHaveLength(1);
  await clock.advance(60_000);
  const again = meter.measure([subject('a')]);
  jobs[1]!.answer(50);
  expect((await again).get('a')?.rootfs.usedBytes).toBe(50);
});

it('lets nobody wait for a million files, and tells of them when they are counted', async () => {
  const { clock, jobs, meter } = setUp();
  const first = meter.measure([subject('slow'), subject('quick')]);
  jobs[1]!.answer(1);
  await clock.advance(2_000);
  expect([...(await first).keys()]).toEqual(['quick']);
  const second = meter.measure([subject('slow'), subject('quick')]);
  jobs[0]!.answer(1_000_000);
  expect((await second).get('slow')?.rootfs.usedBytes).toBe(1_000_000);
  expect(jobs).toHaveLength(2);
});

it('goes by what is known where counting fails, and forgets what is gone', async () => {
  const { clock, jobs, meter } = setUp();
  const first = meter.measure([subject('a'), subject('b')]);
  for (const { answer } of jobs) answer(3);
  expect((await first).size).toBe(2);
  await clock.advance(60_000);
  const second = meter.measure([subject('a')]);
  jobs[2]!.fail();
  expect([...(await second)].map(([id, { rootfs }]) => [id, rootfs.usedBytes])).toEqual([['a', 3]]);
});

it('leaves alone for long what took long, whether it was counted or not', async () => {
  const { clock, jobs, meter } = setUp();
  const first = meter.measure([subject('slow')]);
  await clock.advance(30_000);
  expect((await first).size).toBe(0);
  jobs[0]!.fail();
  await clock.advance(299_000);
  expect((await meter.measure([subject('slow')])).size).toBe(0);
  expect(jobs).toHaveLength(1);
  await clock.advance(1_000);
  const last = meter.measure([subject('slow')]);
  expect(jobs).toHaveLength(2);
  jobs[1]!.answer(1);
  expect((await last).size).toBe(1);
});

it('counts no more than some at a time', async () => {
  const { clock, jobs, meter } = setUp();
  const many = Array.from({ length: 200 }, (_, i) => subject(`c${i}`));
  const first = meter.measure(many);
  expect(jobs).toHaveLength(64);
  for (const { answer } of jobs) answer(1);
  expect((await first).size).toBe(64);
  const second = meter.measure(many);
  expect(jobs).toHaveLength(128);
  await clock.advance(2_000);
  await second;
});
