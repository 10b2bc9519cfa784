import { exponentialBounds, Histogram } from './histogram';

it('counts each value below all bounds that it is within', () => {
  const values = new Histogram([1, 2, 4]);
  for (const value of [0.5, 2, 3, 9]) values.observe(value);
  expect(values.lines('x', 'a="b"')).toEqual([
    'x_bucket{a="b",le="1"} 1',
    'x_bucket{a="b",le="2"} 2',
    'x_bucket{a="b",le="4"} 3',
    'x_bucket{a="b",le="+Inf"} 4',
    'x_sum{a="b"} 14.5',
    'x_count{a="b"} 4',
  ]);
  expect(values.lines('x', '').slice(-2)).toEqual(['x_sum 14.5', 'x_count 4']);
});

it('has bounds that are written shortly', () => {
  expect(exponentialBounds(0.001, 2, 4)).toEqual([0.001, 0.002, 0.004, 0.008]);
  expect(exponentialBounds(1, 10, 3)).toEqual([1, 10, 100]);
});
