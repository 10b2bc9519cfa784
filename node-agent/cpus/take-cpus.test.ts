import fc from 'fast-check';

import { takeCpus } from './take-cpus';
import { machine } from './testing';
import type { CpuTopology } from './topology';

const all = (topology: CpuTopology) => topology.map(({ id }) => id);

describe('the choice of processors', () => {
  const twoSockets = machine(2, 6, 2);

  it('takes whole cores', () => {
    expect(takeCpus(twoSockets, all(twoSockets), 2)).toEqual([0, 12]);
    expect(takeCpus(twoSockets, all(twoSockets), 4)).toEqual([0, 1, 12, 13]);
  });

  it('takes a whole socket, and what is more beside it', () => {
    const socket = [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17];
    expect(takeCpus(twoSockets, all(twoSockets), 12)).toEqual(socket);
    expect(takeCpus(twoSockets, all(twoSockets).slice(1), 12)).toEqual(socket.map((id) => id + 6));
  });

  it('takes the rest of a core that is broken into rather than to break another', () => {
    const free = all(twoSockets).filter((id) => id !== 3);
    expect(takeCpus(twoSockets, free, 1)).toEqual([15]);
    expect(takeCpus(twoSockets, free, 3)).toEqual([0, 12, 15]);
  });

  it('stays in a NUMA node that is smaller than its socket', () => {
    const topology = machine(1, 8, 2, 2);
    const free = all(topology).filter((id) => id !== 0);
    expect(takeCpus(topology, free, 8)).toEqual([4, 5, 6, 7, 12, 13, 14, 15]);
  });

  it('has nothing to give beyond what is free', () => {
    expect(takeCpus(twoSockets, [0, 1], 3)).toBeUndefined();
    expect(takeCpus(twoSockets, [], 0)).toEqual([]);
  });

  it('takes as many as asked for, free ones, and breaks into one whole core at most', () => {
    const anyMachine = fc
      .tuple(
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(2, 4, 8),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(1, 2),
      )
      .map((shape) => machine(...shape));
    const cases = anyMachine.chain((topology) =>
      fc.record({
        topology: fc.constant(topology),
        free: fc.subarray(all(topology)),
        count: fc.nat(topology.length),
      }),
    );
    fc.assert(
      fc.property(cases, ({ topology, free, count }) => {
        const taken = takeCpus(topology, free, count);
        expect(taken === undefined).toBe(free.length < count);
        if (taken === undefined) return;
        expect(new Set(taken).size).toBe(count);
        expect(taken.every((id) => free.includes(id))).toBe(true);
        expect(takeCpus(topology, free, count)).toEqual(taken);
        const broken = [...new Set(topology.map(({ core }) => core))].filter((name) => {
          const threads = topology.filter(({ core }) => core === name);
          const isWhole = threads.every(({ id }) => free.includes(id));
          const takenCount = threads.filter(({ id }) => taken.includes(id)).length;
          return isWhole && takenCount > 0 && takenCount < threads.length;
        });
        expect(broken.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });
});
