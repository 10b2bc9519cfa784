import { ipOf } from '../../lib/net/ip';
import { type HostPort } from '../pod-network';
import { changedPorts, hostPortRules } from './host-ports';

const port = (more: Partial<HostPort> = {}): HostPort => ({
  protocol: 'tcp',
  hostIp: '0.0.0.0',
  hostPort: 8080,
  podIp: '10.42.0.2',
  podPort: 80,
  ...more,
});
const rulesOf = (...ports: readonly HostPort[]) =>
  hostPortRules('dh', ports, [ipOf('192.0.2.1')!, ipOf('fd00::1')!]);

it('makes no table without ports, and none for addresses of another family than the pod has', () => {
  const nothing = ['ip', 'ip6']
    .map((word) => `add table ${word} dhow-dh-ports\ndelete table ${word} dhow-dh-ports\n`)
    .join('');
  expect(rulesOf()).toBe(nothing);
  expect(rulesOf(port({ hostIp: '::' }))).toBe(nothing);
  expect(rulesOf(port({ hostIp: '192.0.2.1', podIp: 'fd00:1::2' }))).toBe(nothing);
  expect(rulesOf(port({ podIp: '10.42.0.300' }))).toBe(nothing);
});

it('leads to a pod by the family that it has', () => {
  const rules = rulesOf(port(), port({ podIp: 'fd00:1::2' }));
  expect(rules).toContain('elements = { tcp . 8080 : 10.42.0.2 . 80 }');
  expect(rules).toContain('elements = { tcp . 8080 : fd00:1::2 . 80 }');
  expect(rules).toContain('ct status dnat ip6 saddr ::1 snat to fd00::1');
  expect(rulesOf(port({ podIp: 'fd00:1::2' }))).not.toContain('table ip dhow-dh-ports {');
});

it('tells ports of all addresses from those of one', () => {
  const rules = rulesOf(port(), port({ protocol: 'udp', hostIp: '192.0.2.1', hostPort: 53 }));
  expect(rules).toContain('elements = { tcp . 8080 : 10.42.0.2 . 80 }');
  expect(rules).toContain('elements = { 192.0.2.1 . udp . 53 : 10.42.0.2 . 80 }');
  expect(rules).toContain('snat to 192.0.2.1');
});

it('is the same whatever the order, and gives a port claimed twice to the first', () => {
  const other = port({ hostPort: 8081, podIp: '10.42.0.3' });
  expect(rulesOf(port(), other)).toBe(rulesOf(other, port()));
  const rules = rulesOf(port(), port({ podIp: '10.42.0.9' }));
  expect(rules.match(/tcp \. 8080 : \S+/g)).toEqual(['tcp . 8080 : 10.42.0.2']);
});

it('knows which ports lead elsewhere', () => {
  const moved = port({ podIp: '10.42.0.3' });
  expect(changedPorts([port()], [port()])).toEqual([]);
  expect(changedPorts([], [port()])).toEqual([port()]);
  expect(changedPorts([port()], [])).toEqual([port()]);
  expect(changedPorts([port()], [moved])).toEqual([port(), moved]);
});
