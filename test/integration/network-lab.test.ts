import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createLabNetwork, destroyLabNetwork, labNetworkNames } from '../../runtime/network/lab';
import { inNetns, pings, run } from './network/netns';

/** Lines that tell of the lab, in everything about this machine's network that it could change. */
const traces = ({ bridge }: { readonly bridge: string }): string[] => {
  const listing = [
    run('ip', '-o', 'link'),
    run('ip', 'route', 'show', 'table', 'all'),
    run('ip', 'netns', 'list'),
  ];
  const hash = bridge.slice('dhow-'.length);
  return listing
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.includes(hash) || line.includes(name));
};

const isForwarding = () => run('sysctl', 'net.ipv4.ip_forward');

let name: string;
beforeEach(() => {
  name = `network-${randomBytes(3).toString('hex')}`;
});
afterEach(async () => {
  await destroyLabNetwork(name);
});

it('joins its nodes and this machine, and goes without a trace', async () => {
  const forwardingBefore = isForwarding();
  const lab = await createLabNetwork({ name, nodes: 3 });
  const { nodes, gateway, bridge } = lab;
  expect(traces(lab)).not.toEqual([]);
  expect(nodes.map((node) => node.name)).toEqual(['node-1', 'node-2', 'node-3']);
  expect(nodes[2]?.netns).toBe(`/run/netns/dhow-${name}-node-3`);
  const [first, , third] = nodes;
  expect(pings(first!.netns, third!.address)).toBe(true);
  expect(pings(third!.netns, gateway)).toBe(true);
  expect(inNetns(first!.netns, 'ip', 'route')).toContain(`default via ${gateway}`);
  expect(bridge.length).toBeLessThanOrEqual(15);
  expect(await labNetworkNames()).toContain(name);

  await destroyLabNetwork(name);
  await destroyLabNetwork(name);
  expect(traces(lab)).toEqual([]);
  expect(isForwarding()).toBe(forwardingBefore);
});

it('finds what exists, mends what is missing, adds nodes', async () => {
  const first = await createLabNetwork({ name, nodes: 1 });
  expect(await createLabNetwork({ name, nodes: 1 })).toEqual(first);
  run('ip', 'netns', 'delete', `dhow-${name}-node-1`);
  const second = await createLabNetwork({ name, nodes: 2 });
  expect(second.nodes[0]).toEqual(first.nodes[0]);
  expect(pings(second.nodes[0]!.netns, second.nodes[1]!.address)).toBe(true);
});

it('leaves no wire even when a process lingers in a namespace', async () => {
  const lab = await createLabNetwork({ name, nodes: 1 });
  const lingering = spawn('nsenter', [`--net=${lab.nodes[0]!.netns}`, 'sleep', '60']);
  await once(lingering, 'spawn');
  await destroyLabNetwork(name);
  expect(traces(lab)).toEqual([]);
  lingering.kill('SIGKILL');
  await once(lingering, 'exit');
});

it('keeps labs apart whose names begin alike', async () => {
  const other = `${name}-node-1`;
  try {
    const lab = await createLabNetwork({ name, nodes: 1 });
    const longer = await createLabNetwork({ name: other, nodes: 1 });
    expect(longer.subnet).not.toBe(lab.subnet);
    await destroyLabNetwork(name);
    expect(pings(longer.nodes[0]!.netns, longer.gateway)).toBe(true);
  } finally {
    await destroyLabNetwork(other);
  }
});

it.each([
  [{ name: 'Lab', nodes: 1 }, 'name "Lab" must be 1 to 32 of [a-z0-9-]'],
  [{ name: '../x', nodes: 1 }, 'name "../x" must be'],
  [{ name: 'x', nodes: 0 }, 'nodes must be between 1 and 200, not 0'],
  [{ name: 'x', nodes: 1, subnet: '10.0.0.0/8' }, 'subnet 10.0.0.0/8 is not a /24'],
])('refuses %j', async (options, message) => {
  await expect(createLabNetwork(options)).rejects.toThrow(message);
});

it('refuses a subnet that another lab has', async () => {
  const { subnet } = await createLabNetwork({ name, nodes: 1 });
  await expect(createLabNetwork({ name: `${name}-b`, nodes: 1, subnet })).rejects.toThrow(
    `subnet ${subnet} is in use on this machine`,
  );
});
