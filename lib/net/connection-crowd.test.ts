import { EventEmitter } from 'node:events';
import { ConnectionCrowd } from './connection-crowd';

class FakeSocket extends EventEmitter {
  destroyed = false;
  destroy() {
    this.destroyed = true;
    this.emit('close');
    return this as never;
  }
}

const open = (crowd: ConnectionCrowd, sharer: string, count: number) =>
  Array.from({ length: count }, () => {
    const socket = new FakeSocket();
    crowd.admit(socket as never, sharer);
    crowd.admit(socket as never, sharer);
    return socket;
  });

const cutOf = (sockets: readonly FakeSocket[]) =>
  sockets.flatMap(({ destroyed }, i) => (destroyed ? [i] : []));

it('cuts the oldest connections of whoever has most', () => {
  const crowd = new ConnectionCrowd(10);
  const few = open(crowd, 'b', 2);
  const many = open(crowd, 'a', 10);
  const late = open(crowd, 'c', 3);
  expect([cutOf(few), cutOf(many), cutOf(late)]).toEqual([[], [0, 1, 2, 3, 4], []]);
});

it('does not count who has left', () => {
  const crowd = new ConnectionCrowd(2);
  for (let i = 0; i < 5; i++) for (const socket of open(crowd, 'a', 2)) socket.destroy();
  expect(cutOf(open(crowd, 'b', 2))).toEqual([]);
});
