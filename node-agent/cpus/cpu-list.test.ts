import fc from 'fast-check';

import { formatCpuList, parseCpuList, without } from './cpu-list';

describe('lists of processors', () => {
  it('are read as the kernel writes them', () => {
    expect(parseCpuList('0-2,7\n')).toEqual([0, 1, 2, 7]);
    expect(parseCpuList('3,1-2,2')).toEqual([1, 2, 3]);
    expect(parseCpuList('')).toEqual([]);
  });

  it.each(['a', '1-', '-1', '1--2', '2-1', '0-99999', '1,,2', '1.5'])('refuses %s', (text) => {
    expect(() => parseCpuList(text)).toThrow(/invalid|beyond/);
  });

  it('survive being written and read', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(300)), (cpus) => {
        const sorted = cpus.toSorted((a, b) => a - b);
        expect(parseCpuList(formatCpuList(sorted))).toEqual(sorted);
      }),
    );
  });

  it('lose what is taken', () => {
    expect(without([0, 1, 2], [1, 5])).toEqual([0, 2]);
  });
});
