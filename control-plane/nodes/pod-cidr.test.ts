import { allocatePodCidr } from './pod-cidr';

it('hands out the first free /24', () => {
  expect(allocatePodCidr('10.42.0.0/16', new Set())).toBe('10.42.0.0/24');
  expect(allocatePodCidr('10.42.0.0/16', new Set(['10.42.0.0/24', '10.42.2.0/24']))).toBe(
    '10.42.1.0/24',
  );
  expect(allocatePodCidr('192.168.5.77/23', new Set(['192.168.4.0/24']))).toBe('192.168.5.0/24');
});

it('says when the range is used up or makes no sense', () => {
  expect(() => allocatePodCidr('10.0.0.0/24', new Set(['10.0.0.0/24']))).toThrow('no free /24');
  for (const bad of ['', '10.0.0.0', '10.0.0.0/25', '10.0.0.256/16', '::/16'])
    expect(() => allocatePodCidr(bad, new Set())).toThrow('invalid cluster range');
});
