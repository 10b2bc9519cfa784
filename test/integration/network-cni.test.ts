import { type Attachment } from '../../runtime/pod-network';
import { CniFolders, PASS_ON } from './network/cni';
import { ask, connectFrom, inNetns, NetnsLab, pings, serve } from './network/netns';
import { attach } from './network/pairs';

let lab: NetnsLab;
let folders: CniFolders;
beforeEach(() => {
  lab = new NetnsLab();
  folders = new CniFolders();
});
afterEach(async () => {
  await lab.dispose();
  folders[Symbol.dispose]();
});

const nodeNamespace = (): string => {
  const netns = lab.netns('node');
  inNetns(netns, 'ip', 'link', 'set', 'lo', 'up');
  return netns;
};

const PORTMAP = { type: 'portmap', capabilities: { portMappings: true } };
const BANDWIDTH = { type: 'bandwidth', capabilities: { bandwidth: true } };
const hostEnds = (netns: string): number =>
  inNetns(netns, 'ip', '-br', 'link').match(/^veth/gm)?.length ?? 0;

describe('Debian’s plugins', () => {
  const single = async (
    chained: readonly object[] = [PORTMAP, BANDWIDTH, { type: 'loopback' }],
  ) => {
    folders.configure([folders.bridge(), ...chained]);
    const nodeNs = nodeNamespace();
    const node = await folders.node(lab, nodeNs);
    await node.call('syncPeers', []);
    return { nodeNs, node };
  };

  it('let pods reach each other, the node and themselves, by addresses of the node', async () => {
    const { nodeNs, node } = await single();
    const [one, two] = [lab.netns('p1'), lab.netns('p2')];
    const a = await attach(node, 'one', one);
    const b = await attach(node, 'two', two);
    expect([a.ip, b.ip]).toEqual(['10.77.1.2', '10.77.1.3']);
    expect(a.hostInterface).toMatch(/^veth/);
    expect(pings(one, b.ip)).toBe(true);
    expect(pings(nodeNs, a.ip)).toBe(true);
    expect(pings(one, '127.0.0.1')).toBe(true);
    expect(connectFrom(two, a.ip, 9)).toBe('ECONNREFUSED');
    expect(folders.leased()).toEqual(['10.77.1.2', '10.77.1.3']);
  });

  it('lead host ports, limit bandwidth, and leave nothing of either', async () => {
    const { nodeNs, node } = await single();
    const pod = lab.netns('p1');
    const hostPorts = [{ protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080, podPort: 80 }];
    const limits = { ingressBitsPerSecond: 10_000_000, egressBitsPerSecond: 5_000_000 };
    await node.call('attach', { sandboxId: 'one', netnsPath: pod, hostPorts, limits });
    const other = lab.netns('other');
    lab.wire(nodeNs, '192.168.77.1/24', other, '192.168.77.2/24');
    await using _server = await serve(pod, 80, 'web');
    expect(ask(other, 'tcp', '192.168.77.1', 8080)).toContain('web');
    expect(inNetns(nodeNs, 'tc', 'qdisc')).toMatch(/tbf .* rate 10Mbit/);
    expect(inNetns(nodeNs, 'tc', 'qdisc')).toMatch(/tbf .* rate 5Mbit/);

    await node.call('release', 'one');
    await node.call('detach', 'one');
    expect(ask(other, 'tcp', '192.168.77.1', 8080)).toBe('ECONNREFUSED');
    expect(inNetns(nodeNs, 'tc', 'qdisc')).not.toContain('tbf');
    expect([folders.leased(), folders.records()]).toEqual([[], []]);
    expect(hostEnds(nodeNs)).toBe(0);
  });

  it('have let go of a sandbox whose namespace went first', async () => {
    const { nodeNs, node } = await single();
    const pod = lab.netns('p1');
    await attach(node, 'one', pod);
    lab.removeNetns(pod);
    await node.call('detach', 'one');
    await node.call('detach', 'one');
    expect(await node.call('attachments')).toEqual([]);
    expect([folders.leased(), folders.records()]).toEqual([[], []]);
    await node.until(() => hostEnds(nodeNs) === 0);
  });

  it('keep addresses over kill -9, and are asked whether all is there still', async () => {
    const { nodeNs, node } = await single([PORTMAP]);
    const pod = lab.netns('p1');
    const before = await attach(node, 'one', pod);
    await node.kill();

    const again = await folders.node(lab, nodeNs);
    const { ip: _ip, ...attachment } = before;
    expect(await again.call('attachments')).toEqual([attachment]);
    expect([await attach(again, 'one', pod), await again.call('warnings')]).toEqual([before, []]);
    await again.kill();

    inNetns(pod, 'ip', 'address', 'flush', 'dev', 'eth0');
    const third = await folders.node(lab, nodeNs);
    const { ip } = await attach(third, 'one', pod);
    expect(pings(nodeNs, ip)).toBe(true);
    expect(folders.leased()).toEqual([ip]);
    expect(hostEnds(nodeNs)).toBe(1);
  });

  it('keep them, too, where a plugin complains, or dies of the question', async () => {
    // Debian's does without limits.
    const { node } = await single([BANDWIDTH]);
    const pod = lab.netns('p1');
    const before = await attach(node, 'one', pod);
    expect(await attach(node, 'one', pod)).toEqual(before);
    expect(await node.call('warnings')).toMatchObject([
      { message: 'CNI attachment is not as it was', err: expect.stringContaining('(check)') },
    ]);
  });

  it('attach once, whoever asks and however often', async () => {
    const { node, nodeNs } = await single();
    const request = { sandboxId: 'one', netnsPath: lab.netns('p1') };
    const results = await node.call<Attachment[]>('attachAll', [request, request, request]);
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(hostEnds(nodeNs)).toBe(1);
  });

  it('leave nothing when the agent is killed before it has heard of them', async () => {
    folders.plugin('hold', '[ "$CNI_COMMAND" = ADD ] && sleep 600; exit 0');
    folders.configure([folders.bridge(), PORTMAP, { type: 'hold' }]);
    const nodeNs = nodeNamespace();
    const node = await folders.node(lab, nodeNs);
    const pod = lab.netns('p1');
    const attaching = attach(node, 'one', pod).catch(() => undefined);
    await node.until(() => folders.calls('hold').some(({ command }) => command === 'ADD'));
    expect([folders.leased().length, hostEnds(nodeNs)]).toEqual([1, 1]);
    await node.kill();
    await attaching;

    const again = await folders.node(lab, nodeNs);
    expect([folders.leased(), folders.records()]).toEqual([[], []]);
    expect(await again.call('attachments')).toEqual([]);
    expect(hostEnds(nodeNs)).toBe(0);
    expect(inNetns(pod, 'ip', '-br', 'link')).not.toContain('eth0');
    expect(folders.calls('hold').map(({ command }) => command)).toEqual(['ADD', 'DEL']);
  });

  it('give addresses of both families', async () => {
    folders.configure([folders.bridge()]);
    const nodeNs = nodeNamespace();
    const podCidrs = ['fd77:1::/64', '10.77.1.0/24'];
    const node = await folders.node(lab, nodeNs, { podCidrs });
    const [one, two] = [lab.netns('p1'), lab.netns('p2')];
    const a = await attach(node, 'one', one);
    await attach(node, 'two', two);
    expect(a.ips).toEqual(['fd77:1::2', '10.77.1.2']);
    expect(pings(two, '10.77.1.2')).toBe(true);
    expect(pings(two, 'fd77:1::2')).toBe(true);
  });

  it('are reached across nodes where they take the nodes’ ranges', async () => {
    using others = new CniFolders();
    for (const each of [folders, others]) each.configure([each.bridge()]);
    const [nsA, nsB] = [lab.netns('a'), lab.netns('b')];
    lab.wire(nsA, '192.168.77.1/24', nsB, '192.168.77.2/24');
    const peerA = { nodeName: 'a', addresses: ['192.168.77.1'], podCidrs: ['10.77.1.0/24'] };
    const peerB = { nodeName: 'b', addresses: ['192.168.77.2'], podCidrs: ['10.77.2.0/24'] };
    const optionsOf = ({ addresses, podCidrs }: typeof peerA) => ({
      ...{ podCidrs, nodeAddresses: addresses },
    });
    const a = await folders.node(lab, nsA, optionsOf(peerA));
    const b = await others.node(lab, nsB, optionsOf(peerB));
    const [podA, podB] = [lab.netns('pa'), lab.netns('pb')];
    await attach(a, 'pa', podA);
    const { ip } = await attach(b, 'pb', podB);
    await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
    await b.call('syncPeers', [{ ...peerA, isUnreachable: false }]);
    expect(ip).toBe('10.77.2.2');
    await using _server = await serve(podB, 80, 'web');
    expect(ask(podA, 'tcp', ip, 80)).toBe('10.77.1.2 web');
    await a.call('syncPeers', []);
    expect(inNetns(nsA, 'ip', 'route')).not.toContain('10.77.2.0/24');
  });
});

