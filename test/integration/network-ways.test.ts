import { type HostPort } from '../../runtime/pod-network';
import {
  ask,
  inNetns,
  keepAsking,
  NetnsLab,
  pings,
  sendWhole,
  serve,
  transfer,
} from './network/netns';
import { attach, distantPairIn, pairIn, wireOf } from './network/pairs';

let lab: NetnsLab;
beforeEach(() => {
  lab = new NetnsLab();
});
afterEach(async () => {
  await lab.dispose();
});

const pair = () => pairIn(lab);
const distantPair = () => distantPairIn(lab);

describe('nodes whose interfaces take packets of different sizes', () => {
  const NARROW = 1320;

  /** What is too large for the narrow node is lost on the wire, or at a router, without a word. */
  const bothWays = async (podA: string, ipA: string, podB: string, ipB: string, fits: number) => {
    await using _a = await serve(podA, 80);
    await using _b = await serve(podB, 80);
    for (const [pod, ip] of [
      [podA, ipB],
      [podB, ipA],
    ] as const) {
      expect(pings(pod, ip, 1400)).toBe(true);
      expect(transfer(pod, ip, 81)).toBe(String(1 << 20));
      expect(sendWhole(pod, ip, 80, fits)).toBe('echoed');
      expect(sendWhole(pod, ip, 80, fits + 1)).toBe(`EMSGSIZE ${fits}`);
    }
  };

  it('cut what is too large, or say what fits, on one wire', async () => {
    const { nsB, podA, podB, a, b, ipA, ipB, peerB, peerA } = await pair();
    inNetns(nsB, 'ip', 'link', 'set', wireOf(nsB), 'mtu', String(NARROW));
    await b.call('syncPeers', [{ ...peerA, isUnreachable: false, mtu: 1500 }]);
    const mtu = await b.call<number>('mtu');
    expect(mtu).toBe(NARROW);
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
    expect(pings(podA, ipB, 1400)).toBe(false);
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false, mtu }]);
    await bothWays(podA, ipA, podB, ipB, NARROW);
    // The wire is as wide as it was: so is the way.
    inNetns(nsB, 'ip', 'link', 'set', wireOf(nsB), 'mtu', '1500');
    await b.call('syncPeers', [{ ...peerA, isUnreachable: false, mtu: 1500 }]);
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false, mtu: 1500 }]);
    const [wideA, wideB] = [lab.netns('wa'), lab.netns('wb')];
    await attach(a, 'wa', wideA);
    const { ip } = await attach(b, 'wb', wideB);
    await using _server = await serve(wideB, 80);
    expect(sendWhole(wideA, ip, 80, 1500)).toBe('echoed');
  });

  it('cut what is too large, or say what fits, through the tunnel', async () => {
    const { nsB, router, podA, podB, a, b, ipA, ipB, peerA, peerB } = await distantPair();
    inNetns(nsB, 'ip', 'link', 'set', wireOf(nsB), 'mtu', String(NARROW));
    expect(router).toBeDefined();
    await b.call('syncPeers', [{ ...peerA, isUnreachable: false, mtu: 1500 }]);
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
    expect(pings(podA, ipB, 1400)).toBe(false);
    const mtu = await b.call<number>('mtu');
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false, mtu }]);
    await bothWays(podA, ipA, podB, ipB, NARROW - 50);
  });
});

