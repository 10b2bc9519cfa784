import { ByteBudget, InFlightLimit } from './in-flight';

const REFUSAL = {
  reason: 'TooManyRequests',
  message: 'Too many requests, please try again later.',
  details: { retryAfterSeconds: 1 },
};

it('serves so many of each class, and the urgent beyond them', () => {
  const limit = new InFlightLimit({ readonly: 2, mutating: 1 });
  const first = limit.enter('readonly', false);
  limit.enter('readonly', false);
  limit.enter('mutating', false);
  expect(() => limit.enter('readonly', false)).toThrow(expect.objectContaining(REFUSAL));
  expect(() => limit.enter('mutating', false)).toThrow(expect.objectContaining(REFUSAL));
  limit.enter('mutating', true);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  limit.enter('readonly', false);
  expect(() => limit.enter('readonly', false)).toThrow(expect.objectContaining(REFUSAL));
});

it('bounds the bytes that all hold together', () => {
  const budget = new ByteBudget(100);
  budget.take(60);
  expect(() => budget.take(41)).toThrow(expect.objectContaining(REFUSAL));
  budget.take(40);
  budget.release(60);
  budget.take(60);
});
