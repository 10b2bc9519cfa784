import { PODS } from '../resources';
import { pod, refusal } from '../testing';

it.each<[number, number | undefined, boolean]>([
  [0, 0, true],
  [0, 5, true],
  [5, 5, true],
  [6, 5, false],
  [31, undefined, false],
  [30, undefined, true],
  [-1, 5, false],
])('judges a hook that sleeps %d s of %s s', (seconds, given, isRight) => {
  const lifecycle = { preStop: { sleep: { seconds } }, postStart: { sleep: { seconds } } };
  const spec = given === undefined ? {} : { terminationGracePeriodSeconds: given };
  const why =
    `Invalid value: ${seconds}: must be non-negative and less than ` +
    `terminationGracePeriodSeconds (${given ?? 30})`;
  const at = 'spec.containers[0].lifecycle';
  expect(refusal(PODS, pod(spec, { lifecycle }))).toEqual(
    isRight ? [] : [`${at}.postStart.sleep: ${why}`, `${at}.preStop.sleep: ${why}`],
  );
});

it('says of a negative time to end that alone', () => {
  const lifecycle = { preStop: { sleep: { seconds: 1 } } };
  expect(refusal(PODS, pod({ terminationGracePeriodSeconds: -1 }, { lifecycle }))).toEqual([
    'spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0',
  ]);
});
