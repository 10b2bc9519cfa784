import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  createLabNetwork,
  destroyLabNetwork,
  freePodRange,
  labNetworkNames,
  routeToPods,
} from '../../runtime/network/lab';
import {
  closeLabUplink,
  openLabUplink,
  readForwarding,
  writeForwarding,
} from '../../runtime/network/lab-uplink';
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

describe('the way out of a lab', () => {
  const OUTSIDE = '198.51.100.2';
  let outside: string;

  beforeEach(() => {
    outside = `${name}-outside`;
    const wire = `nw${randomBytes(4).toString('hex')}`;
    run('ip', 'netns', 'add', outside);
    run('ip', 'link', 'add', wire, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside);
    run('ip', 'address', 'add', '198.51.100.1/30', 'dev', wire);
    run('ip', 'link', 'set', wire, 'up');
    run('ip', '-n', outside, 'address', 'add', `${OUTSIDE}/30`, 'dev', 'eth0');
    run('ip', '-n', outside, 'link', 'set', 'eth0', 'up');
  });

  afterEach(async () => {
    await closeLabUplink(name);
    run('ip', 'netns', 'delete', outside);
  });

  it('leads to all that this machine reaches, and lets answers in alone', async () => {
    const wasForwarding = readForwarding();
    const { nodes, subnet } = await createLabNetwork({ name, nodes: 1 });
    const [node] = nodes;
    try {
      writeForwarding(true);
      await openLabUplink(name, subnet);
      await openLabUplink(name, subnet);
      // The outside has no route to the lab: an answer comes to this machine's address only.
      expect(pings(node!.netns, OUTSIDE)).toBe(true);
      run('ip', '-n', outside, 'route', 'add', subnet, 'via', '198.51.100.1');
      expect(pings(`/run/netns/${outside}`, node!.address)).toBe(false);
      expect(pings(node!.netns, OUTSIDE)).toBe(true);
      await closeLabUplink(name);
      await closeLabUplink(name);
      expect(run('nft', 'list', 'tables')).not.toContain('dhow-lab-');
    } finally {
      writeForwarding(wasForwarding);
    }
  });

  it('is not there for an isolated lab: others are unreachable at once', async () => {
    const { nodes } = await createLabNetwork({ name, nodes: 1 });
    await createLabNetwork({ name, nodes: 1, isIsolated: true });
    const { netns, gateway } = nodes[0]!;
    expect(() => inNetns(netns, 'ip', 'route', 'get', OUTSIDE)).toThrow(/unreachable/);
    expect(pings(netns, gateway)).toBe(true);
  });
});

it('chooses a range for pods that nothing on this machine leads to', async () => {
  const first = await freePodRange([]);
  expect(await freePodRange([first])).not.toBe(first);
  const lab = await createLabNetwork({ name, nodes: 1 });
  const podCidr = first.replace(/0\.0\/16$/, '1.0/24');
  await routeToPods(name, [{ podCidr, nodeAddress: lab.nodes[0]!.address }]);
  expect(run('ip', 'route', 'get', podCidr.replace(/0\/24$/, '5'))).toContain(
    `via ${lab.nodes[0]!.address}`,
  );
  expect(await freePodRange([])).not.toBe(first);
  await destroyLabNetwork(name);
  expect(await freePodRange([])).toBe(first);
});
