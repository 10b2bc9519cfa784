import { spawnSync } from 'node:child_process';

import { type Attachment } from '../../runtime/pod-network';
import { connectFrom, inNetns, NetnsLab, pings, run, sourcesSeen } from './network/netns';
import { attach, distantPairIn, pairIn } from './network/pairs';

let lab: NetnsLab;
beforeEach(() => {
  lab = new NetnsLab();
});
afterEach(async () => {
  await lab.dispose();
});

const single = async () => {
  const nodeNs = lab.netns('node');
  inNetns(nodeNs, 'ip', 'link', 'set', 'lo', 'up');
  const options = { podCidrs: ['10.77.1.0/24'], interfacePrefix: 'nwt' };
  return { nodeNs, options, node: await lab.node(nodeNs, options) };
};

const pair = () => pairIn(lab);
const distantPair = () => distantPairIn(lab);

describe('on one node', () => {
  it('lets pods reach each other, the node and themselves', async () => {
    const { node, nodeNs } = await single();
    const [one, two] = [lab.netns('p1'), lab.netns('p2')];
    const a = await attach(node, 'one', one);
    const b = await attach(node, 'two', two);
    expect([a.ip, b.ip]).toEqual(['10.77.1.2', '10.77.1.3']);
    expect(pings(one, b.ip)).toBe(true);
    expect(pings(two, a.ip)).toBe(true);
    expect(pings(nodeNs, a.ip)).toBe(true);
    expect(pings(one, '127.0.0.1')).toBe(true);
    expect(inNetns(one, 'ip', '-o', 'addr', 'show', 'eth0')).toContain('10.77.1.2/32');
    expect(connectFrom(one, b.ip, 9)).toBe('ECONNREFUSED');
  });

  it('answers at once for an address no pod has', async () => {
    const { node } = await single();
    const pod = lab.netns('p1');
    await attach(node, 'one', pod);
    expect(connectFrom(pod, '10.77.1.99', 80)).toBe('EHOSTUNREACH');
  });

  it('attaches once, whoever asks and however often', async () => {
    const { node, nodeNs } = await single();
    const pod = lab.netns('p1');
    const request = { sandboxId: 'one', netnsPath: pod };
    const results = await node.call<Attachment[]>('attachAll', [request, request, request]);
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(inNetns(nodeNs, 'ip', '-br', 'link').match(/nwtv/g)).toHaveLength(1);
  });

  it('keeps addresses over kill -9, and takes its sandboxes over', async () => {
    const { node, nodeNs, options } = await single();
    const pod = lab.netns('p1');
    const before = await attach(node, 'one', pod);
    await node.kill();

    const again = await lab.node(nodeNs, options);
    const { ip: _ip, ...attachment } = before;
    expect(await again.call('attachments')).toEqual([attachment]);
    expect(await attach(again, 'one', pod)).toEqual(before);
    const other = lab.netns('p2');
    expect((await attach(again, 'two', other)).ip).not.toBe(before.ip);
    expect(pings(other, before.ip)).toBe(true);
  });

  it('comes out whole when killed at any point of attaching many', async () => {
    const { node, nodeNs, options } = await single();
    const requests = Array.from({ length: 8 }, (_, number) => ({
      sandboxId: `s${number}`,
      netnsPath: lab.netns(`p${number}`),
    }));
    let current = node;
    for (let round = 0; round < 6; round++) {
      const attaching = current.call('attachAll', requests).catch(() => undefined);
      // Each round gets a little further before the end.
      await current.until(
        () => inNetns(nodeNs, 'ip', '-br', 'link').split('nwtv').length > round + 1,
      );
      await current.kill();
      await attaching;
      current = await lab.node(nodeNs, options);
    }
    const attached = await current.call<Attachment[]>('attachAll', requests);
    expect(new Set(attached.map(({ ips }) => ips[0])).size).toBe(requests.length);
    for (const { ips } of attached) expect(pings(nodeNs, ips[0]!)).toBe(true);
    expect(inNetns(nodeNs, 'ip', '-br', 'link').match(/nwtv/g)).toHaveLength(requests.length);
  });

  it('finishes what a crash left half done', async () => {
    const { node, nodeNs, options } = await single();
    const pod = lab.netns('p1');
    const { ip, hostInterface } = await attach(node, 'one', pod);
    await node.kill();
    inNetns(nodeNs, 'ip', 'route', 'delete', ip);
    inNetns(pod, 'ip', 'addr', 'flush', 'dev', 'eth0');
    // As if killed before the label was set.
    const orphan = 'nwtv' + '0'.repeat(11);
    inNetns(nodeNs, 'ip', 'link', 'add', orphan, 'type', 'veth', 'peer', 'name', 'orphan');

    const again = await lab.node(nodeNs, options);
    expect(inNetns(nodeNs, 'ip', '-br', 'link')).not.toContain(orphan);
    expect(await attach(again, 'one', pod)).toEqual({
      ...{ sandboxId: 'one', ip, ips: [ip], hostInterface },
    });
    expect(pings(nodeNs, ip)).toBe(true);
  });

  it('makes a new link, with the old address, for a sandbox whose namespace was replaced', async () => {
    const { node, nodeNs } = await single();
    const pod = lab.netns('p1');
    const first = await attach(node, 'one', pod);
    lab.removeNetns(pod);
    const second = await attach(node, 'one', lab.netns('p1'));
    expect(second.ip).toBe(first.ip);
    expect(second.hostInterface).not.toBe(first.hostInterface);
    expect(pings(nodeNs, second.ip)).toBe(true);
  });

  it('frees on detach, even while the namespace lingers', async () => {
    const { node, nodeNs, options } = await single();
    const pod = lab.netns('p1');
    const { ip } = await attach(node, 'one', pod);
    await node.call('detach', 'one');
    await node.call('detach', 'one');
    expect(await node.call('attachments')).toEqual([]);
    expect(inNetns(nodeNs, 'ip', 'route', 'show', ip)).toBe('');
    await node.kill();
    const again = await lab.node(nodeNs, options);
    expect(await again.call('attachments')).toEqual([]);
    expect(inNetns(nodeNs, 'ip', '-br', 'link')).not.toContain('nwtv');
  });

  it('leaves nothing when a sandbox cannot be attached', async () => {
    const { node, nodeNs } = await single();
    await expect(attach(node, 'one', '/run/netns/none')).rejects.toThrow(
      'cannot attach sandbox one: ENOENT',
    );
    const pod = lab.netns('p1');
    inNetns(pod, 'ip', 'link', 'add', 'eth0', 'type', 'bridge');
    await expect(attach(node, 'two', pod)).rejects.toThrow('cannot attach sandbox two');
    expect(inNetns(nodeNs, 'ip', '-br', 'link')).not.toContain('nwtv');
    expect(await node.call('attachments')).toEqual([]);
  });

  it('removes everything, twice, and touches nothing else', async () => {
    const { node, nodeNs } = await single();
    inNetns(nodeNs, 'ip', 'link', 'add', 'nwtv', 'type', 'bridge');
    await attach(node, 'one', lab.netns('p1'));
    await node.call('destroy');
    await node.call('destroy');
    expect(inNetns(nodeNs, 'ip', '-br', 'link').trim().split('\n')).toHaveLength(2);
    expect(inNetns(nodeNs, 'ip', 'route')).toBe('');
    expect(inNetns(nodeNs, 'nft', 'list', 'tables')).toBe('');
  });
});

