import { NODES } from '../../api/resources';
import type { Node } from '../../api/types';
import { startTestServer, type TestServer } from '../api-server/testing';
import { parseNodeDraft } from './node-draft';
import { NodeRegistrar } from './node-registrar';

let server: TestServer;
let registrar: NodeRegistrar;
const live = new Set<string>();

beforeEach(async () => {
  live.clear();
  server = await startTestServer();
  registrar = new NodeRegistrar({
    client: server.api.client,
    clock: server.clock,
    clusterCidrs: ['10.42.0.0/16'],
    serviceCidrs: () => ['10.96.0.0/16', 'fd00:96::/112'],
    isLive: (name) => live.has(name),
  });
});
afterEach(() => server[Symbol.asyncDispose]());

const NEVER = new AbortController().signal;
const status = (address: string) => ({ addresses: [{ type: 'InternalIP', address }] });
const register = (name: string, address: string, peer = 'elsewhere') =>
  registrar.register(name, { labels: {}, taints: [], status: status(address) }, peer, NEVER);
const addressOf = async (name: string) =>
  (await server.api.client.get(NODES, { namespace: '', name })).status.addresses?.map(
    ({ address }) => address,
  );
const claim = (node: Node, address: string, peer = 'elsewhere') =>
  registrar.checkAddress(node, status(address), peer, NEVER);

describe('an address of another node', () => {
  beforeEach(() => register('n1', '192.0.2.1'));

  it.each([true, false])('is refused while that node is up (%s)', async (isUp) => {
    if (isUp) live.add('n1');
    await expect(register('n2', '192.0.2.1')).rejects.toThrow('which node "n1" has already');
    const other = await register('n2', '192.0.2.2');
    await expect(claim(other, '192.0.2.1')).rejects.toThrow('which node "n1" has already');
    expect([await addressOf('n1'), await addressOf('n2')]).toEqual([['192.0.2.1'], ['192.0.2.2']]);
  });

  it('is refused from that address, too, while the node is connected', async () => {
    live.add('n1');
    await expect(register('n2', '192.0.2.1', '192.0.2.1')).rejects.toThrow('has already');
  });

  it('goes to whoever calls from it once the node is gone, and only to one', async () => {
    await register('n2', '192.0.2.1', '192.0.2.1');
    expect([await addressOf('n1'), await addressOf('n2')]).toEqual([undefined, ['192.0.2.1']]);
    // The first is back, at another address: each has its own again.
    await register('n1', '192.0.2.9', '192.0.2.9');
    expect(await addressOf('n1')).toEqual(['192.0.2.9']);
  });

  it('heals when two machines have changed their addresses with each other', async () => {
    await register('n2', '192.0.2.2');
    await register('n1', '192.0.2.2', '192.0.2.2');
    await register('n2', '192.0.2.1', '192.0.2.1');
    expect([await addressOf('n1'), await addressOf('n2')]).toEqual([['192.0.2.2'], ['192.0.2.1']]);
  });

  it.each(['::ffff:192.0.2.1', '192.0.2.01', 'n1', '0x7f.1'])('has no other spelling: %s', (text) =>
    expect(register('n2', text)).rejects.toThrow('is no address of a node'),
  );
});

describe('an address of the services', () => {
  it.each([
    ['10.96.3.4', '10.96.0.0/16'],
    ['fd00:96::7', 'fd00:96::/112'],
  ])('is refused to a node: %s', async (address, range) => {
    const why = `node "n1" has the address ${address}, which is in the range of services ${range}`;
    await expect(register('n1', address, address)).rejects.toThrow(why);
    await expect(addressOf('n1')).rejects.toThrow('not found');
    const node = await register('n1', '10.97.0.1');
    await expect(claim(node, address)).rejects.toThrow(why);
  });
});

it('keeps of an agent’s labels those that a node may give itself', () => {
  const labels = {
    'node-restriction.kubernetes.io/tier': 'gold',
    'node-role.kubernetes.io/control-plane': '',
    'kubernetes.io/any': 'x',
    'topology.kubernetes.io/zone': 'a',
    'acme.com/disk': 'ssd',
  };
  const draft = parseNodeDraft('n1', Buffer.from(JSON.stringify({ metadata: { labels } })));
  expect(draft.labels).toEqual({
    'topology.kubernetes.io/zone': 'a',
    'acme.com/disk': 'ssd',
    'kubernetes.io/hostname': 'n1',
  });
});

describe('two servers of one store', () => {
  it('give no two nodes one range, whoever joins where', async () => {
    const { store } = server;
    await using other = await startTestServer({ store, serverId: 'other' });
    let isOver = false;
    void (async () => {
      while (!isOver) await other.clock.advance(10);
    })();
    void (async () => {
      while (!isOver) await server.clock.advance(10);
    })();
    const another = new NodeRegistrar({
      client: other.api.client,
      clock: other.clock,
      clusterCidrs: ['10.42.0.0/16'],
      serviceCidrs: () => [],
      isLive: () => false,
    });
    const nodes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const draft = { labels: {}, taints: [], status: status(`192.0.2.${i + 1}`) };
        return (i % 2 === 0 ? registrar : another).register(`m${i}`, draft, 'elsewhere', NEVER);
      }),
    ).finally(() => (isOver = true));
    const ranges = nodes.flatMap(({ spec }) => spec.podCIDRs ?? []);
    expect(ranges).toHaveLength(20);
    expect(new Set(ranges).size).toBe(20);
  });
});

it.each([
  [{ podCIDR: '10.42.0.0/24', podCIDRs: ['10.42.0.0/24'] }, 409],
  [{ podCIDR: '10.42.0.0/24' }, 409],
  [{ podCIDR: '10.42.9.0/24', podCIDRs: ['10.42.9.0/24'] }, 201],
  [{}, 201],
])('a node that somebody makes with %j is answered %d', async (spec, expected) => {
  await register('n1', '192.0.2.1');
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'made' }, spec };
  const { status: code, json } = await server.request('POST', '/api/v1/nodes', node);
  expect(code).toBe(expected);
  if (code === 409) expect(json.message).toContain('a range of pods is of another node');
});
