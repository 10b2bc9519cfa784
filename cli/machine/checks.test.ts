import { checkMachineFor, DEFAULT_RANGES, type Role } from './checks';
import { routesIn, type MachineFacts } from './facts';
import { standingErrors, tellFindings } from '../output/findings';
import { listeningIn } from './listeners';

const GOOD: MachineFacts = {
  ...{ isRoot: true, hasSystemd: true, hostname: 'node-1', kernel: '6.1.0' },
  fileSystems: ['ext4', 'overlay'],
  namespaces: ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'user'],
  hasSeccomp: true,
  cgroups: { version: 2, controllers: ['cpu', 'memory', 'pids'] },
  ...{ missingPrograms: [], nftProblem: undefined, etcd: '3.5.1', listeners: [] },
  ...{ memoryBytes: 1 << 30, swapBytes: 0, fsyncMs: 1, freeBytes: 10 * 2 ** 30 },
  networks: [{ cidr: '192.168.1.0/24', interfaceName: 'eth0', isVia: false }],
  ...{ foreign: { drops: [], kubeChains: [] }, leftovers: [] },
};
const BOTH: Role = {
  server: { ports: [6443, 6444] },
  agent: { nodeName: 'node-1', ingressPorts: [80, 443] },
  ...DEFAULT_RANGES,
};
const found = (facts: Partial<MachineFacts>, role: Role = BOTH) =>
  checkMachineFor({ ...GOOD, ...facts }, role)
    .filter(({ severity }) => severity !== 'ok')
    .map(
      ({ check, severity, message, remedy = '' }) => `${severity} ${check}: ${message} | ${remedy}`,
    );
const listener = (port: number, name: string, isOurs = false) => ({
  ...{ address: '0.0.0.0', port, holder: { pid: 7, name, isOurs } },
});
const reached = (cidr: string, interfaceName: string, isVia = false) => ({
  networks: [{ cidr, interfaceName, isVia }],
});

it('finds nothing wrong with a good machine, and says of each check that it was made', () => {
  expect(found({})).toEqual([]);
  const checks = checkMachineFor(GOOD, BOTH).map(({ check }) => check);
  expect(new Set(checks).size).toBe(checks.length);
});

it.each<[string, Partial<MachineFacts>, string, string]>([
  ['no root', { isRoot: false }, 'error root', 'sudo'],
  ['no systemd', { hasSystemd: false }, 'warning systemd', 'dhow agent'],
  ['no overlayfs', { fileSystems: ['ext4'] }, 'error overlayfs', 'modprobe overlay'],
  [
    'no network namespaces',
    { namespaces: ['mnt', 'pid', 'ipc', 'uts', 'cgroup'] },
    'error namespaces',
    ' net',
  ],
  ['no seccomp', { hasSeccomp: false }, 'error seccomp', 'filters'],
  [
    'no limits of memory',
    { cgroups: { version: 2, controllers: ['cpu', 'pids'] } },
    'error cgroups',
    'cgroup_enable=memory',
  ],
  [
    'no limits of processors',
    { cgroups: { version: 1, controllers: ['memory', 'pids', 'freezer', 'devices'] } },
    'warning cgroups',
    'without cpu',
  ],
  ['no nftables', { nftProblem: 'EPROTONOSUPPORT' }, 'error nftables', 'EPROTONOSUPPORT'],
  ['no nft', { missingPrograms: ['nft'] }, 'error programs', 'apt-get install -y nftables'],
  ['no etcd', { etcd: undefined }, 'error etcd', 'etcd-server'],
  ['an old etcd', { etcd: '3.3.25' }, 'error etcd', '3.3.25'],
  ['swap', { swapBytes: 2 ** 30 }, 'warning swap', '1024 MiB'],
  ['little memory', { memoryBytes: 300 * 2 ** 20 }, 'error memory', '300 MiB'],
  ['a full disk', { freeBytes: 2 ** 20 }, 'error disk-space', '1 MiB'],
  ['a slow disk', { fsyncMs: 45.04 }, 'warning disk-speed', '45.0 ms'],
  [
    'a port of the API that is taken',
    { listeners: [listener(6444, 'haproxy')] },
    'error ports',
    'haproxy (pid 7)',
  ],
  [
    'a port of ingresses that is taken',
    { listeners: [listener(80, 'nginx')] },
    'warning ports',
    'ingress-http-port',
  ],
  [
    'rules that drop',
    { foreign: { drops: ['X drops. To let them pass: do Y'], kubeChains: [] } },
    'warning forwarding',
    '| To let them pass: do Y',
  ],
  [
    "k3s' leftovers",
    { leftovers: ['/var/lib/rancher/k3s'] },
    'warning leftovers',
    'k3s-uninstall.sh',
  ],
  [
    "kube-proxy's rules",
    { foreign: { drops: [], kubeChains: ['KUBE-SERVICES'] } },
    'warning leftovers',
    'chain KUBE-SERVICES',
  ],
  ["pods' range in use", reached('10.42.7.0/24', 'eth1'), 'error networks', 'cluster-cidr'],
  ['a way to all of it', reached('10.0.0.0/8', 'tun0', true), 'error networks', 'tun0'],
])('tells of %s', (_, facts, head, part) => {
  const all = found(facts);
  expect(all).toHaveLength(1);
  expect(all[0]).toMatch(new RegExp(`^${head}: `));
  expect(all[0]).toContain(part);
});