describe('the way to each peer is told', () => {
  it('as direct, and why there is none', async () => {
    const { a, b, peerA, peerB } = await pair();
    expect(await b.call('peerWays')).toEqual([{ nodeName: 'a', way: 'direct' }]);
    await b.call('syncPeers', [
      { ...peerA, isUnreachable: false },
      { ...peerA, nodeName: 'twin', addresses: ['192.168.77.9'], isUnreachable: false },
      {
        nodeName: 'far',
        addresses: ['203.0.113.1'],
        podCidrs: ['10.77.3.0/24'],
        isUnreachable: false,
      },
    ]);
    expect(await b.call('peerWays')).toEqual([
      { nodeName: 'a', way: 'direct' },
      { nodeName: 'far', way: 'none', why: 'no route to it' },
      { nodeName: 'twin', way: 'none', why: 'pod range 10.77.1.0/24 overlaps that of node a' },
    ]);
    // Its Node says so itself.
    await a.call('syncPeers', [{ ...peerB, isUnreachable: true }]);
    expect(await a.call('peerWays')).toEqual([]);
  });

  it('as VXLAN over a router', async () => {
    const { a } = await distantPair();
    expect(await a.call('peerWays')).toEqual([{ nodeName: 'b', way: 'vxlan' }]);
  });
});

