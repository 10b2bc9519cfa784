import { connect, createServer, type Server, type Socket, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { DICTIONARY } from './dictionary';
import { FrameReader, dataFrame, openFrame } from './frames';
import { HeaderCodec } from './headers';
import { SpdySession, type SpdyStream } from './session';

let server: Server;
let sockets: Socket[];

const pair = async (): Promise<readonly [Socket, Socket]> => {
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(client, await accepted);
  return [client, await accepted];
};

beforeEach(async () => {
  sockets = [];
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const sessions = async (onStream: (stream: SpdyStream) => void, streamsMax = 10) => {
  const [near, far] = await pair();
  const client = new SpdySession(near, { role: 'client', streamsMax: 0 });
  const other = new SpdySession(far, { role: 'server', onStream, streamsMax });
  const ends = [client.run().catch(String), other.run().catch(String)];
  return { client, other, near, ends };
};

it('knows the dictionary of the protocol', () => {
  expect(DICTIONARY).toHaveLength(1423);
});

it('carries headers, both directions and both ends of several streams', async () => {
  const { client } = await sessions((stream) => {
    stream.write(`${stream.headers['name'] ?? ''}:`);
    stream.pipe(stream);
  });
  const streams = await Promise.all(['a', 'b', 'c'].map((name) => client.open({ Name: name })));
  const big = 'x'.repeat(3_000_000);
  const texts = streams.map((stream) => {
    stream.end(big);
    return text(stream);
  });
  expect(await Promise.all(texts)).toEqual(['a', 'b', 'c'].map((name) => `${name}:${big}`));
});

it('refuses more streams than it may have, and goes on with the others', async () => {
  const { client } = await sessions((stream) => void stream.pipe(stream), 1);
  const first = await client.open({});
  const second = await client.open({});
  await new Promise((resolve) => second.once('close', resolve));
  first.end('still here');
  expect(await text(first)).toBe('still here');
});

it('ends all streams with the connection', async () => {
  const { client, near, ends } = await sessions(() => undefined);
  const stream = await client.open({});
  near.destroy();
  await Promise.all(ends);
  expect(stream.destroyed).toBe(true);
});

it.each([
  ['another version', Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0])],
  ['a frame that is too long', Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])],
  ['a frame that is too short', Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 2, 0, 0])],
  ['headers that are no headers', openFrame(1, Buffer.from('nonsense'))],
  ['a stream number of ours', openFrame(2, Buffer.alloc(0))],
])('ends the connection at %s', async (_title, bytes) => {
  const { near, ends } = await sessions(() => undefined);
  near.write(bytes);
  expect(await ends[1]).toMatch(/SpdyError/);
});

it('ends the connection at a few bytes that become very many', async () => {
  const { near, ends } = await sessions(() => undefined);
  const codec = new HeaderCodec();
  near.write(openFrame(1, await codec.encode({ bomb: 'x'.repeat(5_000_000) })));
  expect(await ends[1]).toMatch(/too long/);
});

it('reads frames however they are cut', () => {
  const bytes = Buffer.concat([
    dataFrame(1, Buffer.from('hello'), false),
    dataFrame(3, Buffer.alloc(0), true),
  ]);
  const reader = new FrameReader();
  const frames = [...bytes].flatMap((byte) => [...reader.read(Buffer.of(byte))]);
  const data = frames.flatMap((frame) => (frame.type === 'data' ? [frame] : []));
  expect(Buffer.concat(data.map((frame) => frame.data)).toString()).toBe('hello');
  expect(data.at(-1)).toMatchObject({ streamId: 3, isFinal: true });
});
