import { allocatePodCidrs } from './pod-cidr';

const allocated = (cidr: string, ...used: readonly string[]) =>
  allocatePodCidrs([cidr], new Set(used))[0];

it('hands out the first range of a node that is free', () => {
  expect(allocated('10.42.0.0/16')).toBe('10.42.0.0/24');
  expect(allocated('10.42.0.0/16', '10.42.0.0/24', '10.42.2.0/24')).toBe('10.42.1.0/24');
  expect(allocated('192.168.5.77/23', '192.168.4.0/24')).toBe('192.168.5.0/24');
  expect(allocated('fd00:1::/48', 'fd00:1::/64')).toBe('fd00:1:0:1::/64');
});

it('hands out one of each family, in the order of the ranges', () => {
  const ranges = ['fd00:1::/48', '10.42.0.0/16'];
  expect(allocatePodCidrs(ranges, new Set())).toEqual(['fd00:1::/64', '10.42.0.0/24']);
  const used = new Set(['fd00:1::/64', '10.42.0.0/24', '10.42.1.0/24']);
  expect(allocatePodCidrs(ranges, used)).toEqual(['fd00:1:0:1::/64', '10.42.2.0/24']);
});

it('says when the range is used up or makes no sense', () => {
  expect(() => allocated('10.0.0.0/24', '10.0.0.0/24')).toThrow('no free /24');
  expect(() => allocated('fd00::/64', 'fd00::/64')).toThrow('no free /64');
  for (const bad of ['', '10.0.0.0', '10.0.0.0/25', '10.0.0.256/16', 'fd00::/65'])
    expect(() => allocated(bad)).toThrow('invalid cluster range');
});
