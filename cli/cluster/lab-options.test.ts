import { fillOf, forMsOf, partitionOf, slownessOf } from './lab-options';

const NODES = ['node-1', 'node-2', 'node-3'];

it('reads how slow a wire is to be', () => {
  expect(slownessOf({ delay: '1.5s', jitter: '20ms', loss: '0.25%', rate: '1M' })).toEqual({
    ...{ delayMs: 1500, jitterMs: 20, lossPercent: 0.25, bitsPerSecond: 1_000_000 },
  });
  expect(slownessOf({ loss: '100' })).toEqual({ lossPercent: 100 });
});

it.each([
  [{}, /say how slow/],
  [{ jitter: '1ms' }, /give --delay as well/],
  [{ delay: '0' }, /--delay: 0 is not between 1ms and 60s/],
  [{ delay: '-1s' }, /--delay: -1s is not between/],
  [{ delay: '61s' }, /--delay: 61s is not between/],
  [{ delay: 'long' }, /--delay: "long" is not a duration/],
  [{ loss: '0' }, /--loss: "0" is not a share/],
  [{ loss: '101%' }, /--loss: "101%" is not a share/],
  [{ loss: '1e1' }, /--loss: "1e1" is not a share/],
  [{ rate: '10' }, /--rate: "10" is not bits a second/],
  [{ rate: '1M; rm' }, /--rate: "1M; rm" is not bits a second/],
])('refuses %j', (flags, message) => {
  expect(() => slownessOf(flags)).toThrow(message);
});

it('reads from whom a node is cut off', () => {
  expect(partitionOf(['node-1'], NODES, undefined)).toEqual({ kind: 'partition' });
  expect(partitionOf(['node-1'], NODES, ['server', 'node-3'])).toEqual({
    ...{ kind: 'partition', from: ['server', 'node-3'] },
  });
  expect(() => partitionOf(['node-1'], NODES, ['node-4'])).toThrow(
    '--from: "node-4" is neither server nor one of node-1, node-2, node-3',
  );
  expect(() => partitionOf(['node-1', 'node-2'], NODES, ['node-2'])).toThrow(
    '--from: node-2 is not cut off from itself',
  );
});

it('reads how long, and how much is left', () => {
  expect(forMsOf('--for', undefined)).toBeUndefined();
  expect(forMsOf('--for', '1m30s')).toBe(90_000);
  expect(() => forMsOf('--for', '25h')).toThrow('--for: 25h is not between 1ms and 86400s');
  expect(fillOf('16Mi')).toEqual({ kind: 'fill-disk', leaveBytes: 16 * 2 ** 20 });
  expect(() => fillOf('-1Mi')).toThrow('--leave: "-1Mi" is not a size');
  expect(() => fillOf('much')).toThrow('--leave: "much" is not a size');
});
