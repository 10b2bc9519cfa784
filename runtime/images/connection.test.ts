import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';

import { ManualClock } from '../../lib/clock';
import { connectionError, watchProgress, within } from './connection';

const url = new URL('https://reg.example/v2/');
const errorWith = (fields: object): Error => Object.assign(new Error('why'), fields);
const turns = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};

it.each([
  [{ code: 'EAI_AGAIN' }, true],
  [{ code: 'ENOTFOUND' }, true],
  [{ code: 'ENETUNREACH' }, true],
  [{ code: 'EHOSTUNREACH' }, true],
  [{ code: 'ETIMEDOUT', syscall: 'connect' }, true],
  [{ code: 'ETIMEDOUT', syscall: 'read' }, false],
  [{ code: 'ECONNREFUSED' }, false],
  [{ code: 'ECONNRESET' }, false],
])('of %j it is %s that there is no way to the server', (fields, isUnreachable) => {
  expect(connectionError(url, errorWith(fields)).isUnreachable).toBe(isUnreachable);
});

it('tells of all addresses of a name', () => {
  const [no, refused] = [errorWith({ code: 'ENETUNREACH' }), errorWith({ code: 'ECONNREFUSED' })];
  no.message = 'no way';
  const both = connectionError(url, new AggregateError([no, refused]));
  expect([both.message, both.isUnreachable]).toEqual(['https://reg.example: no way, why', false]);
  expect(connectionError(url, new AggregateError([no, no])).isUnreachable).toBe(true);
});

describe('what is waited for', () => {
  const setUp = () => {
    const clock = new ManualClock();
    const errors: string[] = [];
    const stream = { destroy: ({ message }: Error) => errors.push(message) };
    const lateError = (limit: string) => new Error(`late ${limit}`);
    return { clock, errors, wait: { stream, limitMs: 1000, clock, lateError } };
  };

  it('is destroyed when it takes too long, and not before', async () => {
    const { clock, errors, wait } = setUp();
    void within(wait, () => new Promise(() => undefined));
    await clock.advance(999);
    await turns();
    expect(errors).toEqual([]);
    await clock.advance(1);
    await turns();
    expect(errors).toEqual(['late within 1 s']);
  });

  it('is not late when only this process is', async () => {
    const { clock, errors, wait } = setUp();
    // As after a stall: what has come is read in the same turn in which the timer fires.
    const work = within(
      wait,
      () => new Promise((resolve) => setImmediate(() => resolve('in time'))),
    );
    await clock.advance(1000);
    expect(await work).toBe('in time');
    await turns();
    expect(errors).toEqual([]);
  });
});

describe('a body', () => {
  const setUp = () => {
    const clock = new ManualClock();
    const socket = { bytesRead: 0 };
    const body = Object.assign(new PassThrough(), { socket });
    const errors: string[] = [];
    body.on('error', ({ message }) => errors.push(message));
    watchProgress(body as unknown as IncomingMessage, clock, {
      progressMs: 1000,
      progressBytes: 100,
    });
    const pass = async (bytes: number): Promise<void> => {
      socket.bytesRead += bytes;
      await clock.advance(1000);
      await turns();
    };
    return { body, errors, pass };
  };

  it('is given up when it comes too slowly', async () => {
    const { errors, pass } = setUp();
    await pass(100);
    expect(errors).toEqual([]);
    await pass(99);
    expect(errors).toEqual(['no progress: 99 bytes in 1 s']);
  });

  it('is not slow while it waits for its reader', async () => {
    const { body, errors, pass } = setUp();
    body.write('unread');
    await pass(0);
    await pass(0);
    expect(errors).toEqual([]);
    body.resume();
    await pass(0);
    expect(errors).toEqual(['no progress: 0 bytes in 1 s']);
  });
});
