import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { ApiError } from '../../../api/errors';
import { ManualClock } from '../../../lib/clock';
import { MAX_BODY_BYTES, readBody } from './read-body';

const begun = (headers: Record<string, string> = {}) => {
  const stream = new PassThrough();
  const request = Object.assign(stream, { headers }) as unknown as IncomingMessage;
  return { stream, request, clock: new ManualClock() };
};

it('joins what comes, and tells of each piece', async () => {
  const { stream, request, clock } = begun();
  const held: number[] = [];
  const body = readBody(request, clock, (bytes) => held.push(bytes));
  stream.write('ab');
  await setImmediate();
  stream.end('cde');
  expect((await body).toString()).toBe('abcde');
  expect(held).toEqual([2, 3]);
});

it('leaves the rest of a body that is refused to come, so that the answer is read', async () => {
  const { stream, request, clock } = begun();
  const refusal = new ApiError('TooManyRequests', 'no room');
  const body = readBody(request, clock, () => {
    throw refusal;
  });
  stream.write('ab');
  await expect(body).rejects.toBe(refusal);
  stream.end('the rest');
  await setImmediate();
  expect([stream.destroyed && !stream.readableEnded, stream.readableEnded]).toEqual([false, true]);
});

it('takes no more than the limit, whether that is said before or not', async () => {
  const said = begun({ 'content-length': String(MAX_BODY_BYTES + 1) });
  await expect(readBody(said.request, said.clock, () => undefined)).rejects.toMatchObject({
    reason: 'RequestEntityTooLarge',
  });
  const unsaid = begun();
  const body = readBody(unsaid.request, unsaid.clock, () => undefined);
  unsaid.stream.write(Buffer.alloc(MAX_BODY_BYTES));
  unsaid.stream.write('a');
  await expect(body).rejects.toMatchObject({ reason: 'RequestEntityTooLarge' });
  expect(unsaid.stream.destroyed).toBe(false);
});

it('refuses what is cut off, before or while it is read', async () => {
  const cut = { reason: 'BadRequest', message: 'the request body was cut off' };
  const during = begun();
  const body = readBody(during.request, during.clock, () => undefined);
  during.stream.write('ab');
  during.stream.destroy();
  await expect(body).rejects.toMatchObject(cut);
  const before = begun();
  before.stream.destroy();
  await setImmediate();
  await expect(readBody(before.request, before.clock, () => undefined)).rejects.toMatchObject(cut);
});

it('waits no longer than its time', async () => {
  const { stream, request, clock } = begun();
  const body = readBody(request, clock, () => undefined);
  stream.write('ab');
  const refused = expect(body).rejects.toMatchObject({ reason: 'BadRequest' });
  await clock.advance(30_000);
  await refused;
});
