import { NodeQuota } from './node-quota';

it('gives each node its share, and again what is given back, once', () => {
  const quota = new NodeQuota(2);
  const [first, second] = [quota.take('a'), quota.take('a')];
  expect(quota.take('a')).toBeUndefined();
  expect(quota.take('b')).toBeDefined();
  first?.[Symbol.dispose]();
  first?.[Symbol.dispose]();
  expect(quota.take('a')).toBeDefined();
  expect(quota.take('a')).toBeUndefined();
  expect(second).toBeDefined();
});
