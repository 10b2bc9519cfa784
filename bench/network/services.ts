import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { silentLog } from '../../lib/log';
import { createPodNetwork } from '../../runtime/network';
import { type PodNetwork } from '../../runtime/pod-network';
import { type ServiceNetwork, type ServicePort } from '../../runtime/service-network';

/** Milliseconds, but where the name says more. */
export interface ServiceTimings {
  /** All services into a kernel without any, ours and with a chain for each service and endpoint. */
  readonly load: Readonly<Record<'ours' | 'chains' | 'oursMany', number>>;
  /** The latter with chains, where that was asked for: it takes minutes. */
  readonly chainsMany?: number;
  /** One endpoint replaced, among few services and among many. */
  readonly change: Readonly<Record<'few' | 'many', readonly number[]>>;
  /** The same with chains, among a tenth of the many. */
  readonly changeChains: readonly number[];
  /** Connecting to a pod by its own address, and by that of a service among many. */
  readonly connect: Readonly<Record<'direct' | 'service', readonly number[]>>;
}

const NODE_ADDRESS = '192.168.99.1';
const FEW = 100;
const SOME = 1_000;
const MANY = 10_000;
const ENDPOINTS = 5;
const CHANGES = 1_000;
const CHANGES_OF_CHAINS = 50;
const CONNECTIONS = 2_000;

const measure = async (namespace: string, withMany: boolean): Promise<ServiceTimings> => {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  execFileSync('ip', ['address', 'add', NODE_ADDRESS, 'dev', 'lo']);
  await using network = await openNetwork('nws', '10.77.0.0/16', '10.96');
  await using small = await openNetwork('nwf', '10.79.0.0/16', '10.112');
  const { services } = network;
  await small.services.apply(numbered(0, FEW));
  const chains = await loadChains(SOME);
  const changeChains = await changesOfChains();
  removeChains();
  const ours = await timed(() => services.apply(numbered(0, SOME)));
  const oursMany = await timed(() => services.apply(numbered(SOME, SOME + MANY)));
  const chainsMany = withMany ? await loadChains(MANY) : undefined;
  if (withMany) removeChains();
  const change = await changes({ few: small.services, many: services });
  const pod = `${namespace}-pod`;
  execFileSync('ip', ['netns', 'add', pod]);
  const { ips } = await network.attach({ sandboxId: pod, netnsPath: `/run/netns/${pod}` });
  await services.apply(
    new Map([['pod', servicePort(MANY * 2, [{ address: ips[0] ?? '', port: 80 }])]]),
  );
  const server = spawn('ip', ['netns', 'exec', pod, process.execPath, '-e', SERVE]);
  try {
    await once(server.stdout, 'data');
    const direct: number[] = [];
    const service: number[] = [];
    // By turns: what else the machine does hits both alike.
    for (let i = 0; i < CONNECTIONS; i++) {
      direct.push(await timed(() => ask(ips[0] ?? '')));
      service.push(await timed(() => ask(addressOf(MANY * 2))));
    }
    return {
      load: { ours, chains, oursMany },
      ...(chainsMany === undefined ? {} : { chainsMany }),
      ...{ change, changeChains },
      connect: { direct, service },
    };
  } finally {
    server.kill('SIGKILL');
  }
};

/** One without services. The range for them begins with `servicesHead`. */
const openNetwork = async (
  interfacePrefix: string,
  podCidr: string,
  servicesHead: string,
): Promise<PodNetwork> => {
  const network = await createPodNetwork({
    ...{ podCidrs: [podCidr], nodeAddresses: [NODE_ADDRESS], interfacePrefix, log: silentLog },
  });
  await network.services.configure({
    serviceCidrs: [`${servicesHead}.0.0/12`],
    podCidrs: ['10.64.0.0/10'],
    dnsAddresses: [`${servicesHead}.0.10`],
    nodePortAddresses: [],
  });
  await network.services.apply(new Map());
  return network;
};

/** The same service in both, by turns: what else the machine does hits both alike. */
const changes = async (networks: Readonly<Record<'few' | 'many', ServiceNetwork>>) => {
  const times = { few: [] as number[], many: [] as number[] };
  for (let i = 0; i < CHANGES; i++) {
    const endpoints = [...endpointsOf(1).slice(1), { address: `10.90.0.${i % 250}`, port: i + 1 }];
    const change = new Map([['service-1', servicePort(1, endpoints)]]);
    for (const name of i % 2 === 0 ? (['few', 'many'] as const) : (['many', 'few'] as const))
      times[name].push(await timed(() => networks[name].apply(change)));
  }
  return times;
};

