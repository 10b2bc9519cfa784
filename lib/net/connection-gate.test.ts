import { EventEmitter } from 'node:events';
import { ManualClock } from '../clock';
import { ConnectionGate, type GatedSocket } from './connection-gate';

const clock = new ManualClock();

class FakeSocket extends EventEmitter {
  destroyed = false;
  constructor(
    readonly remoteAddress: string,
    readonly remotePort: number,
  ) {
    super();
  }
  destroy() {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

const socket = (address: string, port: number) =>
  new FakeSocket(address, port) as unknown as GatedSocket;

const crowd = (gate: ConnectionGate, address: string, count: number) =>
  Array.from({ length: count }, (_none, port) => {
    const each = socket(address, port);
    gate.admit(each);
    return each;
  });

const cutOf = (sockets: readonly GatedSocket[]) =>
  sockets.flatMap(({ destroyed }, i) => (destroyed ? [i] : []));

it('cuts the oldest strangers of an address that has too many', () => {
  const gate = new ConnectionGate(clock, { perAddressMax: 3, totalMax: 100 });
  expect(cutOf(crowd(gate, 'a', 5))).toEqual([0, 1]);
  expect(cutOf(crowd(gate, 'b', 3))).toEqual([]);
  expect(gate.strangerCount).toBe(6);
});

it('cuts those of the most crowded address when all together are too many', () => {
  const gate = new ConnectionGate(clock, { perAddressMax: 10, totalMax: 8 });
  const many = crowd(gate, 'a', 7);
  const few = crowd(gate, 'b', 3);
  expect([cutOf(many), cutOf(few)]).toEqual([[0, 1], []]);
});

it('does not count who has proven itself, or has left', () => {
  const gate = new ConnectionGate(clock, { perAddressMax: 2, totalMax: 2 });
  const [first, second] = crowd(gate, 'a', 2);
  // The socket of another layer, of the same connection.
  gate.prove(socket('a', 0));
  second?.destroy();
  expect(gate.strangerCount).toBe(0);
  first?.destroy();
  expect(gate.strangerCount).toBe(0);
  expect(cutOf(crowd(gate, 'a', 2))).toEqual([]);
});

it('cuts who stays a stranger for too long', async () => {
  const gate = new ConnectionGate(clock, { perAddressMax: 5, totalMax: 5, provenWithinMs: 20 });
  const [stranger, known] = crowd(gate, 'a', 2);
  gate.prove(socket('a', 1));
  await clock.advance(20);
  expect([stranger?.destroyed, known?.destroyed]).toEqual([true, false]);
});
