import { type ServicePort } from '../../runtime/service-network';
import {
  ask,
  askMany,
  inNetns,
  keepAsking,
  keepConnecting,
  NetnsLab,
  pings,
  serve,
  type NetworkNode,
} from './network/netns';
import { attach, pairIn, wireOf } from './network/pairs';

let lab: NetnsLab;
beforeEach(() => {
  lab = new NetnsLab();
});
afterEach(async () => {
  await lab.dispose();
});

const FACTS = {
  serviceCidrs: ['10.96.0.0/16'],
  podCidrs: ['10.77.0.0/16'],
  dnsAddresses: ['10.96.0.10'],
  nodePortAddresses: [],
};
const VIP = '10.96.1.1';
const NAME = 'default/web';
const SERVICE_TABLE = 'dhow-nwt-services';

const servicePort = (more: Partial<ServicePort> = {}): ServicePort => ({
  protocol: 'tcp',
  port: 8000,
  clusterAddresses: [VIP],
  externalAddresses: [],
  endpoints: [],
  localEndpoints: [],
  internalPolicy: 'cluster',
  externalPolicy: 'cluster',
  ...more,
});

const to = (...addresses: readonly string[]) => addresses.map((address) => ({ address, port: 80 }));
const set = (node: NetworkNode, ...ports: readonly ServicePort[]) =>
  node.call<string | null>(
    'applyServices',
    ports.map((port) => [`${NAME}/${port.protocol}/${port.port}`, port]),
  );

/** Two nodes that serve services; `podA` and two more pods on the first, `podB` on the second. */
const cluster = async () => {
  const pair = await pairIn(lab);
  const { a, b, peerB } = pair;
  await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
  for (const node of [a, b]) await node.call('configureServices', FACTS);
  const [podC, podD] = [lab.netns('pc'), lab.netns('pd')];
  const { ip: ipC } = await attach(a, 'pc', podC);
  const { ip: ipD } = await attach(a, 'pd', podD);
  return { ...pair, podC, podD, ipC, ipD };
};

/** A machine on the first node's wire that is no part of the cluster. */
const stranger = (nsA: string): string => {
  const outside = lab.netns('out');
  lab.wire(outside, '192.168.50.9/24', nsA, '192.168.50.1/24');
  inNetns(outside, 'ip', 'route', 'add', 'default', 'via', '192.168.50.1');
  return outside;
};

const namesIn = (answers: readonly string[]): readonly string[] =>
  [...new Set(answers.map((answer) => answer.split(' ').at(-1) ?? ''))].sort();

it('leads to ranges that come later, and no more to those that go', async () => {
  const { a, nsA } = await cluster();
  const routes = () => inNetns(nsA, 'ip', 'route');
  const serviceCidrs = [...FACTS.serviceCidrs, '10.97.0.0/24'];
  await a.call('configureServices', { ...FACTS, serviceCidrs });
  for (const range of serviceCidrs) expect(routes()).toContain(`${range} dev`);
  await a.call('configureServices', FACTS);
  expect(routes()).toContain('10.96.0.0/16 dev');
  expect(routes()).not.toContain('10.97.0.0/24');
});

