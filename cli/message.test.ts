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

it.each<[object, string]>([
  [
    { kind: 'Pod', name: 'a', causes: [{ field: 'spec.x', message: 'Required value' }] },
    'The Pod "a" is invalid: spec.x: Required value',
  ],
  [
    {
      ...{ kind: 'Pod', name: 'a' },
      causes: [
        { field: 'x', message: 'no' },
        { field: 'y', message: 'no' },
        { field: 'x', message: 'no' },
      ],
    },
    'The Pod "a" is invalid: \n* x: no\n* y: no',
  ],
  [{ kind: 'Pod', name: 'a' }, 'The Pod "a" is invalid'],
  [{ causes: [{ field: 'patch', message: 'bad' }] }, 'The request is invalid: patch: bad'],
  [{}, 'The request is invalid: whole'],
])('says what is invalid as kubectl does: %j', (details, text) => {
  expect(messageOf(new ApiError('Invalid', 'whole', { details }))).toBe(text);
});
