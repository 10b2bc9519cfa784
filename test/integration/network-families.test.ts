import { type Attachment, type HostPort } from '../../runtime/pod-network';
import { type ServicePort } from '../../runtime/service-network';
import { ask, connectFrom, inNetns, NetnsLab, pings, serve, transfer } from './network/netns';

/*
 * IPv6, alone and beside IPv4, with packets: what test/integration/network.test.ts and its neighbours show in
 * full for IPv4.
 */

let lab: NetnsLab;
beforeEach(() => {
  lab = new NetnsLab();
});
afterEach(async () => {
  await lab.dispose();
});

const DUAL_A = ['10.77.1.0/24', 'fd77:0:0:1::/64'];
const DUAL_B = ['10.77.2.0/24', 'fd77:0:0:2::/64'];
const four = (ranges: readonly string[]) => ranges.filter((range) => !range.includes(':'));
const six = (ranges: readonly string[]) => ranges.filter((range) => range.includes(':'));

/** Two nodes on one wire that has both families, each with a pod. */
const pair = async (keep: typeof six = (ranges) => [...ranges], underlay = keep) => {
  const [nsA, nsB] = [lab.netns('a'), lab.netns('b')];
  lab.wire(nsA, '192.168.77.1/24', nsB, '192.168.77.2/24');
  for (const [netns, address] of [
    [nsA, 'fd99::1/64'],
    [nsB, 'fd99::2/64'],
  ] as const)
    inNetns(netns, 'ip', 'addr', 'add', address, 'dev', wireOf(netns), 'nodad');
  const of = (nodeName: string, ranges: readonly string[], addresses: readonly string[]) => ({
    ...{ nodeName, podCidrs: keep(ranges), addresses: underlay(addresses) },
  });
  const peerA = of('a', DUAL_A, ['192.168.77.1', 'fd99::1']);
  const peerB = of('b', DUAL_B, ['192.168.77.2', 'fd99::2']);
  const start = (netns: string, { addresses, podCidrs }: typeof peerA) =>
    lab.node(netns, { podCidrs, nodeAddresses: addresses, interfacePrefix: 'nwt' });
  const [a, b] = [await start(nsA, peerA), await start(nsB, peerB)];
  const [podA, podB] = [lab.netns('pa'), lab.netns('pb')];
  const { ips: ipsA } = await a.call<Attachment>('attach', { sandboxId: 'pa', netnsPath: podA });
  const { ips: ipsB } = await b.call<Attachment>('attach', { sandboxId: 'pb', netnsPath: podB });
  await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
  await b.call('syncPeers', [{ ...peerA, isUnreachable: false }]);
  return { nsA, nsB, peerA, peerB, a, b, podA, podB, ipsA, ipsB };
};

const wireOf = (netns: string): string =>
  /^(nw[0-9a-f]{8})@/m.exec(inNetns(netns, 'ip', '-br', 'link'))?.[1] ?? '';

const servicePort = (more: Partial<ServicePort>): ServicePort => ({
  ...{ protocol: 'tcp', port: 80, clusterAddresses: [], externalAddresses: [] },
  ...{ endpoints: [], localEndpoints: [], internalPolicy: 'cluster', externalPolicy: 'cluster' },
  ...more,
});

it('gives pods both families, which work at once and over a restart', async () => {
  const { nsA, podA, podB, a, ipsA, ipsB, peerA } = await pair();
  expect(ipsA).toEqual(['10.77.1.2', 'fd77:0:0:1::2']);
  await using _server = await serve(podB, 80, '', '::');
  for (const ip of ipsB) {
    expect(pings(podA, ip)).toBe(true);
    expect(transfer(podA, ip, 81)).toBe(String(1 << 20));
  }
  // The server sees the pod itself, not its node.
  expect(ask(podA, 'tcp', ipsB[1]!, 80)).toBe(ipsA[1]);
  const addresses = inNetns(podA, 'ip', '-6', '-o', 'addr', 'show', 'eth0');
  expect(addresses).toContain('fd77:0:0:1::2/128');
  expect(addresses).not.toMatch(/tentative|fe80/);
  for (const ip of ipsA) expect(pings(nsA, ip)).toBe(true);
  expect(connectFrom(podA, 'fd77:0:0:1::99', 80)).toBe('ENETUNREACH');

  await a.kill();
  const options = { podCidrs: peerA.podCidrs, nodeAddresses: peerA.addresses };
  const again = await lab.node(nsA, { ...options, interfacePrefix: 'nwt' });
  const beside = lab.netns('beside');
  const request = { sandboxId: 'beside', netnsPath: beside };
  const { ips } = await again.call<Attachment>('attach', request);
  expect(ips).toEqual(['10.77.1.3', 'fd77:0:0:1::3']);
  expect(pings(beside, ipsA[1]!)).toBe(true);
  expect(await again.call<Attachment[]>('attachments')).toHaveLength(2);

  await again.call('destroy');
  expect(inNetns(nsA, 'ip', '-6', 'route')).not.toContain('fd77:');
  expect(inNetns(nsA, 'nft', 'list', 'tables').trim()).toBe('');
});