describe('the address of a service', () => {
  it('leads to each endpoint, from pods, the node and other nodes', async () => {
    const { nsA, podA, podB, podC, podD, a, b, ipA, ipB, ipC } = await cluster();
    await using _a = await serve(podA, 80, 'a');
    await using _b = await serve(podB, 80, 'b');
    await using _c = await serve(podC, 80, 'c');
    const service = servicePort({ endpoints: to(ipA, ipB, ipC), localEndpoints: to(ipA, ipC) });
    await set(a, service);
    await set(b, { ...service, localEndpoints: to(ipB) });
    for (const from of [podD, podB, nsA, podA])
      expect(namesIn(askMany(from, VIP, 8000, 40))).toEqual(['a', 'b', 'c']);
    // A pod keeps its own address; where it meets itself, it meets its node.
    const seen = new Set(askMany(podA, VIP, 8000, 40));
    expect([...seen].sort()).toEqual([`${ipA} b`, `${ipA} c`, '192.168.77.1 a']);
  });

  it('goes by protocol, also for datagrams', async () => {
    const { podA, podC, podD, a, ipA, ipC } = await cluster();
    await using _a = await serve(podA, 80, 'a');
    await using _c = await serve(podC, 80, 'c');
    await set(
      a,
      servicePort({ endpoints: to(ipA) }),
      servicePort({ endpoints: to(ipC), protocol: 'udp' }),
    );
    expect(ask(podD, 'tcp', VIP, 8000)).toContain('a');
    expect(ask(podD, 'udp', VIP, 8000)).toContain('c');
  });

  it('refuses at once when nobody is behind it, or behind the port', async () => {
    const { nsA, podA, a, ipA } = await cluster();
    await set(a, servicePort(), servicePort({ port: 8001, protocol: 'udp' }));
    for (const from of [podA, nsA]) {
      expect(ask(from, 'tcp', VIP, 8000)).toBe('ECONNREFUSED');
      expect(ask(from, 'udp', VIP, 8001)).toBe('ECONNREFUSED');
      expect(ask(from, 'tcp', VIP, 9)).toBe('ECONNREFUSED');
      expect(ask(from, 'udp', '10.96.200.200', 9)).toBe('ECONNREFUSED');
    }
    await using _a = await serve(podA, 80, 'a');
    await set(a, servicePort({ endpoints: to(ipA) }));
    expect(ask(nsA, 'tcp', VIP, 8000)).toContain('a');
  });

  it('leaves the resolver its own', async () => {
    const { nsA, podA, a } = await cluster();
    await set(a);
    await using _dns = await serve(nsA, 53, 'dns', '10.96.0.10');
    for (const from of [podA, nsA])
      for (const protocol of ['tcp', 'udp'] as const)
        expect(ask(from, protocol, '10.96.0.10', 53)).toContain('dns');
    expect(ask(podA, 'tcp', '10.96.0.10', 9)).toBe('ECONNREFUSED');
    expect(pings(podA, '10.96.0.10')).toBe(true);
  });

  it('leads datagrams anew when endpoints come and go, also of who goes on sending', async () => {
    const { podA, podC, podD, a, ipA, ipC } = await cluster();
    const udp = (...addresses: string[]) =>
      servicePort({ protocol: 'udp', endpoints: to(...addresses) });
    await set(a, udp());
    await using asking = keepAsking(podD, VIP, 8000);
    const isAnswered = async () => {
      const before = asking.answers();
      await a.until(() => asking.answers() > before + 2);
    };
    {
      await using _a = await serve(podA, 80);
      await set(a, udp(ipA));
      await isAnswered();
    }
    await using _c = await serve(podC, 80);
    await set(a, udp(ipC));
    await isAnswered();
    await set(a, udp());
    const before = asking.answers();
    await using direct = keepAsking(podD, ipC, 80);
    await a.until(() => direct.answers() > 5);
    expect(asking.answers()).toBeLessThanOrEqual(before + 1);
  });
});

it('scaled to nothing, refuses who goes on sending, and leads nobody to who gets the address next', async () => {
  const { nsA, podA, podB, podC, podD, a, b, ipA } = await cluster();
  const nodes = [a, b];
  const both = (...addresses: string[]) => [
    servicePort({ protocol: 'udp', endpoints: to(...addresses) }),
    servicePort({ port: 8001, endpoints: to(...addresses) }),
  ];
  for (const node of nodes) await set(node, ...both(ipA));
  const senders = [podB, podC, podD].map((pod) => keepAsking(pod, VIP, 8000));
  try {
    {
      await using _served = await serve(podA, 80);
      await a.until(() => senders.every((each) => each.answers() > 3));
      for (const node of nodes) await set(node, ...both());
    }
    const refused = senders.map((each) => each.refusals());
    await a.until(() => senders.every((each, i) => each.refusals() > (refused[i] ?? 0) + 2));
    for (const from of [nsA, podB, podD]) expect(ask(from, 'tcp', VIP, 8001)).toBe('ECONNREFUSED');
    // Somebody else's pod has the address now, and listens at the very port.
    await using _other = await serve(podA, 80, 'other');
    await using direct = keepAsking(podD, ipA, 80);
    const answered = senders.map((each) => each.answers());
    await a.until(() => direct.answers() > 20);
    expect(senders.map((each) => each.answers())).toEqual(answered);
  } finally {
    for (const sender of senders) await sender[Symbol.asyncDispose]();
  }
});

