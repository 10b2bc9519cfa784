import { ApiError } from './errors';

it('takes a reason that is none for what the code says', () => {
  for (const reason of ['toString', 'constructor', '__proto__', 'Odd']) {
    const error = ApiError.fromStatus({ reason, message: 'm' });
    expect([error.reason, error.code, error.message]).toEqual(['InternalError', 500, 'm']);
  }
  expect(ApiError.fromStatus({ reason: 'NotFound' }).code).toBe(404);
});
