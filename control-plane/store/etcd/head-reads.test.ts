import type { RangeFields } from './operations';
import { HeadReads } from './head-reads';

const answering = (sizes: number[]) => ({
  ranges: (all: readonly RangeFields[]) => {
    sizes.push(all.length);
    const ranges = all.map(({ key }) => {
      const number = Number(/\d+/.exec(key.toString())?.[0]);
      const kvs = number === 0 ? [] : [{ modRevision: number }];
      return { header: undefined, kvs, more: false, count: kvs.length };
    });
    return Promise.resolve({ revision: 1000, ranges: ranges as never });
  },
});

it('asks once for all that is asked for in one turn', async () => {
  const sizes: number[] = [];
  const heads = new HeadReads(answering(sizes));
  const found = await Promise.all([1, 0, 7].map((i) => heads.read(`kind${i}`)));
  expect(sizes).toEqual([3]);
  expect(found).toEqual([1, 0, 7].map((changedRevision) => ({ changedRevision, revision: 1000 })));
  await heads.read('kind3');
  expect(sizes).toEqual([3, 1]);
});

it('puts no more into one transaction than etcd takes', async () => {
  const sizes: number[] = [];
  const heads = new HeadReads(answering(sizes));
  const numbers = Array.from({ length: 250 }, (_, i) => i + 1);
  const found = await Promise.all(numbers.map((i) => heads.read(`kind${i}`)));
  expect(sizes).toEqual([100, 100, 50]);
  expect(found.map(({ changedRevision }) => changedRevision)).toEqual(numbers);
});

it('tells everyone who waits of a failure, and asks again for the next', async () => {
  let isDown = true;
  const { ranges } = answering([]);
  const heads = new HeadReads({
    ranges: (all) => (isDown ? Promise.reject(new Error('away')) : ranges(all)),
  });
  const asked = [heads.read('kind1'), heads.read('kind2')];
  for (const each of await Promise.allSettled(asked)) expect(each.status).toBe('rejected');
  isDown = false;
  expect(await heads.read('kind2')).toEqual({ changedRevision: 2, revision: 1000 });
});
