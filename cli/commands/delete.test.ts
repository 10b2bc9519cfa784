import { graceSeconds } from './delete';

it.each([
  ['nothing is asked for', {}, undefined],
  ['seconds are given', { gracePeriod: '7' }, 7],
  ["the pod's own is meant", { gracePeriod: '-1' }, undefined],
  ['none is given without force', { gracePeriod: '0' }, 1],
  ['it is now', { now: true }, 1],
  ['it is forced', { force: true }, 0],
  ['it is forced without grace', { force: true, gracePeriod: '0' }, 0],
])('grace, when %s', (_, options, expected) => {
  expect(graceSeconds(options)).toBe(expected);
});

it.each([
  [{ gracePeriod: '1s' }, '--grace-period: "1s" is not a number of seconds'],
  [{ now: true, gracePeriod: '1' }, '--now and --grace-period cannot be specified together'],
  [
    { force: true, gracePeriod: '1' },
    '--force and --grace-period greater than 0 cannot be specified together',
  ],
])('refuses %j', (options, message) => {
  expect(() => graceSeconds(options)).toThrow(message);
});
