import fc from 'fast-check';

import { readResult } from './result';

const result = {
  cniVersion: '1.0.0',
  interfaces: [
    { name: 'cni0', mac: '02:00:00:00:00:01' },
    { name: 'veth1' },
    { name: 'eth0', sandbox: '/run/netns/a' },
  ],
  ips: [
    { address: '10.0.0.1/24', interface: 0 },
    { address: 'fd00::2/64', interface: 2 },
    { address: '10.0.0.2/24', interface: 2 },
    { address: '10.0.0.3/24' },
  ],
};

it('finds the sandbox’s addresses, one of a family, in the order of the families', () => {
  expect(readResult(result, [4, 6])).toEqual({
    ...{ ips: ['10.0.0.2', 'fd00::2'], hostInterface: 'veth1' },
  });
  expect(readResult(result, [6]).ips).toEqual(['fd00::2', '10.0.0.2']);
});

it('takes addresses without interfaces, as version 0.3 writes them', () => {
  const ips = [{ version: '4', address: '10.0.0.2/24' }];
  expect(readResult({ cniVersion: '0.3.1', ips }, [4])).toEqual({
    ...{ ips: ['10.0.0.2'], hostInterface: '' },
  });
});

it.each([[{}], [{ ips: null }], [{ ips: [{ address: 'nonsense' }] }], [{ ips: [] }]])(
  'finds no address in %j',
  (empty) => {
    expect(() => readResult(empty, [4])).toThrow('the CNI network has given no address');
  },
);

it('never breaks on what a plugin may write', () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 2 }),
      fc.array(fc.jsonValue({ maxDepth: 2 })),
      (any, ips) => {
        for (const value of [any, { ips, interfaces: [any] }])
          try {
            expect(readResult(value, [4]).ips.length).toBeLessThanOrEqual(2);
          } catch (error) {
            expect(String(error)).toMatch(/the (result of the )?CNI network/);
          }
      },
    ),
  );
});
