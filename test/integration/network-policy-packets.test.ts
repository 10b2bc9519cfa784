import { inNetns, NetnsLab, type NetworkNode } from './network/netns';
import { attach, wireOf } from './network/pairs';
import type { WirePolicies } from './network/node';
import { startPeer, type Peer } from './network/peer';

let lab: NetnsLab;
let cleanUp: AsyncDisposable[];
beforeEach(() => {
  lab = new NetnsLab();
  cleanUp = [];
});
afterEach(async () => {
  for (const each of cleanUp) await each[Symbol.asyncDispose]();
  await lab.dispose();
});

const PORTS = [80, 81, 8080];
const TABLE = 'dhow-nwp-policy';

const NONE: WirePolicies = {
  sandboxes: { web: {}, client: {}, other: {} },
  policies: {},
  addressSets: {},
  portSets: {},
  guardedAddresses: [],
};

/** A node with three pods, each of them with a server on `PORTS`. */
const setUp = async () => {
  const nodeNs = lab.netns('node');
  inNetns(nodeNs, 'ip', 'link', 'set', 'lo', 'up');
  const node = await lab.node(nodeNs, { podCidrs: ['10.77.1.0/24'], interfacePrefix: 'nwp' });
  await node.call('syncPolicies', NONE);
  const pod = async (name: string) => {
    const path = lab.netns(name);
    const { ip } = await attach(node, name, path);
    const peer = await startPeer(path, PORTS);
    cleanUp.push(peer);
    return { ip, peer, path };
  };
  const [web, client, other] = [await pod('web'), await pod('client'), await pod('other')];
  const hostPeer = await startPeer(nodeNs, [9]);
  cleanUp.push(hostPeer);
  return { node, nodeNs, web, client, other, host: { peer: hostPeer } };
};

const tcp = (address: string, port = 80) => ({ protocol: 'tcp', address, port }) as const;
const reach = async (peer: Peer, address: string, port = 80) =>
  (await peer.attempt([tcp(address, port)]))[0];

const sync = (node: NetworkNode, policies: Partial<WirePolicies>) =>
  node.call('syncPolicies', { ...NONE, ...policies });

/** Only members of `clients` reach the pod `web`. */
const onlyClients = (clients: readonly string[], ports?: readonly object[]) =>
  ({
    sandboxes: { ...NONE.sandboxes, web: { ingress: ['p'] } },
    policies: {
      p: { ingress: [{ peers: [{ set: 'clients' }], ...(ports && { ports }) }], egress: [] },
    },
    addressSets: { clients },
  }) as Partial<WirePolicies>;

it('holds back what no rule lets in, and nothing else', async () => {
  const { node, nodeNs, web, client, other, host } = await setUp();
  expect(await reach(client.peer, web.ip)).toBe('reached');
  expect(inNetns(nodeNs, 'nft', 'list', 'tables')).not.toContain(TABLE);

  await sync(node, onlyClients([client.ip], [{ protocol: 'tcp', first: 80, last: 81 }]));
  expect(await reach(client.peer, web.ip)).toBe('reached');
  expect(await reach(client.peer, web.ip, 8080)).toBe('silence');
  expect(await reach(other.peer, web.ip)).toBe('silence');
  expect(await reach(other.peer, client.ip)).toBe('reached');
  expect(await reach(web.peer, other.ip)).toBe('reached');
  expect(await reach(web.peer, web.ip)).toBe('reached');
  expect(await reach(host.peer, web.ip)).toBe('reached');

  await sync(node, onlyClients([client.ip, other.ip]));
  expect(await reach(other.peer, web.ip, 8080)).toBe('reached');
  await sync(node, {});
  expect(inNetns(nodeNs, 'nft', 'list', 'tables')).not.toContain(TABLE);
});

it('changes who is let in without making the table anew', async () => {
  const { node, nodeNs, web, client, other } = await setUp();
  await sync(node, onlyClients([client.ip]));
  const handle = () => inNetns(nodeNs, 'nft', '-a', 'list', 'table', 'ip', TABLE).split('\n')[0];
  const before = handle();
  await sync(node, onlyClients([other.ip]));
  expect(await reach(other.peer, web.ip)).toBe('reached');
  expect(await reach(client.peer, web.ip)).toBe('silence');
  const ports = [{ protocol: 'tcp', first: 81 }];
  await sync(node, onlyClients([other.ip], ports));
  expect(await reach(other.peer, web.ip)).toBe('silence');
  expect(await reach(other.peer, web.ip, 81)).toBe('reached');
  expect(handle()).toBe(before);
  expect(await node.call('warnings')).toEqual([]);
});

it('lets a pod out only as its policies say, also to what they guard on the node', async () => {
  const { node, nodeNs, web, client, other } = await setUp();
  inNetns(nodeNs, 'ip', 'addr', 'add', '10.96.0.10/32', 'dev', 'lo');
  const dns = await startPeer(nodeNs, [53, 54], '10.96.0.10');
  cleanUp.push(dns);
  const named = [{ address: web.ip, protocol: 'tcp', port: 8080 } as const];
  const egress = [
    { peers: [{ set: 'all' }], ports: [{ portSet: 'http' }] },
    { peers: [{ cidr: '10.96.0.0/16', except: [] }], ports: [{ protocol: 'udp', first: 53 }] },
  ] as const;
  await sync(node, {
    sandboxes: { ...NONE.sandboxes, client: { egress: ['p'] } },
    policies: { p: { ingress: [], egress } },
    addressSets: { all: [web.ip, other.ip] },
    portSets: { http: named },
    guardedAddresses: ['10.96.0.10'],
  });
  const tries = [
    tcp(web.ip, 8080),
    tcp(web.ip, 80),
    tcp(other.ip, 8080),
    { protocol: 'udp', address: '10.96.0.10', port: 53 },
    { protocol: 'udp', address: '10.96.0.10', port: 54 },
    tcp('10.96.0.10', 53),
  ] as const;
  expect(await client.peer.attempt(tries)).toEqual([
    ...['reached', 'silence', 'silence'],
    ...['reached', 'silence', 'silence'],
  ]);
  expect(await other.peer.attempt(tries)).toEqual(tries.map(() => 'reached'));
});