describe('ports of the node', () => {
  const portTo = (podIp: string, more: Partial<HostPort> = {}): HostPort => ({
    protocol: 'tcp',
    hostIp: '0.0.0.0',
    hostPort: 8080,
    podIp,
    podPort: 80,
    ...more,
  });

  it('lead to a pod from everywhere, and only while they are wanted', async () => {
    const { nsA, nsB, podA, podB, a, ipA, peerA, peerB } = await pair();
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
    const beside = lab.netns('beside');
    const { ip: ipBeside } = await attach(a, 'beside', beside);
    await using _server = await serve(podA, 80);
    await a.call('syncHostPorts', [portTo(ipA), portTo(ipA, { protocol: 'udp' })]);
    const [address = ''] = peerA.addresses;
    for (const protocol of ['tcp', 'udp'] as const) {
      expect(ask(nsB, protocol, address, 8080)).toContain(peerB.addresses[0]!);
      expect(ask(podB, protocol, address, 8080)).toContain(peerB.addresses[0]!);
      expect(ask(beside, protocol, address, 8080)).toContain(ipBeside);
      expect(ask(nsA, protocol, address, 8080)).toContain(address);
      expect(ask(nsA, protocol, '127.0.0.1', 8080)).toContain(address);
      expect(ask(podA, protocol, address, 8080)).toContain(address);
    }
    expect(ask(nsB, 'tcp', address, 8081)).toBe('ECONNREFUSED');
    await a.call('syncHostPorts', []);
    expect(ask(nsB, 'tcp', address, 8080)).toBe('ECONNREFUSED');
    expect(inNetns(nsA, 'nft', 'list', 'tables')).not.toContain('-ports');
  });

  it('lead from the address that a pod names alone', async () => {
    const { nsA, nsB, podA, a, ipA, peerA } = await pair();
    inNetns(nsA, 'ip', 'addr', 'add', '192.168.77.9/24', 'dev', wireOf(nsA));
    await using _server = await serve(podA, 80);
    await a.call('syncHostPorts', [
      portTo(ipA, { hostIp: '192.168.77.9' }),
      portTo(ipA, { hostIp: '127.0.0.1', hostPort: 8081 }),
      portTo(ipA, { hostIp: '::', hostPort: 8082 }),
    ]);
    expect(ask(nsB, 'tcp', '192.168.77.9', 8080)).toContain('192.168.77.2');
    expect(ask(nsB, 'tcp', peerA.addresses[0]!, 8080)).toBe('ECONNREFUSED');
    expect(ask(nsA, 'tcp', '127.0.0.1', 8081)).toContain(peerA.addresses[0]!);
    expect(ask(nsB, 'tcp', peerA.addresses[0]!, 8081)).toBe('ECONNREFUSED');
  });

  it('lead datagrams anew when the pod is another, also of who goes on sending', async () => {
    const { nsB, podA, a, ipA, peerA } = await pair();
    const next = lab.netns('next');
    const { ip: ipNext } = await attach(a, 'next', next);
    const udp = { protocol: 'udp' } as const;
    await using asking = keepAsking(nsB, peerA.addresses[0]!, 8080);
    const isAnswered = async () => {
      const before = asking.answers();
      await a.until(() => asking.answers() > before + 2);
    };
    // It has been sending while the port led nowhere.
    await using _next = await serve(next, 80);
    {
      await using _server = await serve(podA, 80);
      await a.call('syncHostPorts', [portTo(ipA, udp)]);
      await isAnswered();
      await a.call('syncHostPorts', [portTo(ipNext, udp)]);
    }
    await isAnswered();
  });

  it('lead nobody on to the next owner of an address', async () => {
    const { nsA, nsB, podA, a, ipA, peerA } = await pair();
    const options = {
      podCidrs: peerA.podCidrs,
      nodeAddresses: peerA.addresses,
      interfacePrefix: 'nwt',
    };
    await using asking = keepAsking(nsB, peerA.addresses[0]!, 8080);
    {
      await using _server = await serve(podA, 80);
      await a.call('syncHostPorts', [portTo(ipA, { protocol: 'udp' })]);
      await a.until(() => asking.answers() > 2);
    }
    // The pod goes while nobody is there to forget its port.
    await a.call('detach', 'pa');
    await a.kill();
    const again = await lab.node(nsA, options);
    await again.call('syncHostPorts', []);
    const next = lab.netns('next');
    expect((await attach(again, 'next', next)).ip).toBe(ipA);
    const before = asking.answers();
    await using _next = await serve(next, 80);
    await using direct = keepAsking(nsB, ipA, 80);
    await again.until(() => direct.answers() > 5);
    expect(asking.answers()).toBe(before);
  });

  it('open no way to the loopback of the node', async () => {
    const { nsA, podA, a, ipA } = await pair();
    await using _server = await serve(nsA, 9000);
    await a.call('syncHostPorts', [portTo(ipA)]);
    inNetns(podA, 'sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1');
    inNetns(podA, 'ip', 'route', 'del', 'local', '127.0.0.0/8', 'dev', 'lo', 'table', 'local');
    inNetns(podA, 'ip', 'route', 'flush', 'table', 'local');
    inNetns(podA, 'ip', 'route', 'add', 'local', ipA, 'dev', 'eth0', 'table', 'local');
    inNetns(podA, 'ip', 'route', 'add', '127.0.0.1', 'via', '169.254.1.1', 'dev', 'eth0', 'onlink');
    for (const protocol of ['tcp', 'udp'] as const)
      expect(ask(podA, protocol, '127.0.0.1', 9000)).toBe('silence');
  });

  it('go on over kill -9, come back after a flush, and vanish with the network', async () => {
    const { nsA, nsB, podA, a, ipA, peerA } = await pair();
    const options = {
      podCidrs: peerA.podCidrs,
      nodeAddresses: peerA.addresses,
      interfacePrefix: 'nwt',
    };
    await using _server = await serve(podA, 80);
    await a.call('syncHostPorts', [portTo(ipA)]);
    await a.kill();
    const again = await lab.node(nsA, options);
    expect(ask(nsB, 'tcp', peerA.addresses[0]!, 8080)).toContain('192.168.77.2');
    await again.call('syncHostPorts', [portTo(ipA, { hostPort: 8081 })]);
    expect(ask(nsB, 'tcp', peerA.addresses[0]!, 8080)).toBe('ECONNREFUSED');
    inNetns(nsA, 'nft', 'flush', 'ruleset');
    await again.call('syncPeers', []);
    expect(ask(nsB, 'tcp', peerA.addresses[0]!, 8081)).toContain('192.168.77.2');
    const before = inNetns(nsA, 'nft', '-a', 'list', 'tables');
    await again.call('syncPeers', []);
    await again.call('syncHostPorts', [portTo(ipA, { hostPort: 8081 })]);
    expect(inNetns(nsA, 'nft', '-a', 'list', 'tables')).toBe(before);
    await again.call('destroy');
    expect(inNetns(nsA, 'nft', 'list', 'tables')).toBe('');
  });
});