/** For how long each client is still kept, in ms. */
const keptMs = (netns: string): readonly number[] =>
  [
    ...inNetns(netns, 'nft', 'list', 'ruleset').matchAll(
      / expires (?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?/g,
    ),
  ].map(
    ([, minutes = '0', seconds = '0', ms = '0']) =>
      Number(minutes) * 60_000 + Number(seconds) * 1000 + Number(ms),
  );

describe('affinity', () => {
  it('ends when nobody has come for its time, which each connection begins anew', async () => {
    const { nsA, podA, podC, podD, a, ipA, ipC } = await cluster();
    await using _a = await serve(podA, 80, 'a');
    await using _c = await serve(podC, 80, 'c');
    await set(a, servicePort({ endpoints: to(ipA, ipC), affinitySeconds: 30 }));
    const [first] = namesIn([ask(podD, 'tcp', VIP, 8000)]);
    await a.until(() => (keptMs(nsA)[0] ?? 0) < 24_000);
    const [before = 0] = keptMs(nsA);
    expect(namesIn([ask(podD, 'tcp', VIP, 8000)])).toEqual([first]);
    expect(keptMs(nsA)).toHaveLength(1);
    expect(keptMs(nsA)[0]).toBeGreaterThan(before);
    // Who is kept already is so for as long as was said then.
    inNetns(nsA, 'nft', 'flush', 'map', 'ip', SERVICE_TABLE, 'kept');
    await set(a, servicePort({ endpoints: to(ipA, ipC), affinitySeconds: 1 }));
    const seen = new Set<string | undefined>();
    await a.until(() => {
      if (keptMs(nsA).length === 0) seen.add(namesIn([ask(podD, 'tcp', VIP, 8000)])[0]);
      return seen.size === 2;
    });
  });

  it('keeps a client with its endpoint while that is there', async () => {
    const { podA, podC, podD, podB, a, ipA, ipB, ipC } = await cluster();
    await using _a = await serve(podA, 80, 'a');
    await using _b = await serve(podB, 80, 'b');
    await using _c = await serve(podC, 80, 'c');
    const sticky = (...addresses: string[]) =>
      servicePort({ endpoints: to(...addresses), affinitySeconds: 4 });
    await set(a, sticky(ipA, ipB, ipC));
    const [chosen = '', ...others] = namesIn(askMany(podD, VIP, 8000, 20));
    expect(others).toEqual([]);
    // Others come and go; then itself.
    const rest = new Map([
      ['a', ipA],
      ['b', ipB],
      ['c', ipC],
    ]);
    const kept = rest.get(chosen) ?? '';
    rest.delete(chosen);
    const [other = '', third = ''] = rest.values();
    await set(a, sticky(kept, other));
    expect(namesIn(askMany(podD, VIP, 8000, 10))).toEqual([chosen]);
    await set(a, sticky(other, third));
    const [next = '', ...more] = namesIn(askMany(podD, VIP, 8000, 10));
    expect(more).toEqual([]);
    expect(next).not.toBe(chosen);
  });

  it('lasts over the end of the process that set it up', async () => {
    const { nsA, podA, podC, podD, a, ipA, ipC, peerA } = await cluster();
    await using _a = await serve(podA, 80, 'a');
    await using _c = await serve(podC, 80, 'c');
    const sticky = servicePort({ endpoints: to(ipA, ipC), affinitySeconds: 600 });
    await set(a, sticky);
    const [chosen] = namesIn(askMany(podD, VIP, 8000, 4));
    for (let round = 0; round < 4; round++) {
      const again = await lab.node(nsA, {
        ...{ podCidrs: peerA.podCidrs, nodeAddresses: peerA.addresses, interfacePrefix: 'nwt' },
      });
      await again.call('configureServices', FACTS);
      await set(again, sticky);
      expect(namesIn(askMany(podD, VIP, 8000, 4))).toEqual([chosen]);
      await again.kill();
    }
  });
});

describe('from outside', () => {
  it('node ports lead to all endpoints, and hide the client', async () => {
    const { nsA, nsB, podA, podB, podD, a, ipA, ipB, peerA } = await cluster();
    const outside = stranger(nsA);
    await using _a = await serve(podA, 80, 'a');
    await using _b = await serve(podB, 80, 'b');
    const service = servicePort({
      ...{ nodePort: 30080, endpoints: to(ipA, ipB), localEndpoints: to(ipA) },
    });
    await set(a, service);
    for (const from of [outside, nsB, nsA, podD])
      expect(namesIn(askMany(from, peerA.addresses[0]!, 30080, 20))).toEqual(['a', 'b']);
    expect(new Set(askMany(outside, '192.168.50.1', 30080, 20))).toEqual(
      new Set(['192.168.77.1 a', '192.168.77.1 b']),
    );
    expect(ask(nsA, 'tcp', '127.0.0.1', 30080)).toBe('ECONNREFUSED');
    expect(ask(podD, 'tcp', '10.96.0.10', 30080)).toBe('ECONNREFUSED');
    await set(a, { ...service, endpoints: [], localEndpoints: [] });
    expect(ask(outside, 'tcp', peerA.addresses[0]!, 30080)).toBe('ECONNREFUSED');
  });

  it('the local policy keeps the client, and leads the cluster everywhere', async () => {
    const { nsA, podA, podB, podD, a, ipA, ipB, peerA } = await cluster();
    const outside = stranger(nsA);
    await using _a = await serve(podA, 80, 'a');
    await using _b = await serve(podB, 80, 'b');
    const service = servicePort({
      ...{ nodePort: 30080, endpoints: to(ipA, ipB), externalPolicy: 'local' },
      localEndpoints: to(ipA),
    });
    await set(a, service);
    expect(new Set(askMany(outside, '192.168.50.1', 30080, 10))).toEqual(
      new Set(['192.168.50.9 a']),
    );
    for (const from of [podD, nsA])
      expect(namesIn(askMany(from, peerA.addresses[0]!, 30080, 20))).toEqual(['a', 'b']);
    await set(a, { ...service, endpoints: to(ipB), localEndpoints: [] });
    expect(ask(outside, 'tcp', '192.168.50.1', 30080)).toBe('silence');
    expect(ask(podD, 'tcp', peerA.addresses[0]!, 30080)).toContain('b');
  });

  it('the local policy answers other nodes and their pods, too, or refuses them', async () => {
    const { nsA, nsB, podA, podB, a, ipA, ipB, peerA, peerB } = await cluster();
    const outside = stranger(nsA);
    const target = peerA.addresses[0]!;
    await using _b = await serve(podB, 80, 'b');
    const external = { address: '203.0.113.5' };
    const service = servicePort({
      ...{ nodePort: 30080, endpoints: to(ipB), externalPolicy: 'local' },
      externalAddresses: [external],
    });
    const datagrams = { ...service, protocol: 'udp' as const };
    await set(a, service, datagrams);
    // To their own node these are `podB` of the endpoint itself, and the node that it is on.
    for (const from of [podB, nsB])
      for (const protocol of ['tcp', 'udp'] as const)
        expect(ask(from, protocol, target, 30080)).toBe('192.168.77.1 b');
    inNetns(nsB, 'ip', 'route', 'add', external.address, 'via', target);
    expect(ask(nsB, 'tcp', external.address, 8000)).toBe('192.168.77.1 b');
    for (const address of ['192.168.50.1', external.address])
      expect(ask(outside, 'tcp', address, address === external.address ? 8000 : 30080)).toBe(
        'silence',
      );
    // A client of the cluster is told apart by its node's address alone, and once that has gone is a stranger.
    await a.call('syncPeers', []);
    expect(ask(nsB, 'tcp', target, 30080)).toBe('silence');
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
    expect(ask(nsB, 'tcp', target, 30080)).toContain('b');
    inNetns(nsA, 'nft', 'flush', 'set', 'ip', 'dhow-nwt-services', 'peers');
    expect(await a.call('checkServices')).toContain('elements');
    expect(ask(nsB, 'tcp', target, 30080)).toContain('b');
    await set(a, { ...service, endpoints: [] }, { ...datagrams, endpoints: [] });
    for (const protocol of ['tcp', 'udp'] as const)
      expect(ask(podB, protocol, target, 30080)).toBe('ECONNREFUSED');
    // Where there is a local one, it alone answers, and sees its client's node.
    await using _a = await serve(podA, 80, 'a');
    await set(a, { ...service, endpoints: to(ipA, ipB), localEndpoints: to(ipA) });
    expect(new Set(askMany(podB, target, 30080, 10))).toEqual(new Set(['192.168.77.2 a']));
  });

  it('other addresses lead in for who may', async () => {
    const { nsA, podA, podD, a, ipA } = await cluster();
    const outside = stranger(nsA);
    await using _a = await serve(podA, 80, 'a');
    const open = { address: '203.0.113.5' };
    await set(a, servicePort({ externalAddresses: [open], endpoints: to(ipA) }));
    expect(ask(outside, 'tcp', '203.0.113.5', 8000)).toContain('a');
    expect(ask(podD, 'tcp', '203.0.113.5', 8000)).toContain('a');
    const guarded = { ...open, sources: ['192.168.50.0/29', '10.77.0.0/16'] };
    await set(a, servicePort({ externalAddresses: [guarded], endpoints: to(ipA) }));
    expect(ask(outside, 'tcp', '203.0.113.5', 8000)).toBe('silence');
    expect(ask(podD, 'tcp', '203.0.113.5', 8000)).toContain('a');
    expect(ask(nsA, 'tcp', VIP, 8000)).toContain('a');
    const wider = { ...open, sources: ['192.168.50.0/28', '192.168.50.8/30'] };
    await set(a, servicePort({ externalAddresses: [wider], endpoints: to(ipA) }));
    expect(ask(outside, 'tcp', '203.0.113.5', 8000)).toContain('a');
  });
});

describe('the rules', () => {
  it('come back within one check when somebody takes them away', async () => {
    const { nsA, podA, podD, a, ipA } = await cluster();
    await using _a = await serve(podA, 80, 'a');
    const service = servicePort({ endpoints: to(ipA), affinitySeconds: 7 });
    await set(a, service);
    expect(await a.call('checkServices')).toBeNull();
    const table = 'dhow-nwt-services';
    for (const [fault, ...damage] of [
      ['removed', 'flush', 'ruleset'],
      ['rules', 'flush', 'chain', 'ip', table, 'prerouting'],
      ['rules', 'add', 'rule', 'ip', table, 'filter_forward', 'drop'],
      ['elements', 'delete', 'element', 'ip', table, 'front', `{ ${VIP} . tcp . 8000 }`],
      ['elements', 'add', 'element', 'ip', table, 'rejects', `{ ${ipA} . tcp . 80 }`],
    ] as const) {
      inNetns(nsA, 'nft', ...damage);
      expect(await a.call('checkServices')).toContain(fault);
      expect(await a.call('checkServices')).toBeNull();
      expect(ask(podD, 'tcp', VIP, 8000)).toContain('a');
    }
    inNetns(nsA, 'nft', 'flush', 'ruleset');
    expect(await set(a, { ...service, affinitySeconds: 8 })).not.toBeNull();
    expect(ask(podD, 'tcp', VIP, 8000)).toContain('a');
    inNetns(nsA, 'ip', 'link', 'delete', 'nwtsvc');
    await a.call('checkServices');
    expect(ask(podD, 'tcp', VIP, 8000)).toContain('a');
    inNetns(nsA, 'nft', 'add', 'table', 'ip', 'other');
    expect(await a.call('checkServices')).toBeNull();
  });

  it('lose no connection when the process that keeps them is killed again and again', async () => {
    const { nsA, podA, podC, podD, a, ipA, ipC, peerA } = await cluster();
    await using _a = await serve(podA, 80, 'a');
    await using _c = await serve(podC, 80, 'c');
    const echo = (address: string) => ({ address, port: 81 });
    const ports = (...addresses: string[]) => [
      servicePort({ endpoints: to(...addresses) }),
      servicePort({ port: 8001, endpoints: addresses.map(echo) }),
    ];
    await set(a, ...ports(ipA, ipC));
    await using connecting = keepConnecting(podD, VIP, 8000);
    let current = a;
    for (let round = 0; round < 20; round++) {
      // In the midst of a change as often as not.
      const changing = set(current, ...ports(...[ipA, ipC].slice(round % 3 === 0 ? 1 : 0)));
      if (round % 2 === 0) await changing;
      await current.kill();
      await changing.catch(() => undefined);
      current = await lab.node(nsA, {
        ...{ podCidrs: peerA.podCidrs, nodeAddresses: peerA.addresses, interfacePrefix: 'nwt' },
      });
      await current.call('configureServices', FACTS);
      await set(current, ...ports(ipA, ipC));
      const count = connecting.answers().length;
      await current.until(() => connecting.answers().length > count + 10);
    }
    const answers = connecting.answers();
    const wrong = answers.filter(
      (answer) => !/^(10\.77\.1\.\d+ [ac]|held echoed|held waits)$/.test(answer),
    );
    expect(wrong).toEqual([]);
    expect(answers.filter((answer) => answer === 'held waits').length).toBeLessThan(3);
    expect(await current.call('checkServices')).toBeNull();
  });

  it('go on over a link between nodes that comes and goes', async () => {
    const { nsA, nsB, podB, podD, a, b, ipB, peerA, peerB } = await cluster();
    await using _b = await serve(podB, 80, 'b');
    await set(
      a,
      servicePort({ endpoints: to(ipB) }),
      servicePort({ port: 8001, endpoints: [{ address: ipB, port: 81 }] }),
    );
    await using connecting = keepConnecting(podD, VIP, 8000);
    const flows = (wanted: string) => {
      const seen = connecting.answers().length;
      return a.until(() => connecting.answers().slice(seen).includes(wanted));
    };
    await flows('held echoed');
    for (let round = 0; round < 6; round++) {
      // Each node's own end by turns: the other's loses its link only.
      const [netns, node, peer] = round % 2 === 0 ? [nsA, a, peerB] : [nsB, b, peerA];
      const changes = await node.call<number>('linkChanges');
      inNetns(netns, 'ip', 'link', 'set', wireOf(netns), 'down');
      await flows('held waits');
      // What an agent does when it looks in between: pods learn at once that there is no way.
      if (round > 1) await node.call('syncPeers', [{ ...peer, isUnreachable: false }]);
      inNetns(netns, 'ip', 'link', 'set', wireOf(netns), 'up');
      expect(await node.call<number>('linkChanges')).toBeGreaterThan(changes);
      await node.call('syncPeers', [{ ...peer, isUnreachable: false }]);
      await flows('held echoed');
      await flows('10.77.1.4 b');
    }
    const lost = connecting.answers().filter((answer) => /held (?!echoed|waits)/.test(answer));
    expect(lost).toEqual([]);
    for (const node of [a, b]) expect(await node.call('checkServices')).toBeNull();
  });

  it('vanish with the network', async () => {
    const { nsA, podA, a, ipA } = await cluster();
    await set(a, servicePort({ endpoints: to(ipA) }));
    await a.call('destroy');
    expect(inNetns(nsA, 'nft', 'list', 'tables')).toBe('');
    expect(inNetns(nsA, 'ip', 'link')).not.toContain('nwtsvc');
    expect(inNetns(nsA, 'ip', 'route', 'show', 'table', 'all')).not.toContain('10.96.');
    expect(podA).toBeDefined();
  });
});
