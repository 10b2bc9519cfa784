import { EventEmitter } from 'node:events';
import type { WebSocket } from 'ws';
import { portChannels, portsOf } from './port-channels';

const ports = (query: string) => portsOf(new URLSearchParams(query));

describe('the ports that a client asks for', () => {
  it('come one by one or between commas', () => {
    expect(ports('ports=80&ports=443,65535')).toEqual([80, 443, 65_535]);
  });

  it.each([
    ['', 'query parameter "ports" is required'],
    ['ports=', 'unable to parse "" as a port'],
    ['ports=80,', 'unable to parse "" as a port'],
    ['ports=0', 'unable to parse "0" as a port'],
    ['ports=65536', 'unable to parse "65536" as a port'],
    ['ports=1e3', 'unable to parse "1e3" as a port'],
    [`ports=${'1,'.repeat(64)}1`, 'query parameter "ports": at most 64 at a time'],
  ])('are refused as %j', (query, why) => {
    expect(() => ports(query)).toThrow(why);
  });
});

it('lets a client wait while any of its ports is full', async () => {
  const socket = new EventEmitter();
  let isPaused = false;
  const webSocket = Object.assign(socket, {
    pause: () => (isPaused = true),
    resume: () => (isPaused = false),
    send: (_frame: Buffer, _options: object, done: () => void) => done(),
  });
  const [idle, busy] = portChannels(webSocket as unknown as WebSocket, [80, 81]);
  const send = (channel: number, byteCount: number) =>
    socket.emit('message', Buffer.concat([Buffer.of(channel), Buffer.alloc(byteCount)]), true);
  send(0, 100_000);
  expect(isPaused).toBe(true);
  // What the other one reads in the meantime does not let more come.
  busy?.data.resume();
  send(2, 100_000);
  await new Promise(setImmediate);
  expect([isPaused, busy?.data.readableLength]).toEqual([true, 0]);
  idle?.data.resume();
  await new Promise(setImmediate);
  expect(isPaused).toBe(false);
  send(9, 1);
  socket.emit('close');
  expect(idle?.data.destroyed).toBe(true);
});
