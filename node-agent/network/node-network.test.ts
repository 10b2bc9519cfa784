import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { FakePodNetwork } from '../../runtime/network';
import type { HostPort } from '../../runtime/pod-network';
import { DEFAULT_SETTINGS } from '../settings';
import { NodeNetwork, type NetworkFacts } from './node-network';

const PEER = {
  nodeName: 'b',
  addresses: ['192.0.2.2'],
  podCidrs: ['10.42.1.0/24'],
  isUnreachable: false,
};

const setUp = () => {
  const clock = new ManualClock();
  const fake = new FakePodNetwork(['10.42.0.0/24'], clock);
  const failures: Error[] = [];
  const synced: number[] = [];
  let facts: NetworkFacts = { podCidrs: [], clusterCidrs: [], peers: [] };
  const sync = fake.syncPeers.bind(fake);
  fake.syncPeers = async (peers) => {
    synced.push(clock.now());
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    await sync(peers);
  };
  const problems: (string | undefined)[] = [];
  const refusals: string[] = [];
  let ports: readonly HostPort[] | undefined;
  const network: NodeNetwork = new NodeNetwork({
    open: () => {
      const failure = failures.shift();
      return failure === undefined ? Promise.resolve(fake) : Promise.reject(failure);
    },
    facts: () => facts,
    hostPorts: () => ports,
    onChange: () => problems.push(network.problem),
    nodeName: 'a',
    events: {
      emit: ({ metadata }, { reason, message }) =>
        refusals.push(`${metadata.name} ${reason} ${message}`),
    },
    settings: DEFAULT_SETTINGS,
    clock,
    log: silentLog,
  });
  const stop = new AbortController();
  const running = network.run(stop.signal);
  const tell = async (peers: NetworkFacts['peers']) => {
    facts = { podCidrs: ['10.42.0.0/24'], clusterCidrs: ['10.42.0.0/16'], peers };
    network.changed();
    await clock.advance(0);
  };
  const want = (wanted: readonly HostPort[]) => (ports = wanted);
  const end = async () => {
    stop.abort();
    await running;
  };
  return { clock, fake, failures, synced, problems, refusals, network, tell, want, end };
};

it('opens the network when its range is known, and tries again when that fails', async () => {
  const { clock, failures, network, problems, tell, end } = setUp();
  await clock.advance(60_000);
  expect(network.problem).toBe('the pod network is not set up yet');
  failures.push(new Error('no such device'));
  await tell([]);
  expect(network.problem).toBe('pod network: no such device');
  expect(network.current).toBeUndefined();
  await clock.advance(DEFAULT_SETTINGS.retryMs);
  expect(network.problem).toBeUndefined();
  expect(problems).toEqual(['pod network: no such device', undefined]);
  await end();
});

it('follows the peers at once, and looks after them though nothing changes', async () => {
  const { clock, fake, failures, synced, network, tell, end } = setUp();
  await tell([]);
  await tell([PEER]);
  expect(fake.peers()).toEqual([PEER]);
  const before = synced.length;
  await clock.advance(3 * DEFAULT_SETTINGS.networkCheckMs);
  expect(synced.length).toBe(before + 3);
  failures.push(new Error('busy'));
  await tell([]);
  expect(network.problem).toBe('pod network: busy');
  await clock.advance(DEFAULT_SETTINGS.retryMs);
  expect(network.problem).toBeUndefined();
  expect(fake.peers()).toEqual([]);
  await end();
});

it('looks after the routes within a second of a lost or found link', async () => {
  const { clock, fake, synced, tell, end } = setUp();
  await tell([PEER]);
  const before = synced.length;
  for (const changes of [1, 2]) {
    fake.linkChangeCount = changes;
    await clock.advance(DEFAULT_SETTINGS.linkCheckMs);
    expect(synced.length).toBe(before + changes);
  }
  await clock.advance(DEFAULT_SETTINGS.networkCheckMs - DEFAULT_SETTINGS.linkCheckMs);
  expect(synced.length).toBe(before + 2);
  await end();
});

it('lets nobody wait for it beyond their own end', async () => {
  const { network, tell, end } = setUp();
  const leaving = new AbortController();
  const waiting = network.whenOpen(leaving.signal);
  leaving.abort(new Error('the pod was deleted'));
  await expect(waiting).rejects.toThrow('the pod was deleted');
  const { signal } = new AbortController();
  const patient = network.whenOpen(signal);
  await tell([]);
  expect(await patient).toBe(network.current);
  await end();
});

