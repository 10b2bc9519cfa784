import { gunzipSync } from 'node:zlib';
import { Compression } from './compression';
import type { ApiResponse } from './exchange';

const alive = () => new AbortController().signal;
const large = (vary?: string): ApiResponse => ({
  status: 200,
  headers: vary === undefined ? {} : { vary },
  body: 'x'.repeat(200_000),
});
const read = async ({ body }: ApiResponse): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
};
async function* pieces(failing = false) {
  yield Buffer.from('a');
  await new Promise((resolve) => setImmediate(resolve));
  if (failing) throw new Error('gone');
  yield Buffer.from('b');
}

it('compresses what is large', async () => {
  const answer = new Compression().apply(large('Accept'), 'deflate, gzip', alive());
  expect(answer.headers).toEqual({ vary: 'Accept, Accept-Encoding', 'content-encoding': 'gzip' });
  const sent = await read(answer);
  expect(sent.length).toBeLessThan(2000);
  expect(gunzipSync(sent).toString()).toBe(large().body);
});

it('compresses a document that comes in pieces', async () => {
  const answer = { status: 200, body: pieces(), isDocument: true };
  const sent = await read(new Compression().apply(answer, 'gzip', alive()));
  expect(gunzipSync(sent).toString()).toBe('ab');
});

it.each<[string, ApiResponse, string | undefined]>([
  ['a small answer', { status: 200, body: 'x'.repeat(128 * 1024) }, 'gzip'],
  ['an error', { ...large(), status: 500 }, 'gzip'],
  ['events', { status: 200, body: pieces() }, 'gzip'],
  ['nothing', { status: 304 }, 'gzip'],
  ['what nobody asked for', large(), undefined],
  ['what is refused', large(), 'gzip;q=0, br'],
])('leaves %s as it is', (_title, answer, encoding) => {
  const sent = new Compression().apply(answer, encoding, alive());
  expect(sent.body).toBe(answer.body);
  expect(sent.headers?.['content-encoding']).toBeUndefined();
});

it('compresses only so many at a time, and sends the others as they are', async () => {
  const compression = new Compression(1);
  const first = compression.apply(large(), 'gzip', alive());
  const reading = (first.body as AsyncGenerator<Uint8Array>).next();
  const second = compression.apply(large(), 'gzip', alive());
  expect(second.body).toBe(large().body);
  await reading;
  await (first.body as AsyncGenerator<Uint8Array>).return(undefined);
  expect(compression.apply(large(), 'gzip', alive()).headers).toHaveProperty('content-encoding');
});

it('ends with the request, and with what fails', async () => {
  const compression = new Compression(1);
  const gone = new AbortController();
  async function* endless() {
    while (!gone.signal.aborted) {
      yield Buffer.alloc(65_536);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const answer = { status: 200, body: endless(), isDocument: true };
  const reading = read(compression.apply(answer, 'gzip', gone.signal));
  setImmediate(() => gone.abort());
  await expect(reading).rejects.toThrow();
  const failing = { status: 200, body: pieces(true), isDocument: true };
  await expect(read(compression.apply(failing, 'gzip', alive()))).rejects.toThrow('gone');
  expect(compression.apply(large(), 'gzip', alive()).headers).toHaveProperty('content-encoding');
});