describe('services and policies', () => {
  const facts = {
    ...{ serviceCidrs: ['10.96.0.0/16'], podCidrs: ['10.77.0.0/16'] },
    ...{ dnsAddresses: ['10.96.0.10'], nodePortAddresses: [] },
  };
  const deny = (...sandboxes: string[]) => ({
    sandboxes: Object.fromEntries(sandboxes.map((id) => [id, id === 'web' ? { ingress: [] } : {}])),
    ...{ policies: {}, addressSets: {}, portSets: {}, guardedAddresses: [] },
  });

  it('lead to pods of plugins, on one bridge too', async () => {
    folders.configure([folders.bridge()]);
    const nodeNs = nodeNamespace();
    const node = await folders.node(lab, nodeNs);
    const [web, client] = [lab.netns('web'), lab.netns('client')];
    const { ip } = await attach(node, 'web', web);
    await attach(node, 'client', client);
    await using _server = await serve(web, 8080, 'web');
    await node.call('configureServices', facts);
    const target = { address: ip, port: 8080 };
    const port = {
      ...{ protocol: 'tcp', port: 80, clusterAddresses: ['10.96.1.1'], externalAddresses: [] },
      ...{ endpoints: [target], localEndpoints: [target] },
      ...{ internalPolicy: 'cluster', externalPolicy: 'cluster' },
    };
    await node.call('applyServices', [['shop/web:', port]]);
    expect(ask(client, 'tcp', '10.96.1.1', 80)).toContain('web');
    expect(ask(nodeNs, 'tcp', '10.96.1.1', 80)).toContain('web');
    expect(connectFrom(client, '10.96.1.1', 81)).toBe('ECONNREFUSED');
  });

  it('hold between two ports of a bridge', async () => {
    folders.configure([folders.bridge()]);
    const nodeNs = nodeNamespace();
    const node = await folders.node(lab, nodeNs);
    const [web, client] = [lab.netns('web'), lab.netns('client')];
    const { ip } = await attach(node, 'web', web);
    await attach(node, 'client', client);
    await using _server = await serve(web, 80, 'web');
    expect(ask(client, 'tcp', ip, 80)).toContain('web');
    await node.call('syncPolicies', deny('web', 'client'));
    expect(ask(client, 'tcp', ip, 80)).toBe('silence');
    expect(ask(nodeNs, 'tcp', ip, 80)).toContain('web');
  });

  it('are refused where packets go round the node, not left without effect', async () => {
    folders.configure([
      { type: 'macvlan', master: 'lo', ipam: { type: 'host-local', subnet: '10.9.0.0/24' } },
    ]);
    const node = await folders.node(lab, nodeNamespace());
    await node.call('syncPolicies', deny('web'));
    await expect(attach(node, 'web', lab.netns('web'))).rejects.toThrow(
      'network policies cannot hold: packets of the CNI plugin "macvlan" do not pass the rules',
    );
    expect(folders.records()).toEqual([]);
  });
});

