import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { send } from './send';

/** A response whose peer never reads. */
class UnreadResponse extends Writable {
  statusCode = 0;
  setHeader = () => this;
  flushHeaders = () => undefined;
  override _write(): void {
    // Nobody takes it.
  }
}

it('takes no more of a long answer than a little, while nobody reads it', async () => {
  const response = new UnreadResponse();
  const gone = new AbortController();
  let bytes = 0;
  async function* pieces() {
    for (let i = 0; i < 100; i++) {
      bytes += 128 * 1024;
      yield Buffer.alloc(128 * 1024);
      await new Promise((resolve) => setImmediate(resolve));
    }
    gone.abort();
  }
  const answer = { status: 200, body: pieces() };
  const options = { omitsBody: false, signal: gone.signal };
  const sent = send(response as unknown as ServerResponse, answer, options);
  for (let i = 0; i < 300; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(bytes).toBeLessThanOrEqual(512 * 1024);
  gone.abort();
  await sent;
  expect(response.destroyed).toBe(true);
});