it.each<[string, Partial<MachineFacts>]>([
  [
    'its own programs at its ports',
    { listeners: [listener(6443, 'node', true), listener(80, 'node', true)] },
  ],
  ['pods of other nodes, by way of those', reached('10.42.7.0/24', 'eth0', true)],
  ['its own links', reached('10.42.0.0/24', 'dhvxlan')],
])('takes no offence at %s', (_, facts) => {
  expect(found(facts)).toEqual([]);
});

it('asks of a node neither etcd nor ports of the API, and of a server no overlayfs', () => {
  const { agent, server } = BOTH;
  expect(
    found(
      { etcd: undefined, listeners: [listener(6443, 'x')] },
      { ...DEFAULT_RANGES, ...(agent === undefined ? {} : { agent }) },
    ),
  ).toEqual([]);
  expect(
    found({ fileSystems: [] }, { ...DEFAULT_RANGES, ...(server === undefined ? {} : { server }) }),
  ).toEqual([]);
});

it.each(['localhost', 'Node_1', '-a', 'a'.repeat(254)])('refuses the node name %s', (nodeName) => {
  const [only] = found({}, { ...BOTH, agent: { nodeName, ingressPorts: [] } });
  expect(only).toMatch(/^error node-name: /);
});

it('goes on in spite of what is named, or of all', () => {
  const findings = checkMachineFor({ ...GOOD, etcd: undefined, isRoot: false }, BOTH);
  expect(standingErrors(findings, ['etcd']).map(({ check }) => check)).toEqual(['root']);
  expect(standingErrors(findings, ['all'])).toEqual([]);
  expect(tellFindings(findings).join('\n')).toContain(
    'error (root): this user is not root\n    use sudo',
  );
});

it('reads who listens, of both families', () => {
  const text = `  sl  local_address rem_address   st tx_queue
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 0A38A8C0:192B 0B38A8C0:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
   2: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 4713 1
`;
  expect(listeningIn(text)).toEqual([
    { address: '127.0.0.1', port: 3306, inode: '4711' },
    { address: '::', port: 8080, inode: '4713' },
  ]);
});

it('reads ranges of routes, but for the way to everywhere', () => {
  const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n';
  const text = `${head}eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\n\
eth1\t0038A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\neth0\t00072A0A\t0238A8C0\t0003\t0\t0\t0\t00FFFFFF\t0\n`;
  expect(routesIn(text)).toEqual([
    { cidr: '192.168.56.0/24', interfaceName: 'eth1', isVia: false },
    { cidr: '10.42.7.0/24', interfaceName: 'eth0', isVia: true },
  ]);
});