const loadChains = async (count: number): Promise<number> => {
  const text = chainRules(count);
  return timed(() => applyText(text));
};

const removeChains = (): void =>
  void execFileSync('nft', ['delete', 'table', 'ip', 'bench-chains']);

/** As kube-proxy replaces an endpoint: a chain for the new one, the service's chain anew, the old one's away. */
const changesOfChains = async (): Promise<readonly number[]> => {
  const times: number[] = [];
  for (let i = 0; i < CHANGES_OF_CHAINS; i++) {
    const [old, next] = [i === 0 ? 'e1x0' : `e1n${i - 1}`, `e1n${i}`];
    const address = `10.90.0.${(i % 250) + 1}`;
    const others = Array.from(
      { length: ENDPOINTS - 1 },
      (_none, k) => `${k + 1} : goto e1x${k + 1}`,
    );
    const text = `table ip bench-chains {
chain ${next} { ip saddr ${address} meta mark set 1; meta l4proto tcp dnat ip to ${address}:8080; }
}
flush chain ip bench-chains s1
add rule ip bench-chains s1 numgen random mod ${ENDPOINTS} vmap { 0 : goto ${next}, ${others.join(', ')} }
flush chain ip bench-chains ${old}
delete chain ip bench-chains ${old}
`;
    times.push(await timed(() => applyText(text)));
  }
  return times;
};

const addressOf = (i: number): string => `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
const endpointsOf = (i: number) =>
  Array.from({ length: ENDPOINTS }, (_none, k) => ({
    address: `10.${70 + k}.${(i >> 8) & 255}.${i & 255}`,
    port: 8080,
  }));
const servicePort = (i: number, endpoints: ServicePort['endpoints']): ServicePort => ({
  protocol: 'tcp',
  port: 80,
  clusterAddresses: [addressOf(i)],
  externalAddresses: [],
  endpoints,
  localEndpoints: [],
  internalPolicy: 'cluster',
  externalPolicy: 'cluster',
});
const numbered = (first: number, end: number): ReadonlyMap<string, ServicePort> =>
  new Map(
    Array.from({ length: end - first }, (_none, k) => [
      `service-${first + k}`,
      servicePort(first + k, endpointsOf(first + k)),
    ]),
  );

/** As kube-proxy lays its table out: a map to a chain a service, and that one to a chain an endpoint. */
const chainRules = (count: number): string => {
  const all = Array.from({ length: count }, (_none, i) => i);
  const endpointChains = all.map((i) =>
    endpointsOf(i)
      .map(
        ({ address, port }, k) =>
          `chain e${i}x${k} { ip saddr ${address} meta mark set 1; meta l4proto tcp dnat ip to ${address}:${port}; }`,
      )
      .join('\n'),
  );
  const serviceChains = all.map((i) => {
    const targets = endpointsOf(i).map((_one, k) => `${k} : goto e${i}x${k}`);
    return `chain s${i} { numgen random mod ${ENDPOINTS} vmap { ${targets.join(', ')} }; }`;
  });
  const elements = all.map((i) => `${addressOf(i)} . tcp . 80 : goto s${i}`);
  return `table ip bench-chains {
${endpointChains.join('\n')}
${serviceChains.join('\n')}
map services { type ipv4_addr . inet_proto . inet_service : verdict; elements = { ${elements.join(', ')} } }
chain every { ip daddr . meta l4proto . th dport vmap @services; }
chain prerouting { type nat hook prerouting priority dstnat; jump every; }
chain output { type nat hook output priority -100; jump every; }
}`;
};

const applyText = async (text: string): Promise<void> => {
  const nft = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'ignore', 'inherit'] });
  nft.stdin.end(text);
  const [code] = (await once(nft, 'close')) as [number];
  if (code !== 0) throw new Error(`nft ended with ${code}`);
};

const ask = (host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(80, host);
    socket.on('error', reject);
    socket.on('data', () => {
      socket.resetAndDestroy();
      resolve();
    });
  });

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
};

const SERVE = `
const server = require('node:net').createServer((socket) => {
  socket.on('error', () => undefined);
  socket.write('x');
});
server.listen(80, '0.0.0.0', () => console.log('ready'));`;

measure(process.argv[2] ?? '', process.env['DHOW_BENCH_LONG'] === '1')
  .then((timings) => console.log(JSON.stringify(timings)))
  .catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
