import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { wireguardKeysAt } from '../../node-agent/network/wireguard-key';
import { type Attachment } from '../../runtime/pod-network';
import type { NodeOptions } from './network/node';
import {
  ask,
  connectFrom,
  inNetns,
  keepConnecting,
  NetnsLab,
  pings,
  sendWhole,
  serve,
  transfer,
} from './network/netns';

/** `npm run test:vm` has a kernel with it. */
const hasWireguard =
  spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'probe', 'type', 'wireguard']).status === 0;

let lab: NetnsLab;
let folder: string;
beforeEach(() => {
  lab = new NetnsLab();
  folder = mkdtempSync(join(tmpdir(), 'encryption-test-'));
});
afterEach(async () => {
  await lab.dispose();
  rmSync(folder, { recursive: true });
});

const PORT = 51_820;
const PREFIX = 'nwt';

/** `isOff`: the node does not encrypt. */
const partOf = (number: number, { isOff = false, port = PORT, key = `key${number}` } = {}) => {
  const facts = {
    nodeName: `n${number}`,
    addresses: [`192.168.77.${number}`, `fd99::${number}`],
    podCidrs: [`10.77.${number}.0/24`, `fd77:0:0:${number}::/64`],
  };
  const encryption = { ...wireguardKeysAt(join(folder, key)), port };
  const { publicKey } = encryption;
  const options: NodeOptions = {
    ...{ podCidrs: facts.podCidrs, nodeAddresses: facts.addresses, interfacePrefix: PREFIX },
    clusterCidrs: ['10.77.0.0/16', 'fd77::/48'],
    ...(isOff ? {} : { encryption }),
  };
  const peer = {
    ...{ ...facts, isUnreachable: false, mtu: 1500 },
    ...(isOff ? {} : { wireguard: { publicKey, port } }),
  };
  return { options, peer };
};

type Part = ReturnType<typeof partOf>;

/** Two nodes on one wire, each with a pod of both families. */
const pair = async (partA: Part = partOf(1), partB: Part = partOf(2)) => {
  const [nsA, nsB] = [lab.netns('a'), lab.netns('b')];
  for (const address of ['192.168.77.%/24', 'fd99::%/64'])
    lab.wire(nsA, address.replace('%', '1'), nsB, address.replace('%', '2'));
  const [a, b] = [await lab.node(nsA, partA.options), await lab.node(nsB, partB.options)];
  await a.call('syncPeers', [partB.peer]);
  await b.call('syncPeers', [partA.peer]);
  const [podA, podB] = [lab.netns('pa'), lab.netns('pb')];
  const { ips: ipsA } = await a.call<Attachment>('attach', { sandboxId: 'pa', netnsPath: podA });
  const { ips: ipsB } = await b.call<Attachment>('attach', { sandboxId: 'pb', netnsPath: podB });
  for (const ns of [nsA, nsB]) watch(ns);
  return { nsA, nsB, a, b, podA, podB, ipsA, ipsB, peerA: partA.peer, peerB: partB.peer };
};

/** Counts what comes in by the wires: encrypted, and from or to pods in the clear. */
const watch = (ns: string): void => {
  const wires = [...inNetns(ns, 'ip', '-br', 'link').matchAll(/^(nw[0-9a-f]{8})@/gm)];
  const chains = wires.map(
    ([, wire = '']) => `chain ${wire} {
      type filter hook ingress device ${wire} priority -500;
      meta l4proto udp th dport ${PORT} counter name sealed
      ip saddr 10.77.0.0/16 counter name clear
      ip daddr 10.77.0.0/16 counter name clear
      ip6 saddr fd77::/48 counter name clear
      ip6 daddr fd77::/48 counter name clear
    }`,
  );
  const counters = ['sealed', 'clear'].map((name) => `counter ${name} {\n}`);
  inNetns(ns, 'nft', ['table netdev watch {', ...counters, ...chains, '}'].join('\n'));
};

