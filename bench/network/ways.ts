import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { parseJson, stringifyJson } from '../../lib/json';
import { silentLog } from '../../lib/log';
import { createPodNetwork } from '../../runtime/network';

/** Bytes a second, one figure a round. */
export type WayRates = Readonly<Record<Path, readonly number[]>>;

/** Who sends to whom: pods of nodes on one link or with a router between them, those nodes themselves, pods of one node. */
type Path = 'podsOnLink' | 'hostsOnLink' | 'podsRouted' | 'hostsRouted' | 'service' | 'pod';

interface NodeArgs {
  readonly address: string;
  readonly podCidr: string;
  readonly peerAddress: string;
  readonly peerPodCidr: string;
  /** Namespaces of the node's pods; the last of them is behind a Service. */
  readonly pods: readonly string[];
}

const ROUNDS = 7;
const SERVICE_ADDRESS = '10.96.0.80';
const [LINKED_HEAD, LEFT_HEAD, RIGHT_HEAD] = ['192.168.70', '192.168.71', '192.168.72'];

const measure = async (namespace: string): Promise<WayRates> => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => `${namespace}-${name}`) as Four;
  for (const node of [a, b, c, d])
    for (const each of [node, `${node}-pod`, `${node}-second`]) ip('netns', 'add', each);
  ip('link', 'set', 'lo', 'up');
  wire(a, `${LINKED_HEAD}.1`, b, `${LINKED_HEAD}.2`);
  wire(c, `${LEFT_HEAD}.1`, undefined, `${LEFT_HEAD}.254`);
  wire(d, `${RIGHT_HEAD}.1`, undefined, `${RIGHT_HEAD}.254`);
  execFileSync('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
  for (const [node, head] of [
    [c, LEFT_HEAD],
    [d, RIGHT_HEAD],
  ] as const)
    inNamespace(node, 'ip', 'route', 'add', 'default', 'via', `${head}.254`);
  const children: ChildProcess[] = [];
  try {
    const pair = async (left: string, right: string, first: string, second: string, n: number) => {
      const [podCidr, peerPodCidr] = [`10.77.${n}.0/24`, `10.77.${n + 1}.0/24`];
      const ends = { podCidr, peerPodCidr, address: first, peerAddress: second };
      const back = {
        ...{ podCidr: peerPodCidr, peerPodCidr: podCidr },
        ...{ address: second, peerAddress: first },
      };
      const from = await startNode(children, left, { ...ends, pods: podsOf(left) });
      const to = await startNode(children, right, { ...back, pods: podsOf(right) });
      return { from, to };
    };
    const linked = await pair(a, b, `${LINKED_HEAD}.1`, `${LINKED_HEAD}.2`, 1);
    const routed = await pair(c, d, `${LEFT_HEAD}.1`, `${RIGHT_HEAD}.1`, 3);
    for (const where of [b, `${b}-pod`, d, `${d}-pod`, `${a}-second`]) await serve(children, where);
    const paths: readonly (readonly [Path, string, string])[] = [
      ['podsOnLink', `${a}-pod`, linked.to[0] ?? ''],
      ['hostsOnLink', a, `${LINKED_HEAD}.2`],
      ['podsRouted', `${c}-pod`, routed.to[0] ?? ''],
      ['hostsRouted', c, `${RIGHT_HEAD}.1`],
      ['service', `${a}-pod`, SERVICE_ADDRESS],
      ['pod', `${a}-pod`, linked.from[1] ?? ''],
    ];
    const rates: Record<Path, number[]> = {
      ...{ podsOnLink: [], hostsOnLink: [], podsRouted: [] },
      ...{ hostsRouted: [], service: [], pod: [] },
    };
    // By turns, each round the other way round: what else the machine does hits all alike.
    for (let round = 0; round < ROUNDS; round++)
      for (const [path, from, to] of round % 2 === 0 ? paths : paths.toReversed())
        rates[path].push(await receive(from, to));
    return rates;
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
};

type Four = [string, string, string, string];

const podsOf = (node: string): readonly string[] => [`${node}-pod`, `${node}-second`];

/** A node until its stdin ends; says the addresses of its pods. */
const runNode = async (args: NodeArgs): Promise<void> => {
  const { address, podCidr, peerAddress, peerPodCidr, pods } = args;
  await using network = await createPodNetwork({
    ...{ podCidrs: [podCidr], clusterCidrs: ['10.77.0.0/16'], nodeAddresses: [address] },
    ...{ interfacePrefix: 'nww', log: silentLog },
  });
  const peer = { nodeName: 'peer', addresses: [peerAddress], podCidrs: [peerPodCidr] };
  await network.syncPeers([{ ...peer, isUnreachable: false }]);
  await network.services.configure({
    ...{ serviceCidrs: ['10.96.0.0/16'], podCidrs: ['10.77.0.0/16'] },
    ...{ dnsAddresses: [], nodePortAddresses: [] },
  });
  const ips: string[] = [];
  for (const pod of pods)
    ips.push(
      (await network.attach({ sandboxId: pod, netnsPath: `/run/netns/${pod}` })).ips[0] ?? '',
    );
  const endpoints = [{ address: ips.at(-1) ?? '', port: PORT }];
  await network.services.apply(
    new Map([
      [
        'service',
        {
          ...{ protocol: 'tcp', port: PORT, clusterAddresses: [SERVICE_ADDRESS], endpoints },
          ...{ externalAddresses: [], localEndpoints: [] },
          ...{ internalPolicy: 'cluster', externalPolicy: 'cluster' },
        },
      ],
    ]),
  );
  console.log(stringifyJson(ips));
  process.stdin.resume();
  await once(process.stdin, 'end');
};

const startNode = async (
  children: ChildProcess[],
  netns: string,
  args: NodeArgs,
): Promise<readonly string[]> => {
  const program = [process.execPath, process.argv[1] ?? '', 'node', stringifyJson(args)];
  const node = spawn('nsenter', [`--net=/run/netns/${netns}`, ...program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(node);
  const [line] = (await once(node.stdout, 'data')) as [Buffer];
  return parseJson(line.toString()) as readonly string[];
};

const serve = async (children: ChildProcess[], netns: string): Promise<void> => {
  const args = ['netns', 'exec', netns, process.execPath, '-e', SEND];
  const server = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(server);
  await once(server.stdout, 'data');
};

const receive = async (netns: string, address: string): Promise<number> => {
  const args = ['netns', 'exec', netns, process.execPath, '-e', RECEIVE, address];
  return Number((await promisify(execFile)('ip', args, { timeout: 30_000 })).stdout);
};

/** `undefined`: the namespace that this program is in. */
const wire = (left: string, leftIp: string, right: string | undefined, rightIp: string): void => {
  const [one, other] = [`w${leftIp.split('.')[2]}l`, `w${leftIp.split('.')[2]}r`];
  ip('link', 'add', one, 'netns', left, 'type', 'veth', 'peer', 'name', other);
  if (right !== undefined) ip('link', 'set', other, 'netns', right);
  const setUp = (run: (...args: string[]) => void, name: string, address: string) => {
    run('address', 'add', `${address}/24`, 'dev', name);
    run('link', 'set', name, 'up');
  };
  setUp((...args) => inNamespace(left, 'ip', ...args), one, leftIp);
  const atRight =
    right === undefined ? ip : (...args: string[]) => inNamespace(right, 'ip', ...args);
  setUp(atRight, other, rightIp);
};

const ip = (...args: string[]): void => void execFileSync('ip', args);
const inNamespace = (netns: string, ...args: string[]): void =>
  void execFileSync('ip', ['netns', 'exec', netns, ...args]);

const PORT = 5001;
const SEND = `
const chunk = Buffer.alloc(1 << 20);
const server = require('node:net').createServer((socket) => {
  socket.on('error', () => undefined);
  const send = () => { while (!socket.destroyed && socket.write(chunk)); };
  socket.on('drain', send);
  send();
});
server.listen(${PORT}, '0.0.0.0', () => console.log('ready'));`;
/** From the end of a slow start on. */
const RECEIVE = `
let bytes = 0;
const onread = { buffer: Buffer.alloc(1 << 20), callback: (length) => { bytes += length; return true; } };
require('node:net').connect({ host: process.argv[1], port: ${PORT}, onread }).on('connect', () =>
  setTimeout(() => {
    const [bytesBefore, began] = [bytes, process.hrtime.bigint()];
    setTimeout(() => {
      console.log((bytes - bytesBefore) / (Number(process.hrtime.bigint() - began) / 1e9));
      process.exit();
    }, 700);
  }, 200));`;

const main = async (): Promise<void> => {
  const [role = '', text = ''] = process.argv.slice(2);
  if (role === 'node') await runNode(parseJson(text) as NodeArgs);
  else console.log(stringifyJson(await measure(role)));
};

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