describe('across nodes', () => {
  it('routes pods to the pods of a peer, and forgets peers that are gone', async () => {
    const { a, nsA, peerB, podA, podB, ipA, ipB } = await pair();
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
    expect(pings(podA, ipB)).toBe(true);
    expect(pings(podB, ipA)).toBe(true);
    expect(inNetns(nsA, 'ip', 'route')).toContain('10.77.2.0/24 via 192.168.77.2');

    await a.call('syncPeers', []);
    expect(inNetns(nsA, 'ip', 'route')).not.toContain('10.77.2.0/24');
  });

  it('refuses at once for a peer that is off, and recovers', async () => {
    const { a, peerB, podA, ipB } = await pair();
    await a.call('syncPeers', [{ ...peerB, isUnreachable: true }]);
    expect(connectFrom(podA, ipB, 80)).toBe('EHOSTUNREACH');
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
    expect(connectFrom(podA, ipB, 80)).toBe('ECONNREFUSED');
  });

  it('removes a route that an earlier process left', async () => {
    const { a, nsA, peerB } = await pair();
    inNetns(nsA, 'ip', 'route', 'add', 'unreachable', '10.77.9.0/24', 'proto', '99');
    inNetns(nsA, 'ip', 'route', 'add', 'unreachable', '10.77.8.0/24');
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
    const routes = inNetns(nsA, 'ip', 'route');
    expect(routes).not.toContain('10.77.9.0/24');
    expect(routes).toContain('10.77.8.0/24');
  });

  it('puts back the way to a pod when the node has got a new address', async () => {
    const { a, nsA, podA, ipA } = await pair();
    inNetns(nsA, 'ip', 'address', 'flush', 'to', '192.168.77.1');
    expect(inNetns(nsA, 'ip', 'route', 'show', ipA)).toBe('');
    inNetns(nsA, 'ip', 'address', 'add', '192.168.79.1/32', 'dev', 'lo');
    inNetns(nsA, 'ip', 'route', 'add', 'default', 'dev', 'lo');
    await a.call('syncPeers', []);
    expect(inNetns(nsA, 'ip', 'route', 'show', ipA)).toContain('src 192.168.79.1');
    expect(pings(podA, '192.168.79.1')).toBe(true);
  });

  it('puts back routes and firewall rules that others have flushed, and else leaves them be', async () => {
    const { a, nsA, peerB, ipA, podA, ipB } = await pair();
    const peers = [{ ...peerB, isUnreachable: false }];
    await a.call('syncPeers', peers);
    const tables = () => inNetns(nsA, 'nft', '-a', 'list', 'tables');
    const before = tables();
    expect(before).toContain('dhow-nwt');
    await a.call('syncPeers', peers);
    expect(tables()).toBe(before);

    inNetns(nsA, 'nft', 'flush', 'ruleset');
    inNetns(nsA, 'ip', 'route', 'flush', 'proto', '99');
    await a.call('syncPeers', peers);
    expect(inNetns(nsA, 'nft', 'list', 'ruleset')).toContain('masquerade');
    expect(inNetns(nsA, 'ip', 'route', 'show', ipA)).not.toBe('');
    expect(inNetns(nsA, 'ip', 'route')).toContain('unreachable 10.77.1.0/24');
    expect(pings(podA, ipB)).toBe(true);

    inNetns(nsA, 'nft', 'flush', 'table', 'ip', 'dhow-nwt');
    inNetns(nsA, 'nft', 'add', 'table', 'ip', 'somebody');
    await a.call('syncPeers', peers);
    expect(inNetns(nsA, 'nft', 'list', 'ruleset')).toMatch(/masquerade/);
    expect(tables()).toContain('somebody');
  });

  it('gives new pods the packet size that the wire has by now', async () => {
    const { a, nsA } = await pair();
    const [link = ''] = /nw[0-9a-f]{8}/.exec(inNetns(nsA, 'ip', '-br', 'link')) ?? [];
    inNetns(nsA, 'ip', 'link', 'set', link, 'mtu', '1400');
    await a.call('syncPeers', []);
    const pod = lab.netns('later');
    await attach(a, 'later', pod);
    expect(inNetns(pod, 'ip', 'link', 'show', 'eth0')).toContain('mtu 1400');
  });

  it('hides pods behind the node towards the world, not towards pods', async () => {
    const { a, b, nsB, peerB, podA, podB, ipA, ipB } = await pair();
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
    expect(b).toBeDefined();
    const sourceSeen = (netns: string, address: string) => {
      const script = SEE_SOURCE.replaceAll('PODA', podA).replaceAll('ADDRESS', address);
      return inNetns(netns, process.execPath, '-e', script).trim();
    };
    expect(sourceSeen(podB, ipB)).toBe(ipA);
    expect(sourceSeen(nsB, '192.168.77.2')).toBe('192.168.77.1');
  });

  describe('a pod that speaks under an address of others', () => {
    const spoofs = (ipOther: string, nodeAddress: string) => [
      ipOther,
      nodeAddress,
      '10.77.1.99',
      '10.77.2.77',
      '169.254.1.1',
      '203.0.113.9',
    ];
    const third = async () => {
      const all = await pair();
      await all.a.call('syncPeers', [{ ...all.peerB, isUnreachable: false }]);
      // With a way to the world, as nodes have: what nobody knows would go there.
      inNetns(all.nsA, 'ip', 'route', 'add', 'default', 'via', '192.168.77.2');
      const podC = lab.netns('pc');
      const { ip: ipC } = await attach(all.a, 'pc', podC);
      return { ...all, podC, ipC };
    };

    it('is heard by no pod of its node, nor by the node itself, nor elsewhere', async () => {
      const { podA, podB, podC, nsA, ipA, ipB, ipC } = await third();
      // Each claims what is neither its own nor the receiver's: that would not leave the pod.
      const others = [...spoofs('10.77.1.98', '192.168.77.2'), ipA];
      const toPod = await sourcesSeen(podC, ipC, podA, ['192.168.77.1', ipB, ...others]);
      expect(toPod).toEqual([ipA]);
      const toNode = await sourcesSeen(nsA, '192.168.77.1', podA, [ipB, ...others]);
      expect(toNode).toEqual([ipA]);
      const toOtherNode = await sourcesSeen(podB, ipB, podA, others);
      expect(toOtherNode).toEqual([ipA]);
    });

    it.each([
      ['the firewall alone', ['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=2']],
      ['its link alone', ['nft', 'flush', 'ruleset']],
    ])('is stopped by %s', async (_title, [command = '', ...args]) => {
      const { podA, podC, nsA, ipA, ipB, ipC } = await third();
      inNetns(nsA, command, ...args);
      const claimed = [...spoofs(ipB, '192.168.77.2'), ipA];
      expect(await sourcesSeen(podC, ipC, podA, claimed)).toEqual([ipA]);
    });

    it('has no IPv6 to get round by', async () => {
      const { podA, nsA } = await third();
      expect(inNetns(nsA, 'ip', '-6', '-o', 'addr', 'show')).not.toContain('nwtv');
      inNetns(podA, 'ip', '-6', 'addr', 'add', 'fd00::1/64', 'dev', 'eth0', 'nodad');
      inNetns(podA, 'ip', '-6', 'route', 'add', 'default', 'dev', 'eth0');
      inNetns(nsA, 'ip', '-6', 'addr', 'add', 'fd00:1::1/128', 'dev', 'lo');
      const send = () => inNetns(podA, process.execPath, '-e', SEND_6, 'fd00:1::1');
      expect(await sourcesSeen(nsA, 'fd00:1::1', podA, [], { send })).toEqual([]);
    });

    it('cannot enter the tunnel between nodes from the side', async () => {
      const { podA, nsA, nsB, ipA } = await third();
      const to = (port: number) => sourcesSeen(nsB, '192.168.77.2', podA, [ipA], { port });
      expect(await to(4000)).toEqual(['192.168.77.1']);
      expect(await to(4789)).toEqual([]);
      const toOwn = sourcesSeen(nsA, '192.168.77.1', podA, [ipA], { port: 4789 });
      expect(await toOwn).toEqual([]);
    });

    it('teaches the node no neighbour', async () => {
      const { podA, nsA, ipA } = await third();
      const neighbours = () => inNetns(nsA, 'ip', '-4', 'neigh').match(/nwtv/g)?.length;
      const before = neighbours();
      for (const claimed of ['10.77.1.99', '203.0.113.9', '192.168.77.2']) {
        inNetns(podA, 'ip', 'addr', 'add', `${claimed}/32`, 'dev', 'lo');
        spawnSync('nsenter', [
          `--net=${podA}`,
          'busybox',
          ...['arping', '-c', '1', '-w', '1', '-I', 'eth0', '-s', claimed, '192.168.77.1'],
        ]);
      }
      expect(neighbours()).toBe(before);
      expect(inNetns(nsA, 'ip', '-4', 'neigh', 'show', ipA)).toContain('PERMANENT');
    });
  });

  it('leaves out a peer whose range would draw in other traffic', async () => {
    const { a, nsA, peerB } = await pair();
    await a.call('syncPeers', [
      { ...peerB, podCidrs: ['10.77.1.0/25'], isUnreachable: false },
      {
        nodeName: 'c',
        addresses: ['192.168.77.3'],
        podCidrs: ['192.168.77.0/24'],
        isUnreachable: false,
      },
    ]);
    expect(inNetns(nsA, 'ip', 'route')).not.toMatch(/10\.77\.1\.0\/25|proto 99.*192\.168/);
    expect(JSON.stringify(await a.call('warnings'))).toContain('overlaps this node');
  });

  it('tunnels to a peer behind a router', async () => {
    const { nsA, nsB, a, b, peerB, podA, podB, ipA, ipB } = await distantPair();
    expect(pings(podA, ipB)).toBe(true);
    expect(pings(podB, ipA)).toBe(true);
    expect(pings(nsA, ipB)).toBe(true);
    expect(inNetns(podA, 'ip', 'link', 'show', 'eth0')).toContain('mtu 1450');

    await b.kill();
    const again = await lab.node(nsB, { podCidrs: peerB.podCidrs, interfacePrefix: 'nwt' });
    const podC = lab.netns('pc');
    await attach(again, 'pc', podC);
    expect(inNetns(podC, 'ip', 'link', 'show', 'eth0')).toContain('mtu 1450');

    await a.call('syncPeers', []);
    expect(inNetns(nsA, 'ip', '-br', 'link')).not.toContain('vxlan');
  });
});

const SEND_6 = `
const socket = require('node:dgram').createSocket('udp6');
socket.send('x', 4000, process.argv[1], () => socket.close());
`;

it('leaves no interface in the namespace of the test', () => {
  expect(run('ip', '-br', 'link')).not.toContain('nwt');
});

const SEE_SOURCE = `
const { spawn } = require('node:child_process');
const server = require('node:net').createServer((socket) => {
  console.log(socket.remoteAddress);
  socket.destroy();
  server.close();
});
server.listen(0, 'ADDRESS', () => {
  const connect = 'require("node:net").connect(' + server.address().port + ', "ADDRESS")';
  spawn('nsenter', ['--net=PODA', process.execPath, '-e', connect], { timeout: 5000 });
});`;
