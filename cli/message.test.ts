import { ApiError } from '../api/errors';
import { messageOf } from './message';
import { UsageError } from './usage-error';

it.each<Error>([
  new ApiError('BadRequest', 'unknown field "f\u001b[2J"'),
  new UsageError('no matches for kind "a\u009b2J"'),
  new AggregateError([new Error('a\u001b]0;title\u0007'), new Error('b')]),
])('lets no text of others drive the terminal: %p', (error) => {
  expect(messageOf(error)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

it('keeps the lines of what went wrong', () => {
  expect(messageOf(new AggregateError([new UsageError('a'), new UsageError('b')]))).toBe(
    'error: a\nerror: b',
  );
});