it('leaves a cluster of one family as it is', async () => {
  const { nsA, podA, podB, ipsB } = await pair(four);
  expect(pings(podA, ipsB[0]!)).toBe(true);
  expect(inNetns(nsA, 'sysctl', '-n', 'net.ipv6.conf.all.forwarding').trim()).toBe('0');
  expect(inNetns(nsA, 'nft', 'list', 'tables')).not.toContain('ip6');
  expect(inNetns(podB, 'ip', '-6', 'route', 'show', 'default').trim()).toBe('');
});

it('needs no IPv4', async () => {
  const { podA, podB, ipsA, ipsB } = await pair(six);
  expect(ipsA).toEqual(['fd77:0:0:1::2']);
  await using _server = await serve(podB, 80, '', '::');
  expect(ask(podA, 'tcp', ipsB[0]!, 80)).toBe(ipsA[0]);
  expect(inNetns(podA, 'ip', '-4', 'route').trim()).toBe('');
});

it('takes a family that the nodes have no addresses of through the tunnel', async () => {
  const { podA, podB, nsA, ipsA, ipsB, a, b, peerA, peerB } = await pair((all) => [...all], four);
  expect(inNetns(nsA, 'ip', '-6', 'route', 'get', ipsB[1]!)).toContain('nwtvxlan');
  await using _server = await serve(podB, 80, '', '::');
  expect(ask(podA, 'tcp', ipsB[1]!, 80)).toBe(ipsA[1]);
  expect(pings(nsA, ipsB[1]!)).toBe(true);
  // The node has addresses of the family after all: now it goes straight.
  await a.call('syncPeers', [
    { ...peerB, addresses: [...peerB.addresses, 'fd99::2'], isUnreachable: false },
  ]);
  await b.call('syncPeers', [
    { ...peerA, addresses: [...peerA.addresses, 'fd99::1'], isUnreachable: false },
  ]);
  expect(inNetns(nsA, 'ip', '-6', 'route', 'get', ipsB[1]!)).toContain('fd99::2');
  expect(ask(podA, 'tcp', ipsB[1]!, 80)).toBe(ipsA[1]);
  await a.call('syncPeers', [{ ...peerB, isUnreachable: true }]);
  expect(connectFrom(podA, ipsB[1]!, 80)).toBe('ENETUNREACH');
});

