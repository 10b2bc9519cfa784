import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import type { Attachment, BandwidthLimits } from '../../runtime/pod-network';
import { inNetns, NetnsLab, pings, type NetworkNode } from './network/netns';

let lab: NetnsLab;
beforeEach(() => {
  lab = new NetnsLab();
});
afterEach(async () => {
  await lab.dispose();
});

const OPTIONS = { podCidrs: ['10.77.1.0/24'], interfacePrefix: 'nwt' };

/** A node with one pod that is limited, and one that is not. */
const nodeWith = async (limits: BandwidthLimits) => {
  const nodeNs = lab.netns('node');
  inNetns(nodeNs, 'ip', 'link', 'set', 'lo', 'up');
  const node = await lab.node(nodeNs, OPTIONS);
  const [free, limited] = [lab.netns('free'), lab.netns('limited')];
  const other = await attach(node, 'free', free);
  const one = await attach(node, 'limited', limited, limits);
  return { nodeNs, node, free, limited, other, one };
};

const attach = (
  node: NetworkNode,
  sandboxId: string,
  netnsPath: string,
  limits: BandwidthLimits = {},
): Promise<Attachment> => node.call('attach', { sandboxId, netnsPath, limits });

/** Bits a second that arrive by one TCP connection, reckoned by the receiver after the first burst. */
const measure = async (from: string, to: string, address: string): Promise<number> => {
  const sink = spawn('nsenter', [`--net=${to}`, process.execPath, '-e', SINK]);
  const lines = createInterface({ input: sink.stdout })[Symbol.asyncIterator]();
  await lines.next();
  const source = spawn('nsenter', [`--net=${from}`, process.execPath, '-e', SOURCE, address]);
  try {
    const said = await lines.next();
    return Number(said.value);
  } finally {
    source.kill('SIGKILL');
    sink.kill('SIGKILL');
  }
};

const RATE = 20_000_000;
/** A machine that is busy is slow, and what waited for it then goes on for a moment as a burst. */
const isAbout = (bits: number, rate: number): void => {
  expect(bits).toBeGreaterThan(rate * 0.5);
  expect(bits).toBeLessThan(rate * 1.3);
};

it('lets in what a pod may receive', async () => {
  const { free, limited, one, other } = await nodeWith({ ingressBitsPerSecond: RATE });
  isAbout(await measure(free, limited, one.ips[0]!), RATE);
  expect(await measure(limited, free, other.ips[0]!)).toBeGreaterThan(RATE * 4);
});

it('lets out what a pod may send', async () => {
  const { free, limited, one, other } = await nodeWith({ egressBitsPerSecond: RATE });
  isAbout(await measure(limited, free, other.ips[0]!), RATE);
  expect(await measure(free, limited, one.ips[0]!)).toBeGreaterThan(RATE * 4);
});

it('keeps limits over kill -9, and lets them go with the pod', async () => {
  const limits = { ingressBitsPerSecond: RATE, egressBitsPerSecond: 2 * RATE };
  const { nodeNs, node, limited, one } = await nodeWith(limits);
  const queues = (): string[] =>
    inNetns(nodeNs, 'tc', 'qdisc', 'show')
      .split('\n')
      .flatMap((line) =>
        / dev nwt/.test(line) ? (/tbf|ingress|rate \S+/g.exec(line)?.join() ?? []) : [],
      )
      .sort();
  const before = queues();
  expect(before.filter((queue) => queue.startsWith('tbf'))).toHaveLength(2);
  await node.kill();

  const again = await lab.node(nodeNs, OPTIONS);
  expect(queues()).toEqual(before);
  expect(await attach(again, 'limited', limited)).toEqual(one);
  expect(queues()).toEqual(before);
  lab.removeNetns(limited);
  await again.call('detach', 'limited');
  expect(inNetns(nodeNs, 'ip', '-br', 'link')).not.toMatch(/nwti/);
});

it('removes what a crash left of a limited link, and all of them in the end', async () => {
  const { nodeNs, node, one } = await nodeWith({ egressBitsPerSecond: RATE });
  const shaper = one.hostInterface.replace('nwtv', 'nwti');
  const shapers = (): string[] => inNetns(nodeNs, 'ip', '-br', 'link').match(/nwti\w+/g) ?? [];
  await node.kill();
  const stray = `nwti${'0'.repeat(11)}`;
  inNetns(nodeNs, 'ip', 'link', 'add', stray, 'type', 'ifb');
  expect(shapers().sort()).toEqual([stray, shaper].sort());

  const again = await lab.node(nodeNs, OPTIONS);
  expect(shapers()).toEqual([shaper]);
  await again.call('destroy');
  expect(shapers()).toEqual([]);
});

it('takes the least and the most that is allowed', async () => {
  const nodeNs = lab.netns('node');
  const node = await lab.node(nodeNs, OPTIONS);
  for (const bits of [1_000, 1e15]) {
    const pod = lab.netns(`p${bits}`);
    const limits = { ingressBitsPerSecond: bits, egressBitsPerSecond: bits };
    const {
      ips: [ip],
    } = await attach(node, `p${bits}`, pod, limits);
    if (bits > RATE) expect(pings(nodeNs, ip!)).toBe(true);
  }
  expect(inNetns(nodeNs, 'tc', 'qdisc', 'show')).toMatch(/tbf.* rate 1Kbit/);
});

const SINK = `
let bytes = 0;
let since;
require('node:net').createServer((socket) => {
  socket.on('error', () => undefined);
  socket.on('data', (data) => (bytes += data.length));
  setTimeout(() => { since = performance.now(); bytes = 0; }, 500);
  setTimeout(() => console.log(Math.round(bytes * 8000 / (performance.now() - since))), 3000);
}).listen(5000, () => console.log('ready'));`;
const SOURCE = `
const socket = require('node:net').connect(5000, process.argv[1]);
const chunk = Buffer.alloc(1 << 16);
const fill = () => { while (socket.write(chunk)); };
socket.on('error', () => undefined);
socket.on('connect', fill);
socket.on('drain', fill);`;
