import fc from 'fast-check';
import { isTolerated, mergeTolerations } from './taints';
import type { Taint, Toleration } from './types';

/** `''` stands for what is left out. */
const toleration: fc.Arbitrary<Toleration> = fc.record({
  key: fc.constantFrom('a', 'b'),
  operator: fc.constantFrom('Exists', 'Equal'),
  effect: fc.constantFrom('', 'NoSchedule', 'NoExecute'),
});
const lists = fc.tuple(
  fc.array(toleration, { maxLength: 5 }),
  fc.array(toleration, { maxLength: 5 }),
);
const TAINTS: readonly Taint[] = ['a', 'b', 'c'].flatMap((key) =>
  (['NoSchedule', 'NoExecute'] as const).flatMap((effect) =>
    ['', 'v'].map((value) => ({ key, effect, value })),
  ),
);

it('merges tolerations into the fewest that tolerate the same', () => {
  fc.assert(
    fc.property(lists, ([first, second]) => {
      const merged = mergeTolerations(first, second);
      for (const taint of TAINTS)
        expect(isTolerated(merged, taint)).toBe(isTolerated([...first, ...second], taint));
      expect(mergeTolerations(merged, [])).toEqual(merged);
      expect(mergeTolerations(merged, merged)).toEqual(merged);
    }),
  );
});

it('keeps the one that tolerates longer, and both where they differ', () => {
  const brief: Toleration = {
    key: 'a',
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 5,
  };
  const long = { ...brief, tolerationSeconds: 60 };
  const { tolerationSeconds: _seconds, ...forever } = brief;
  expect(mergeTolerations([brief], [long])).toEqual([long]);
  expect(mergeTolerations([forever], [long])).toEqual([forever]);
  const equal: Toleration = { key: 'a', operator: 'Equal', value: 'v', effect: 'NoExecute' };
  expect(mergeTolerations([equal], [{ ...equal, value: 'w' }])).toHaveLength(2);
  expect(mergeTolerations([equal], [brief])).toEqual([equal, brief]);
});