it('tunnels over a router of IPv6', async () => {
  const [nsA, router, nsB] = [lab.netns('a'), lab.netns('r'), lab.netns('b')];
  lab.wire(nsA, 'fd91::1/64', router, 'fd91::ff/64');
  lab.wire(nsB, 'fd92::1/64', router, 'fd92::ff/64');
  inNetns(router, 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
  inNetns(nsA, 'ip', 'route', 'add', 'default', 'via', 'fd91::ff');
  inNetns(nsB, 'ip', 'route', 'add', 'default', 'via', 'fd92::ff');
  const peerA = { nodeName: 'a', addresses: ['fd91::1'], podCidrs: DUAL_A.toReversed() };
  const peerB = { nodeName: 'b', addresses: ['fd92::1'], podCidrs: DUAL_B.toReversed() };
  const nodeOf = (netns: string, { podCidrs, addresses }: typeof peerA) =>
    lab.node(netns, { podCidrs, nodeAddresses: addresses, interfacePrefix: 'nwt' });
  const [a, b] = [await nodeOf(nsA, peerA), await nodeOf(nsB, peerB)];
  await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
  await b.call('syncPeers', [{ ...peerA, isUnreachable: false }]);
  const [podA, podB] = [lab.netns('pa'), lab.netns('pb')];
  const { ips: ipsA } = await a.call<Attachment>('attach', { sandboxId: 'pa', netnsPath: podA });
  const { ips: ipsB } = await b.call<Attachment>('attach', { sandboxId: 'pb', netnsPath: podB });
  expect(ipsA).toEqual(['fd77:0:0:1::2', '10.77.1.2']);
  await using _server = await serve(podB, 80, '', '::');
  for (const ip of ipsB) expect(transfer(podA, ip, 81)).toBe(String(1 << 20));
});

it('leads to services of each family, and refuses what leads nowhere', async () => {
  const { nsA, nsB, a, podA, podB, ipsA, ipsB, peerA } = await pair();
  await a.call('configureServices', {
    ...{ serviceCidrs: ['10.96.0.0/16', 'fd96::/112'], podCidrs: ['10.77.0.0/16', 'fd77::/48'] },
    ...{ dnsAddresses: ['10.96.0.10', 'fd96::a'], nodePortAddresses: [] },
  });
  const both = (ips: readonly string[]) => ips.map((address) => ({ address, port: 80 }));
  const dual = servicePort({
    clusterAddresses: ['10.96.0.20', 'fd96::20'],
    nodePort: 30_080,
    endpoints: both(ipsB),
  });
  const only6 = servicePort({ clusterAddresses: ['fd96::21'], endpoints: both(ipsB) });
  const nobody = servicePort({ clusterAddresses: ['fd96::22'] });
  const itself = servicePort({
    clusterAddresses: ['fd96::23'],
    ...{ endpoints: both(ipsA), localEndpoints: both(ipsA), affinitySeconds: 60 },
  });
  await a.call('applyServices', Object.entries({ dual, only6, nobody, itself }));
  await using _b = await serve(podB, 80, 'b', '::');
  await using _a = await serve(podA, 80, 'a', '::');
  expect(ask(podA, 'tcp', '10.96.0.20', 80)).toBe(`::ffff:${ipsA[0]} b`);
  expect(ask(podA, 'tcp', 'fd96::20', 80)).toBe(`${ipsA[1]} b`);
  expect(ask(podA, 'tcp', 'fd96::21', 80)).toBe(`${ipsA[1]} b`);
  expect(ask(nsA, 'tcp', 'fd96::20', 80)).toContain(' b');
  // From outside: hidden behind the node, so that the answer comes back by it.
  expect(ask(nsB, 'tcp', 'fd99::1', 30_080)).toBe(`${peerA.addresses[1]!} b`);
  expect(ask(podA, 'tcp', 'fd96::23', 80)).toBe(`${peerA.addresses[1]!} a`);
  for (const [address, port] of [
    ['fd96::22', 80],
    ['fd96::20', 81],
    ['fd96::99', 80],
  ] as const) {
    expect(connectFrom(podA, address, port)).toBe('ECONNREFUSED');
    expect(connectFrom(nsA, address, port)).toBe('ECONNREFUSED');
  }
  expect(inNetns(nsA, 'ip', '-6', 'addr', 'show', 'nwtsvc')).toContain('fd96::a/128');
  expect(await a.call('checkServices')).toBeNull();
  inNetns(nsA, 'nft', 'delete', 'table', 'ip6', 'dhow-nwt-services');
  expect(await a.call('checkServices')).toBe('the table of services was removed');
  expect(ask(podA, 'tcp', 'fd96::21', 80)).toBe(`${ipsA[1]} b`);
  // The service has lost the family.
  await a.call('applyServices', [['dual', { ...dual, clusterAddresses: ['10.96.0.20'] }]]);
  expect(connectFrom(podA, 'fd96::20', 80)).toBe('ECONNREFUSED');
  expect(ask(podA, 'tcp', '10.96.0.20', 80)).toBe(`::ffff:${ipsA[0]} b`);
});

it('takes over the rules of an earlier process, and leads datagrams anew', async () => {
  const { nsA, a, podA, podB, ipsA, ipsB, peerA } = await pair();
  const facts = {
    ...{ serviceCidrs: ['10.96.0.0/16', 'fd96::/112'], podCidrs: ['10.77.0.0/16', 'fd77::/48'] },
    ...{ dnsAddresses: [], nodePortAddresses: [] },
  };
  await a.call('configureServices', facts);
  const dns = servicePort({
    ...{ protocol: 'udp', port: 53, clusterAddresses: ['fd96::30'] },
    endpoints: [{ address: ipsB[1]!, port: 5300 }],
    externalAddresses: [{ address: 'fd55::1', sources: ['fd77::/48', '10.0.0.0/8'] }],
  });
  await a.call('applyServices', [['dns', dns]]);
  const before = inNetns(nsA, 'nft', 'list', 'table', 'ip6', 'dhow-nwt-services');
  expect(before).toContain('fd55::1 . udp . 53 . fd77::/48');
  await a.kill();
  const options = { podCidrs: peerA.podCidrs, nodeAddresses: peerA.addresses };
  const again = await lab.node(nsA, { ...options, interfacePrefix: 'nwt' });
  await again.call('configureServices', facts);
  await again.call('applyServices', [['dns', dns]]);
  expect(inNetns(nsA, 'nft', 'list', 'table', 'ip6', 'dhow-nwt-services')).toBe(before);

  inNetns(podB, 'sh', '-c', 'true');
  const flows = () =>
    inNetns(nsA, 'sh', '-c', 'cat /proc/net/nf_conntrack 2>/dev/null || true')
      .split('\n')
      .filter((line) => line.includes('fd96:0000:0000:0000:0000:0000:0000:0030'));
  expect(ask(podA, 'udp', 'fd96::30', 53)).toMatch(/silence|ECONNREFUSED/);
  await again.call('applyServices', [
    ['dns', { ...dns, endpoints: [{ address: ipsA[1]!, port: 5300 }] }],
  ]);
  const stale = flows().filter((line) => line.includes('fd77:0000:0000:0002'));
  expect(stale).toEqual([]);
});

it('holds both families to policies, and never keeps neighbours from finding each other', async () => {
  const { nsA, a, podA, podB, ipsA, ipsB } = await pair();
  const other = lab.netns('other');
  const request = { sandboxId: 'other', netnsPath: other };
  const policy = (more: object = {}) => ({
    sandboxes: { pa: { ingress: ['p'] } },
    policies: { p: { ingress: [], egress: [], ...more } },
    ...{ addressSets: {}, portSets: {}, guardedAddresses: [] },
  });
  const withOther = (wanted: ReturnType<typeof policy>) => ({
    ...wanted,
    sandboxes: { ...wanted.sandboxes, other: {} },
  });
  await a.call('syncPolicies', withOther(policy()));
  const { ips: ipsOther } = await a.call<Attachment>('attach', request);
  await using _server = await serve(podA, 80, '', '::');
  for (const ip of ipsA) {
    expect(pings(nsA, ip)).toBe(true);
    expect(pings(podB, ip)).toBe(false);
    expect(pings(other, ip)).toBe(false);
  }
  for (const ip of ipsB) expect(pings(podA, ip)).toBe(true);

  const from = (...peers: readonly object[]) => withOther(policy({ ingress: [{ peers }] }));
  await a.call('syncPolicies', from({ cidr: 'fd77:0:0:2::/64', except: [] }));
  expect(ask(podB, 'tcp', ipsA[1]!, 80)).toBe(ipsB[1]);
  expect(pings(podB, ipsA[0]!)).toBe(false);
  expect(pings(other, ipsA[1]!)).toBe(false);
  await a.call(
    'syncPolicies',
    from({ cidr: 'fd77:0:0:2::/64', except: [`${ipsB[1]}/128`] }, { set: 'others' }),
  );
  expect(pings(podB, ipsA[1]!)).toBe(false);
  await a.call('syncPolicies', {
    ...from({ set: 'others' }),
    addressSets: { others: ipsOther },
  });
  for (const ip of ipsA) {
    expect(pings(other, ip)).toBe(true);
    expect(pings(podB, ip)).toBe(false);
  }
});

it('leads host ports to both addresses of a pod', async () => {
  const { nsA, nsB, a, podA, ipsA, peerA, peerB } = await pair();
  const ports = ipsA.map((podIp): HostPort => ({
    ...{ protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080, podIp, podPort: 80 },
  }));
  await a.call('syncHostPorts', ports);
  await using _server = await serve(podA, 80, '', '::');
  expect(ask(nsB, 'tcp', peerA.addresses[0]!, 8080)).toContain(peerB.addresses[0]!);
  expect(ask(nsB, 'tcp', peerA.addresses[1]!, 8080)).toBe(peerB.addresses[1]);
  expect(ask(nsA, 'tcp', peerA.addresses[1]!, 8080)).not.toMatch(/^E|silence/);
  expect(ask(podA, 'tcp', peerA.addresses[1]!, 8080)).toBe(peerA.addresses[1]);
});

it('believes no pod that speaks under an address of others', async () => {
  const { podA, podB, ipsB } = await pair();
  inNetns(podA, 'ip', '-6', 'addr', 'add', 'fd77:0:0:1::66/128', 'dev', 'lo', 'nodad');
  await using _server = await serve(podB, 80, '', '::');
  const spoofed = ['ping', '-6', '-c', '1', '-W', '1', '-I', 'fd77:0:0:1::66', ipsB[1]!];
  expect(() => inNetns(podA, 'busybox', ...spoofed)).toThrow();
  expect(pings(podA, ipsB[1]!)).toBe(true);
});