const seen = (ns: string, counter: 'sealed' | 'clear'): number =>
  Number(
    /packets (\d+)/.exec(inNetns(ns, 'nft', 'list', 'counter', 'netdev', 'watch', counter))?.[1],
  );

const nothingWasClear = (...all: string[]): void => {
  expect(all.map((ns) => seen(ns, 'clear'))).toEqual(all.map(() => 0));
};

(hasWireguard ? describe.skip : describe)('where the kernel has no WireGuard', () => {
  it('is refused, and says what is missing', async () => {
    const ns = lab.netns('a');
    const node = await lab.node(ns, partOf(1, { isOff: true }).options);
    await expect(node.call('requireWireguard')).rejects.toThrow(
      'this kernel has no WireGuard (CONFIG_WIREGUARD, module wireguard)',
    );
  });

  it('leaves pods without a way rather than in the clear', async () => {
    const ns = lab.netns('a');
    const { options } = partOf(1);
    const node = await lab.node(ns, options);
    await expect(node.call('syncPeers', [partOf(2).peer])).rejects.toThrow(
      'create interface nwtwg (wireguard)',
    );
    expect(inNetns(ns, 'ip', 'route')).not.toContain('10.77.2.0/24');
  });
});

(hasWireguard ? describe : describe.skip)('where the kernel has WireGuard', () => {
  it('encrypts what pods and nodes send to pods of other nodes, in both families', async () => {
    const { nsA, nsB, a, podA, podB, ipsA, ipsB } = await pair();
    await a.call('requireWireguard');
    await using _server = await serve(podB, 80, 'b', '::');
    for (const [i, ip] of ipsB.entries()) {
      expect(pings(podA, ip)).toBe(true);
      expect(pings(podB, ipsA[i]!)).toBe(true);
      expect(transfer(podA, ip, 81)).toBe(String(1 << 20));
      expect(ask(podA, 'tcp', ip, 80)).toContain(`${ipsA[i]} b`);
    }
    expect(ask(nsA, 'tcp', ipsB[0]!, 80)).toBe('::ffff:10.77.1.0 b');
    expect(ask(nsA, 'tcp', ipsB[1]!, 80)).toBe('fd77:0:0:1:: b');
    nothingWasClear(nsA, nsB);
    for (const ns of [nsA, nsB]) expect(seen(ns, 'sealed')).toBeGreaterThan(100);
  });

  it('says what size of packets fits, from the first pod on', async () => {
    const { podA, podB, ipsA, ipsB } = await pair();
    await using _a = await serve(podA, 80);
    await using _b = await serve(podB, 80);
    for (const [pod, ip] of [
      [podA, ipsB[0]!],
      [podB, ipsA[0]!],
    ] as const) {
      expect(sendWhole(pod, ip, 80, 1440)).toBe('echoed');
      expect(sendWhole(pod, ip, 80, 1441)).toBe('EMSGSIZE 1440');
    }
  });

  it('keeps to what a narrower peer takes', async () => {
    const { nsA, nsB, a, b, podA, podB, ipsB, peerA, peerB } = await pair();
    for (const [, wire = ''] of inNetns(nsB, 'ip', '-br', 'link').matchAll(/^(nw[0-9a-f]{8})@/gm))
      inNetns(nsB, 'ip', 'link', 'set', wire, 'mtu', '1320');
    await b.call('syncPeers', [peerA]);
    await a.call('syncPeers', [{ ...peerB, mtu: await b.call<number>('mtu') }]);
    await using _server = await serve(podB, 80, '', '::');
    expect(transfer(podA, ipsB[0]!, 81)).toBe(String(1 << 20));
    expect(sendWhole(podA, ipsB[0]!, 80, 1260)).toBe('echoed');
    expect(sendWhole(podA, ipsB[0]!, 80, 1261)).toBe('EMSGSIZE 1260');
    nothingWasClear(nsA, nsB);
  });

  it('sends nothing to a node without a key, nor that one to it, and says which', async () => {
    const { nsA, nsB, a, b, podA, podB, ipsA, ipsB } = await pair(
      partOf(1),
      partOf(2, { isOff: true }),
    );
    await using _a = await serve(podA, 80, '', '::');
    await using _b = await serve(podB, 80, '', '::');
    for (const [from, ips] of [
      [podA, ipsB],
      [nsA, ipsB],
      [podB, ipsA],
      [nsB, ipsA],
    ] as const)
      for (const ip of ips) expect(connectFrom(from, ip, 80)).toMatch(/^E(HOST|NET)UNREACH/);
    const refusal = { nodeName: 'n2', why: 'it has no key' };
    expect(await a.call('refusedPeers')).toEqual([refusal]);
    expect(await a.call('peerWays')).toEqual([{ ...refusal, way: 'none' }]);
    expect(await b.call('refusedPeers')).toEqual([
      { nodeName: 'n1', why: 'it encrypts, this node does not' },
    ]);
    nothingWasClear(nsA, nsB);
    // An agent that knows nothing of keys.
    inNetns(nsB, 'ip', 'route', 'replace', '10.77.1.0/24', 'via', '192.168.77.1');
    expect(pings(podB, ipsA[0]!)).toBe(false);
    expect(seen(nsA, 'clear')).toBeGreaterThan(0);
    expect(seen(nsB, 'clear')).toBe(0);
  });

  it('leaves nothing in the clear when somebody takes the interface away, and makes it anew', async () => {
    const { nsA, nsB, a, podA, ipsB, peerB } = await pair();
    for (const [family, via] of [
      ['-4', '192.168.77.2'],
      ['-6', 'fd99::2'],
    ] as const)
      inNetns(nsA, 'ip', family, 'route', 'add', 'default', 'via', via);
    for (const harm of [
      ['ip', 'link', 'del', `${PREFIX}wg`],
      ['ip', 'link', 'set', `${PREFIX}wg`, 'down'],
      ['ip', 'addr', 'flush', 'dev', `${PREFIX}wg`],
      ['ip', 'route', 'replace', '10.77.2.0/24', 'via', '192.168.77.2'],
      ['ip', '-6', 'route', 'del', 'fd77:0:0:2::/64'],
    ] as const) {
      const [command, ...args] = harm;
      inNetns(nsA, command, ...args);
      for (const ip of ipsB) pings(podA, ip);
      nothingWasClear(nsB);
      await a.call('syncPeers', [peerB]);
      for (const ip of ipsB)
        expect([harm.join(' '), pings(podA, ip)]).toEqual([harm.join(' '), true]);
    }
    nothingWasClear(nsB);
  });

  it('sets right what somebody has changed of keys, port and peers', async () => {
    const { nsA, a, b, podA, ipsB, peerA, peerB } = await pair();
    const foreign = await lab.node(nsA, partOf(1, { key: 'foreign', port: 7 }).options);
    await foreign.call('syncPeers', [partOf(3).peer]);
    expect(pings(podA, ipsB[0]!)).toBe(false);
    await a.call('syncPeers', [peerB]);
    await b.call('syncPeers', [peerA]);
    for (const ip of ipsB) expect(pings(podA, ip)).toBe(true);
  });

  it('goes on over kill -9 of the agent, with its connections', async () => {
    const { nsA, nsB, a, podA, podB, ipsA, ipsB, peerB } = await pair();
    await using _server = await serve(podB, 80);
    await using talk = keepConnecting(podA, ipsB[0]!, 80);
    await a.until(() => talk.answers().length > 3);
    const deviceOf = () => inNetns(nsA, 'ip', '-o', 'link', 'show', `${PREFIX}wg`);
    const before = deviceOf();
    await a.kill();
    const count = talk.answers().length;
    await a.until(() => talk.answers().length > count + 3);
    const again = await lab.node(nsA, partOf(1).options);
    await again.call('syncPeers', [peerB]);
    await again.until(() => talk.answers().length > count + 6);
    const later = talk.answers().length;
    await again.until(() => talk.answers().slice(later).includes('held echoed'));
    const fine = [ipsA[0], 'held echoed', 'held waits'];
    expect(talk.answers().filter((answer) => !fine.includes(answer))).toEqual([]);
    expect(deviceOf()).toBe(before);
    nothingWasClear(nsA, nsB);
  });

  it('takes another key of a peer, and none of one that has gone', async () => {
    const { nsB, a, b, podA, ipsB, peerA, peerB } = await pair();
    expect(pings(podA, ipsB[0]!)).toBe(true);
    await b.kill();
    const next = partOf(2, { key: 'next' });
    const again = await lab.node(nsB, next.options);
    await again.call('syncPeers', [peerA]);
    expect(pings(podA, ipsB[0]!)).toBe(false);
    await a.call('syncPeers', [next.peer]);
    expect(pings(podA, ipsB[0]!)).toBe(true);
    await a.call('syncPeers', []);
    expect(pings(podA, ipsB[0]!)).toBe(false);
    await a.call('syncPeers', [peerB]);
    expect(pings(podA, ipsB[0]!)).toBe(false);
  });

  it('leads services to pods of other nodes under encryption, also from outside', async () => {
    const { nsA, nsB, a, podA, podB, ipsA, ipsB } = await pair();
    await a.call('configureServices', {
      ...{ serviceCidrs: ['10.96.0.0/16'], podCidrs: ['10.77.0.0/16', 'fd77::/48'] },
      ...{ dnsAddresses: [], nodePortAddresses: [] },
    });
    const endpoints = [{ address: ipsB[0]!, port: 80 }];
    const port = {
      ...{ protocol: 'tcp', port: 80, clusterAddresses: ['10.96.0.20'], externalAddresses: [] },
      ...{ endpoints, localEndpoints: [], nodePort: 30_080 },
      ...{ internalPolicy: 'cluster', externalPolicy: 'cluster' },
    };
    await a.call('applyServices', [['web', port]]);
    await using _server = await serve(podB, 80);
    expect(ask(podA, 'tcp', '10.96.0.20', 80)).toBe(ipsA[0]);
    expect(ask(nsA, 'tcp', '10.96.0.20', 80)).toBe('10.77.1.0');
    expect(ask(nsB, 'tcp', '192.168.77.1', 30_080)).toBe('10.77.1.0');
    nothingWasClear(nsA, nsB);
  });

  it('is off again once it is not asked for, and leaves nothing', async () => {
    const { nsA, nsB, a, podA, ipsB } = await pair();
    const off = [1, 2].map((number) => partOf(number, { isOff: true }));
    await a.kill();
    const again = await lab.node(nsA, off[0]!.options);
    await again.call('syncPeers', [off[1]!.peer]);
    expect(inNetns(nsA, 'ip', 'link')).not.toContain(`${PREFIX}wg`);
    const b = await lab.node(nsB, off[1]!.options);
    await b.call('syncPeers', [off[0]!.peer]);
    for (const ip of ipsB) expect(pings(podA, ip)).toBe(true);
    const { options } = partOf(1);
    const third = await lab.node(nsA, options);
    await third.call('syncPeers', [partOf(2).peer]);
    expect(inNetns(nsA, 'ip', 'link')).toContain(`${PREFIX}wg`);
    await third.call('destroy');
    expect(inNetns(nsA, 'ip', 'link')).not.toContain(`${PREFIX}wg`);
    expect(inNetns(nsA, 'ip', 'route')).not.toContain('10.77.2.0/24');
    expect(inNetns(nsA, 'nft', 'list', 'tables').trim()).toBe('table netdev watch');
  });
});
