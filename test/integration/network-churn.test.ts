import type { ServicePort } from '../../runtime/service-network';
import { askMany, inNetns, NetnsLab, serve, type NetworkNode } from './network/netns';
import { attach } from './network/pairs';

let lab: NetnsLab;
beforeEach(() => {
  lab = new NetnsLab();
});
afterEach(async () => {
  await lab.dispose();
});

/** `npm run test:churn` goes on for a minute. */
const SECONDS = Number(process.env['DHOW_CHURN_SECONDS'] ?? 5);
const CHANGES_A_SECOND = 1_000;
const SERVICES = 50;
/** Of what the process has after a quarter of the changes. */
const MAX_GROWTH_BYTES = 64 << 20;

jest.setTimeout(120_000 + SECONDS * 10_000);

const setUp = async () => {
  const nodeNs = lab.netns('node');
  inNetns(nodeNs, 'ip', 'link', 'set', 'lo', 'up');
  const node = await lab.node(nodeNs, { podCidrs: ['10.77.1.0/24'], interfacePrefix: 'nwt' });
  await node.call('configureServices', {
    serviceCidrs: ['10.96.0.0/16'],
    podCidrs: ['10.77.0.0/16'],
    dnsAddresses: ['10.96.0.10'],
    nodePortAddresses: [],
  });
  const pods = [lab.netns('a'), lab.netns('b'), lab.netns('client')];
  const [a = '', b = '', client = ''] = pods;
  const { ip: ipA } = await attach(node, 'a', a);
  const { ip: ipB } = await attach(node, 'b', b);
  await attach(node, 'client', client);
  return { node, a, b, client, ipA, ipB };
};

const addressOf = (i: number): string => `10.96.2.${i + 1}`;

const portOf = (i: number, addresses: readonly string[]): [string, ServicePort] => [
  `default/web-${i}/tcp/80`,
  {
    ...{ protocol: 'tcp', port: 80, clusterAddresses: [addressOf(i)], externalAddresses: [] },
    endpoints: addresses.map((address) => ({ address, port: 80 })),
    ...{ localEndpoints: [], internalPolicy: 'cluster', externalPolicy: 'cluster' },
  },
];

const all = Array.from({ length: SERVICES }, (_none, i) => i);

/** In each round another answers, beside as many who are not there as the round says. */
const endpointsIn = (round: number, answers: readonly [string, string], i: number) => [
  answers[(i + round) % 2 === 0 ? 0 : 1],
  ...Array.from({ length: round % 7 }, (_none, k) => `10.77.9.${((round * 7 + k) % 250) + 1}`),
];

const rssOf = async (node: NetworkNode): Promise<number> =>
  (await node.call<NodeJS.MemoryUsage>('memory')).rss;

it('a thousand changes of endpoints a second end with the right answers, in no more memory', async () => {
  const { node, a, b, client, ipA, ipB } = await setUp();
  await using _a = await serve(a, 80, 'a');
  await using _b = await serve(b, 80, 'b');
  const rounds = (SECONDS * CHANGES_A_SECOND) / SERVICES;
  const beganMs = performance.now();
  let early: number | undefined;
  for (let round = 0; round < rounds; round++) {
    const changes = all.map((i) => portOf(i, endpointsIn(round, [ipA, ipB], i)));
    expect(await node.call('applyServices', changes)).toBeNull();
    if (round >= rounds / 4) early ??= await rssOf(node);
    const aheadMs = (round * SERVICES * 1000) / CHANGES_A_SECOND - (performance.now() - beganMs);
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
  }
  expect((await rssOf(node)) - (early ?? 0)).toBeLessThan(MAX_GROWTH_BYTES);

  const wanted = (i: number) => (i % 3 === 0 ? [ipA] : i % 3 === 1 ? [ipB] : []);
  await node.call(
    'applyServices',
    all.map((i) => portOf(i, wanted(i))),
  );
  expect(await node.call('checkServices')).toBeNull();
  for (const i of all.slice(0, 6)) {
    const answers = askMany(client, addressOf(i), 80, 4).map((answer) => answer.split(' ').at(-1));
    expect(answers).toEqual(Array(4).fill(['a', 'b', 'ECONNREFUSED'][i % 3]));
  }
});