describe('the specification', () => {
  it('has each plugin told what is its, in order, and all of it again when undone', async () => {
    folders.plugin('note', PASS_ON);
    // Debian's speak 1.0 at most.
    folders.configure([folders.bridge(), { type: 'note', capabilities: { portMappings: true } }]);
    const node = await folders.node(lab, nodeNamespace());
    const pod = lab.netns('p1');
    const hostPorts = [{ protocol: 'udp', hostIp: '192.0.2.1', hostPort: 53, podPort: 5353 }];
    const pluginArgs = { IgnoreUnknown: '1', K8S_POD_NAME: 'web' };
    await node.call('attach', { sandboxId: 'one', netnsPath: pod, hostPorts, pluginArgs });
    await node.call('release', 'one');
    const [add, del] = folders.calls('note');
    expect(add).toMatchObject({
      ...{ command: 'ADD', sandboxId: 'one', netns: pod },
      args: 'IgnoreUnknown=1;K8S_POD_NAME=web',
      input: {
        ...{ name: 'net', cniVersion: '1.0.0', type: 'note' },
        prevResult: { ips: [{ address: '10.77.1.2/24' }] },
        runtimeConfig: {
          portMappings: [
            { hostPort: 53, containerPort: 5353, protocol: 'udp', hostIP: '192.0.2.1' },
          ],
        },
      },
    });
    expect(add!.input.runtimeConfig).not.toHaveProperty('ipRanges');
    expect(del).toEqual({ ...add!, command: 'DEL' });
  });

  it('has what nobody holds any more collected after a restart, and plugins say how they are', async () => {
    const result = '{"cniVersion":"1.1.0","ips":[{"address":"10.9.0.2/24"}]}';
    const ip = 'ip -n $(basename "$CNI_NETNS")';
    const link = `${ip} link add eth0 type bridge && ${ip} addr add 10.9.0.2/24 dev eth0`;
    folders.plugin(
      'own',
      `case $CNI_COMMAND in ADD) ${link}; echo '${result}';; STATUS) [ -e $0.bad ] && { echo '{"code":50,"msg":"no uplink"}'; exit 1; };; esac; exit 0`,
    );
    folders.configure([{ type: 'own' }], { cniVersion: '1.1.0' });
    const nodeNs = nodeNamespace();
    const node = await folders.node(lab, nodeNs);
    const pod = lab.netns('p1');
    await attach(node, 'one', pod);
    await node.call('syncPeers', []);
    await node.kill();
    const again = await folders.node(lab, nodeNs);
    await attach(again, 'one', pod);
    expect(folders.calls('own').map(({ command }) => command)).toEqual([
      ...['GC', 'ADD', 'STATUS', 'GC', 'CHECK'],
    ]);
    const collected = folders.calls('own').filter(({ command }) => command === 'GC');
    expect(collected.map(({ input }) => input['cni.dev/valid-attachments'])).toEqual([
      [],
      [{ containerID: 'one', ifname: 'eth0' }],
    ]);
    inNetns(nodeNs, 'touch', `${folders.options.pluginPath[0]!}/own.bad`);
    await expect(again.call('syncPeers', [])).rejects.toThrow(
      'plugin type="own" name="net" failed (status): no uplink (code 50)',
    );
  });

  it('has everything undone when a plugin refuses, and its words passed on', async () => {
    folders.plugin(
      'refuse',
      `[ "$CNI_COMMAND" = ADD ] || exit 0; echo '{"code":100,"msg":"no","details":"not today"}'; exit 1`,
    );
    folders.configure([folders.bridge(), { type: 'refuse' }]);
    const nodeNs = nodeNamespace();
    const node = await folders.node(lab, nodeNs);
    await expect(attach(node, 'one', lab.netns('p1'))).rejects.toThrow(
      'failed to setup network for sandbox "one": plugin type="refuse" name="net" failed (add): no; not today (code 100)',
    );
    expect([folders.leased(), folders.records()]).toEqual([[], []]);
    expect(hostEnds(nodeNs)).toBe(0);
  });

  it.each([
    ['writes without end', 'exec yes', 'it wrote more than 1048576 bytes'],
    ['does not end', 'sleep 600', 'it did not end within 2 s'],
    ['writes no JSON', 'printf "a\\033[31mb"', 'it wrote no JSON: "a [31mb"'],
    ['writes nothing', 'exit 0', 'no result'],
    ['dies', 'kill -9 $$', 'netplugin failed with no error message: exit status SIGKILL'],
    ['gives no address', 'echo "{}"', 'the CNI network has given no address'],
    ['complains', 'echo oh >&2; exit 3', 'netplugin failed: "oh"'],
  ])('holds against a plugin that %s', async (_title, script, message) => {
    folders.plugin('bad', `[ "$CNI_COMMAND" = ADD ] || exit 0; ${script}`);
    folders.configure([{ type: 'bad' }]);
    const cni = { ...folders.options, pluginTimeoutMs: 2_000 };
    const node = await folders.node(lab, nodeNamespace(), { cni });
    await expect(attach(node, 'one', lab.netns('p1'))).rejects.toThrow(message);
    expect(folders.calls('bad').map(({ command }) => command)).toEqual(['ADD', 'DEL']);
    expect(folders.records()).toEqual([]);
  });

  it('says what is missing: a network, a plugin, a version, a capability', async () => {
    const nodeNs = nodeNamespace();
    const node = await folders.node(lab, nodeNs);
    await expect(node.call('syncPeers', [])).rejects.toThrow('cni plugin not initialized');
    folders.configure([{ type: 'gone' }]);
    await expect(node.call('syncPeers', [])).rejects.toThrow(
      'failed to find plugin "gone" in path',
    );
    folders.configure([folders.bridge()], { cniVersion: '1.1.0' });
    await expect(node.call('syncPeers', [])).rejects.toThrow(
      'plugin bridge does not support config version "1.1.0"',
    );
    folders.configure([folders.bridge()]);
    await node.call('syncPeers', []);
    const hostPorts = [{ protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 80, podPort: 80 }];
    const request = { sandboxId: 'one', netnsPath: lab.netns('p1'), hostPorts };
    await expect(node.call('attach', request)).rejects.toThrow(
      `no plugin of the CNI network "net" has the capability "portMappings", which the pod's hostPort needs`,
    );
    expect(folders.records()).toEqual([]);
  });
});
