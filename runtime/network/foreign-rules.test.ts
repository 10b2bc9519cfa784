import { foreignRulesOf } from './foreign-rules';
import type { NftChain } from './netlink/nft-watch';

const chain = (fields: Partial<NftChain>): NftChain => ({
  ...{ family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', drops: false },
  ...fields,
});

it('tells who would drop, and what lets the range of pods pass', () => {
  const docker = [chain({ drops: true }), chain({ name: 'DOCKER-USER', hook: undefined })];
  const [told] = foreignRulesOf(docker, ['10.42.0.0/16']).drops;
  expect(told).toContain('chain FORWARD of table ip filter');
  expect(told).toContain('iptables -I DOCKER-USER -s 10.42.0.0/16 -j ACCEPT');
});

it("says nothing of chains that let pass what they do not know, of Dhow's own, and of a family that pods lack", () => {
  const others = [
    chain({}),
    chain({ family: 'inet', table: 'dhow-dh-filter', drops: true }),
    chain({ family: 'ip6', drops: true }),
  ];
  expect(foreignRulesOf(others, ['10.42.0.0/16'])).toEqual({ drops: [], kubeChains: [] });
});

it('names chains that kube-proxy left', () => {
  const left = chain({ table: 'nat', name: 'KUBE-SERVICES', hook: undefined });
  expect(foreignRulesOf([left, left], []).kubeChains).toEqual(['KUBE-SERVICES']);
});