it('cuts connections that a new policy forbids, from whichever end they go on, and no others', async () => {
  const { node, web, client, other, host } = await setUp();
  const talks = [
    [client.peer, await client.peer.keepTalking(web.ip, 80)],
    [other.peer, await other.peer.keepTalking(web.ip, 80)],
    [host.peer, await host.peer.keepTalking(web.ip, 80)],
  ] as const;
  const goesOn = async ([peer, id]: (typeof talks)[number]) => {
    const before = await peer.answers(id);
    for (let left = 40; left > 0; left--) {
      if ((await peer.answers(id)) > before) return true;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return false;
  };
  expect(await Promise.all(talks.map(goesOn))).toEqual([true, true, true]);
  await sync(node, onlyClients([other.ip]));
  expect(await goesOn(talks[0])).toBe(false);
  expect(await Promise.all(talks.slice(1).map(goesOn))).toEqual([true, true]);
  // What is sent again does not come back as a connection of the other end.
  expect(await goesOn(talks[0])).toBe(false);
});

it('holds again after somebody has flushed the rules or a chain', async () => {
  const { node, nodeNs, web, client, other } = await setUp();
  const policies = onlyClients([client.ip]);
  await sync(node, policies);
  for (const flush of [
    ['flush', 'ruleset'],
    ['flush', 'chain', 'ip', TABLE, 'decide'],
    ['delete', 'table', 'ip', TABLE],
    ['flush', 'map', 'ip', TABLE, 'ingress_of'],
  ]) {
    inNetns(nodeNs, 'nft', ...flush);
    expect(await reach(other.peer, web.ip)).toBe('reached');
    await sync(node, policies);
    expect(await reach(other.peer, web.ip)).toBe('silence');
    expect(await reach(client.peer, web.ip)).toBe('reached');
  }
});

it('holds before a pod has its link, and lets none in of which nobody has said what holds', async () => {
  const { node, nodeNs, web } = await setUp();
  const path = lab.netns('late');
  await expect(attach(node, 'late', path)).rejects.toThrow('nobody has said which policies hold');
  expect(inNetns(path, 'ip', '-br', 'link')).not.toContain('eth0');
  const all = { ...NONE.sandboxes, late: { ingress: [], egress: [] } };
  await sync(node, { sandboxes: all });
  const { ip } = await attach(node, 'late', path);
  expect(inNetns(nodeNs, 'nft', 'list', 'map', 'ip', TABLE, 'egress_of')).toContain(ip);
  const late = await startPeer(path, PORTS);
  cleanUp.push(late);
  expect(await reach(late, web.ip)).toBe('silence');
  expect(await reach(web.peer, ip)).toBe('silence');
  await node.call('detach', 'late');
  expect(inNetns(nodeNs, 'nft', 'list', 'tables')).not.toContain(TABLE);
});

it('goes on while there is no agent, is taken over by the next, and goes with the network', async () => {
  const { node, nodeNs, web, client, other } = await setUp();
  await sync(node, onlyClients([client.ip]));
  await node.kill();
  expect(await reach(other.peer, web.ip)).toBe('silence');
  const again = await lab.node(nodeNs, { podCidrs: ['10.77.1.0/24'], interfacePrefix: 'nwp' });
  expect(await reach(other.peer, web.ip)).toBe('silence');
  expect(await reach(client.peer, web.ip)).toBe('reached');
  await sync(again, onlyClients([other.ip]));
  expect(await reach(other.peer, web.ip)).toBe('reached');
  expect(await reach(client.peer, web.ip)).toBe('silence');
  await again.call('destroy');
  expect(inNetns(nodeNs, 'nft', 'list', 'tables')).not.toContain('nwp');
});

it('sees who asks from outside, also through a port of the node', async () => {
  const { node, nodeNs, web } = await setUp();
  const outside = lab.netns('outside');
  lab.wire(outside, '203.0.113.7/24', nodeNs, '203.0.113.1/24');
  inNetns(outside, 'ip', 'addr', 'add', '203.0.113.8/24', 'dev', wireOf(outside));
  const hostPort = { protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8000, podIp: web.ip };
  await node.call('syncHostPorts', [{ ...hostPort, podPort: 80 }]);
  const asker = await startPeer(outside, [9]);
  cleanUp.push(asker);
  const only = async (cidr: string) => {
    const block = { cidr, except: [] };
    await sync(node, {
      sandboxes: { ...NONE.sandboxes, web: { ingress: ['p'] } },
      policies: { p: { ingress: [{ peers: [block] }], egress: [] } },
    });
    return reach(asker, '203.0.113.1', 8000);
  };
  expect(await only('203.0.113.7/32')).toBe('reached');
  expect(await only('203.0.113.8/32')).toBe('silence');
});
