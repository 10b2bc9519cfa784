import type { Pod } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { FakeImageService } from '../../runtime/images';
import { ImageCollector } from './image-collector';

const podOf = (image: string): Pod =>
  ({ metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image }] } }) as unknown as Pod;

const setUp = (useOf: (imagesCount: number) => number) => {
  const images = new FakeImageService();
  const clock = new ManualClock();
  const pods: Pod[] = [];
  const diskUse = async () => useOf((await images.list()).length);
  const collector = new ImageCollector({
    images,
    clock,
    diskUse,
    pods: () => pods,
    records: { prune: () => Promise.resolve() },
    log: silentLog,
  });
  const names = async () => (await images.list()).flatMap(({ references }) => references);
  return { images, clock, pods, collector, names };
};

const WEB = 'docker.io/library/web:1';
const DB = 'docker.io/library/db:1';
const OLD = 'docker.io/library/old:1';

it('leaves images alone while there is room', async () => {
  const { images, clock, collector, names } = setUp(() => 0.84);
  images.add('old:1');
  await collector.collect();
  await clock.advance(600_000);
  await collector.collect();
  expect(await names()).toEqual([OLD]);
});

it('removes the longest unused images until the disk is below the low mark', async () => {
  const { images, clock, pods, collector, names } = setUp((count) => 0.5 + count * 0.12);
  images.add('old:1');
  await collector.collect();
  await clock.advance(60_000);
  images.add('db:1');
  images.add('web:1');
  pods.push(podOf('web:1'));
  await collector.collect();
  expect(await names()).toEqual([OLD, DB, WEB]);
  await clock.advance(300_000);
  await collector.collect();
  expect(await names()).toEqual([DB, WEB]);
});

it('never removes what a pod uses, or what came just now', async () => {
  const { images, clock, pods, collector, names } = setUp(() => 1);
  images.add('web:1');
  pods.push(podOf('web:1'));
  await collector.collect();
  await clock.advance(300_000);
  images.add('db:1');
  await collector.collect();
  expect(await names()).toEqual([WEB, DB]);
});

it('goes on after a failure', async () => {
  const { images, clock, collector } = setUp(() => 0);
  const collect = jest.spyOn(images, 'collectGarbage').mockRejectedValueOnce(new Error('disk'));
  const stop = new AbortController();
  const running = collector.run(stop.signal);
  await clock.advance(600_000);
  stop.abort();
  await running;
  expect(collect).toHaveBeenCalledTimes(2);
});
