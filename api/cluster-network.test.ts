import {
  apiAddressOf,
  checkApartFrom,
  clusterNetworkOf,
  DEFAULT_CLUSTER_NETWORK,
} from './cluster-network';

const network = (options: object = {}) =>
  clusterNetworkOf({ ...DEFAULT_CLUSTER_NETWORK, ...options });

it('says what a cluster has where nothing else is asked for', () => {
  expect(network()).toEqual({
    podCidrs: ['10.42.0.0/16'],
    serviceCidrs: ['10.96.0.0/16'],
    nodePortRange: { first: 30_000, last: 32_767 },
    clusterDns: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
  });
  expect(apiAddressOf(network())).toBe('10.96.0.1');
});

it('takes two families, of which the first counts', () => {
  const dual = network({
    clusterCidr: 'fd01::/48,10.42.0.0/16',
    serviceClusterIpRange: 'fd00::/108, 10.43.0.7/24',
  });
  expect(dual.podCidrs).toEqual(['fd01::/48', '10.42.0.0/16']);
  expect(dual.serviceCidrs).toEqual(['fd00::/108', '10.43.0.0/24']);
  expect(dual.clusterDns).toEqual(['fd00::a', '10.43.0.10']);
  expect(apiAddressOf(dual)).toBe('fd00::1');
});

it.each([
  [{ serviceNodePortRange: '1000+10' }, { first: 1000, last: 1009 }],
  [{ serviceNodePortRange: '5-5' }, { first: 5, last: 5 }],
])('reads ports %j', (options, range) => {
  expect(network(options).nodePortRange).toEqual(range);
});

it.each([
  [
    { clusterCidr: '10.96.128.0/17' },
    '--service-cluster-ip-range 10.96.0.0/16 overlaps --cluster-cidr 10.96.128.0/17: ' +
      'an address would be both of a service and of a pod',
  ],
  [{ serviceClusterIpRange: '10.40.0.0/13' }, 'overlaps --cluster-cidr 10.42.0.0/16'],
  [{ serviceClusterIpRange: '10.96.0.0/29' }, 'is too small: it must hold 16 addresses at least'],
  [{ clusterCidr: 'fd01::/48' }, 'pods have no IPv4 addresses, by --cluster-cidr fd01::/48'],
  [{ serviceClusterIpRange: '10.96.0.0/16,fd02::/112' }, 'pods have no IPv6 addresses'],
  [
    { clusterCidr: 'fd01::/48,10.42.0.0/16' },
    '--service-cluster-ip-range 10.96.0.0/16 and --cluster-cidr fd01::/48,10.42.0.0/16 begin with different IP families',
  ],
  [{ clusterCidr: '10.42.0.0/25' }, '--cluster-cidr 10.42.0.0/25 is too small'],
  [{ clusterCidr: '10.42.0.0/16,fd01::/65' }, '--cluster-cidr fd01::/65 is too small'],
  [{ clusterCidr: '10.42.0.0/16,fd01::/47' }, '--cluster-cidr fd01::/47 is too large'],
  [{ clusterCidr: '10.42.0.0/16,10.43.0.0/16' }, 'at most one range of each IP family'],
  [{ serviceClusterIpRange: '127.0.0.0/16' }, 'overlaps 127.0.0.0/8, which every machine has'],
  [
    { clusterCidr: '10.42.0.0/16,fd01::/48', serviceClusterIpRange: '10.96.0.0/16,::/112' },
    'overlaps ::/127, which every machine has',
  ],
  [{ clusterCidr: '169.254.0.0/16' }, '--cluster-cidr 169.254.0.0/16 overlaps 169.254.0.0/16'],
  [{ serviceClusterIpRange: 'x' }, '--service-cluster-ip-range x: not a range as 10.96.0.0/16'],
  [{ serviceClusterIpRange: '10.96.0.0/16,10.97.0.0/16' }, 'at most one range of each IP family'],
  [{ serviceNodePortRange: '32767-30000' }, 'not a range of ports as 30000-32767'],
  [{ serviceNodePortRange: '0-9' }, '--service-node-port-range 0-9: not a range of ports'],
  [{ serviceNodePortRange: '65000-65536' }, 'not a range of ports'],
  [{ clusterDomain: 'Cluster_Local' }, '--cluster-domain Cluster_Local: a lowercase RFC 1123'],
])('refuses %j', (options, why) => {
  expect(() => network(options)).toThrow(why);
});

it('refuses services where this machine is', () => {
  expect(() => {
    checkApartFrom(network(), ['192.168.1.4/24', '10.96.7.4/20']);
  }).toThrow('overlaps 10.96.0.0/20, in which this machine has an address');
  checkApartFrom(network(), ['10.96.0.10/32', '10.97.0.1/16', 'fe80::1/64', 'nonsense']);
});