it('tells when the node takes packets of another size', async () => {
  const { clock, fake, problems, tell, end } = setUp();
  await tell([]);
  const before = problems.length;
  await clock.advance(DEFAULT_SETTINGS.networkCheckMs);
  expect(problems.length).toBe(before);
  fake.mtu = 1320;
  await clock.advance(DEFAULT_SETTINGS.networkCheckMs);
  expect(problems.length).toBe(before + 1);
  await end();
});

it('tells when other nodes are reached in another way, and not of each that is reached as most', async () => {
  const { clock, fake, problems, network, tell, end } = setUp();
  await tell([]);
  expect(network.peerWays).toBe('no peers');
  const way = (nodeName: string, kind: 'direct' | 'vxlan') => ({ nodeName, way: kind });
  fake.peerWays = [way('b', 'direct')];
  await clock.advance(DEFAULT_SETTINGS.networkCheckMs);
  expect(network.peerWays).toBe('direct');
  const before = problems.length;
  fake.peerWays = [way('b', 'direct'), way('c', 'direct')];
  await clock.advance(DEFAULT_SETTINGS.networkCheckMs);
  expect(problems.length).toBe(before);
  fake.peerWays = [way('b', 'direct'), way('c', 'vxlan')];
  await clock.advance(DEFAULT_SETTINGS.networkCheckMs);
  expect(problems.length).toBe(before + 1);
  expect(network.peerWays).toBe('direct; vxlan: c');
  await end();
});

it('tells once who else drops what the node passes on, and of another time as well', async () => {
  const { clock, fake, refusals, network, tell, end } = setUp();
  await tell([PEER]);
  for (const drops of [['by a'], ['by a'], [], ['by a'], ['by a', 'by b']]) {
    fake.drops = drops;
    await clock.advance(DEFAULT_SETTINGS.networkCheckMs);
  }
  expect(refusals).toEqual(
    ['by a', 'by a', 'by a', 'by b'].map((text) => `a ForwardingBlocked ${text}`),
  );
  fake.foreignDrops = () => Promise.reject(new Error('busy'));
  await clock.advance(DEFAULT_SETTINGS.networkCheckMs);
  expect(network.problem).toBeUndefined();
  await end();
});

it('tells once of each set of nodes that are sent nothing because of encryption', async () => {
  const { clock, fake, refusals, tell, end } = setUp();
  const refused = (nodeName: string) => ({ nodeName, why: 'it has no key' });
  fake.refusedPeers = [refused('b')];
  await tell([PEER]);
  await clock.advance(2 * DEFAULT_SETTINGS.networkCheckMs);
  expect(refusals).toEqual([
    'a PeerNotEncrypted No pod of these nodes is reached, since not both encrypt: node b (it has no key)',
  ]);
  fake.refusedPeers = [];
  await clock.advance(DEFAULT_SETTINGS.networkCheckMs);
  fake.refusedPeers = Array.from({ length: 5000 }, (_, i) => refused(`n${i}`));
  await clock.advance(DEFAULT_SETTINGS.networkCheckMs);
  expect(refusals).toHaveLength(2);
  expect(refusals[1]).toMatch(/node n9 \(it has no key\) and 4990 more$/);
  await end();
});

describe('host ports', () => {
  const port: HostPort = {
    protocol: 'tcp',
    hostIp: '0.0.0.0',
    hostPort: 8080,
    podIp: '10.42.0.2',
    podPort: 80,
  };

  it('are left as they are until it is known which there should be', async () => {
    const { clock, fake, tell, want, end } = setUp();
    fake.hostPorts = [port];
    await tell([]);
    expect(fake.hostPorts).toEqual([port]);
    want([]);
    await clock.advance(DEFAULT_SETTINGS.networkCheckMs);
    expect(fake.hostPorts).toEqual([]);
    await end();
  });

  it('are tried again when they cannot be set, and the node is well meanwhile', async () => {
    const { clock, fake, network, tell, want, end } = setUp();
    const sync = fake.syncHostPorts.bind(fake);
    fake.syncHostPorts = () => Promise.reject(new Error('nft is not installed'));
    want([port]);
    await tell([]);
    expect(network.problem).toBeUndefined();
    await expect(network.publishHostPorts()).rejects.toThrow('nft is not installed');
    fake.syncHostPorts = sync;
    await clock.advance(DEFAULT_SETTINGS.retryMs);
    expect(fake.hostPorts).toEqual([port]);
    await end();
  });
});
