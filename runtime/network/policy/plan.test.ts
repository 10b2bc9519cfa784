import { NO_POLICIES, type PacketPolicies, type PacketRule } from '../../packet-policies';
import { planPolicies, wouldPass } from './plan';
import { tableText } from './text';

const ADDRESSES = new Map([['web', ['10.42.0.2']]]);

const planOf = (rule: PacketRule, more: Partial<PacketPolicies> = {}) =>
  planPolicies(
    {
      ...NO_POLICIES,
      sandboxes: new Map([['web', { ingress: ['p'] }]]),
      policies: new Map([['p', { ingress: [rule], egress: [] }]]),
      ...more,
    },
    ADDRESSES,
    4,
  );

const from = (source: string, port = 80, protocol = 'tcp') => ({
  ...{ source, port, protocol },
  destination: '10.42.0.2',
});

it('joins ranges of ports that touch, and leaves out holes in holes: nft takes none twice', () => {
  const ports = [
    { protocol: 'tcp' as const, first: 80, last: 90 },
    { protocol: 'tcp' as const, first: 91 },
    { protocol: 'tcp' as const, first: 85, last: 86 },
    { protocol: 'tcp' as const, first: 443 },
    { protocol: 'udp' as const },
  ];
  const except = ['10.1.2.0/24', '10.1.2.128/25', '10.1.3.7/24'];
  const text = tableText('t', planOf({ peers: [{ cidr: '10.1.9.9/16', except }], ports }));
  expect(text).toContain(
    'ip saddr 10.1.0.0/16 ip saddr != { 10.1.2.0/24, 10.1.3.0/24 } tcp dport { 80-91, 443 } accept',
  );
  expect(text).toContain('meta l4proto udp accept');
});

it('lets nobody in by a block of addresses that sandboxes do not have', () => {
  const plan = planOf({ peers: [{ cidr: '2001:db8::/32', except: [] }] });
  expect(wouldPass(plan, from('10.42.0.3'))).toBe(false);
  expect(wouldPass(plan, from('10.42.0.2'))).toBe(true);
});

it('lets nothing pass for a sandbox of which nobody has said what holds', () => {
  const plan = planOf({}, { sandboxes: new Map() });
  expect(wouldPass(plan, from('10.42.0.3'))).toBe(false);
  expect(wouldPass(plan, { ...from('10.42.0.2'), destination: '10.42.0.3' })).toBe(false);
});

it('gives what means the same the same name, and what does not another', () => {
  const names = (rule: PacketRule) => [...planOf(rule).chains.keys()];
  const ports = (first: number) => ({ ports: [{ protocol: 'tcp' as const, first }] });
  expect(names(ports(80))).toEqual(names(ports(80)));
  expect(names(ports(80))).not.toEqual(names(ports(81)));
});
