import { batchesOf } from './batches';

const move = (ownerUid: string, from = 'n1', to = 'n2') => ({ ownerUid, from, to });
const under = (ownerUid: string, allowed: number) => ({
  ...move(ownerUid),
  budget: { key: 'default/all', allowed },
});

it('lets one pod of each workload go at a time', () => {
  expect(batchesOf([move('a'), move('b'), move('a'), move('c')])).toEqual([1, 1, 2, 2]);
});

it('lets as many go under a budget as it allows', () => {
  const moves = ['a', 'b', 'c', 'd', 'e'].map((owner) => under(owner, 2));
  expect(batchesOf(moves)).toEqual([1, 1, 2, 2, 3]);
});

it('lets none go where another has yet to leave, and bounds a batch', () => {
  expect(batchesOf([move('a', 'n1', 'n2'), move('b', 'n2', 'n1')])).toEqual([1, 2]);
  const many = Array.from({ length: 11 }, (_, i) => move(`w${i}`));
  expect(batchesOf(many)).toEqual([...Array<number>(10).fill(1), 2]);
  expect(batchesOf([])).toEqual([]);
});
