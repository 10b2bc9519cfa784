import { ByteBudget, InFlightLimit } from './in-flight';

const REFUSAL = {
  reason: 'TooManyRequests',
  message: 'Too many requests, please try again later.',
  details: { retryAfterSeconds: 1 },
};

const ANYONE = { sharer: undefined, isUrgent: false };

it('serves so many of each class, and the urgent beyond them', () => {
  const limit = new InFlightLimit({ readonly: 2, mutating: 1 });
  const first = limit.enter('readonly', ANYONE);
  limit.enter('readonly', ANYONE);
  limit.enter('mutating', ANYONE);
  expect(() => limit.enter('readonly', ANYONE)).toThrow(expect.objectContaining(REFUSAL));
  expect(() => limit.enter('mutating', ANYONE)).toThrow(expect.objectContaining(REFUSAL));
  limit.enter('mutating', { ...ANYONE, isUrgent: true });
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  limit.enter('readonly', ANYONE);
  expect(() => limit.enter('readonly', ANYONE)).toThrow(expect.objectContaining(REFUSAL));
});

it('bounds the bytes that all hold together', () => {
  const budget = new ByteBudget(100);
  budget.take(60, undefined);
  expect(() => budget.take(41, undefined)).toThrow(expect.objectContaining(REFUSAL));
  budget.take(40, undefined);
  budget.release(60, undefined);
  budget.take(60, undefined);
});

it('serves of one sharer no more than half, however urgent', () => {
  const limit = new InFlightLimit({ readonly: 4, mutating: 4 });
  const a = { sharer: 'a', isUrgent: true };
  const place = limit.enter('readonly', a);
  limit.enter('readonly', a);
  expect(() => limit.enter('readonly', a)).toThrow(expect.objectContaining(REFUSAL));
  limit.enter('mutating', a);
  limit.enter('readonly', { sharer: 'b', isUrgent: false });
  place[Symbol.dispose]();
  limit.enter('readonly', a);
});

it('lets one sharer hold no more than half of the bytes', () => {
  const budget = new ByteBudget(100);
  budget.take(50, 'a');
  expect(() => budget.take(1, 'a')).toThrow(expect.objectContaining(REFUSAL));
  budget.take(30, 'b');
  budget.release(50, 'a');
  budget.take(20, 'a');
  budget.take(50, undefined);
});
