import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { silentLog } from '../../lib/log';
import { createPodNetwork } from '../../runtime/network';
import { type ServicePort } from '../../runtime/service-network';

/** Milliseconds, but where the name says more. */
export interface ServiceTimings {
  /** All services into a kernel without any, ours and with a chain for each service and endpoint. */
  readonly load: Readonly<Record<'ours' | 'chains' | 'oursMany', number>>;
  /** One endpoint replaced, among few services and among many. */
  readonly change: Readonly<Record<'few' | 'many', readonly number[]>>;
  /** Connecting to a pod by its own address, and by that of a service among many. */
  readonly connect: Readonly<Record<'direct' | 'service', readonly number[]>>;
}

const NODE_ADDRESS = '192.168.99.1';
const FEW = 100;
const SOME = 1_000;
const MANY = 10_000;
const ENDPOINTS = 5;
const CHANGES = 200;
const CONNECTIONS = 2_000;

const measure = async (namespace: string): Promise<ServiceTimings> => {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  execFileSync('ip', ['address', 'add', NODE_ADDRESS, 'dev', 'lo']);
  await using network = await createPodNetwork({
    ...{ podCidr: '10.77.0.0/16', nodeAddress: NODE_ADDRESS, interfacePrefix: 'nws' },
    log: silentLog,
  });
  const { services } = network;
  await services.configure({
    serviceCidrs: ['10.96.0.0/12'],
    podCidrs: ['10.64.0.0/10'],
    dnsAddresses: ['10.96.0.10'],
    nodePortAddresses: [],
  });
  await services.apply(new Map());
  await services.apply(numbered(0, FEW));
  const few = await changes((change) => services.apply(change));
  const chains = await timed(() => applyText(chainRules(SOME)));
  execFileSync('nft', ['delete', 'table', 'ip', 'bench-chains']);
  const ours = await timed(() => services.apply(numbered(FEW, FEW + SOME)));
  const oursMany = await timed(() => services.apply(numbered(FEW + SOME, FEW + SOME + MANY)));
  const many = await changes((change) => services.apply(change));
  const pod = `${namespace}-pod`;
  execFileSync('ip', ['netns', 'add', pod]);
  const { ip } = await network.attach({ sandboxId: pod, netnsPath: `/run/netns/${pod}` });
  await services.apply(new Map([['pod', servicePort(MANY * 2, [{ address: ip, port: 80 }])]]));
  const server = spawn('ip', ['netns', 'exec', pod, process.execPath, '-e', SERVE]);
  try {
    await once(server.stdout, 'data');
    const direct: number[] = [];
    const service: number[] = [];
    // By turns: what else the machine does hits both alike.
    for (let i = 0; i < CONNECTIONS; i++) {
      direct.push(await timed(() => ask(ip)));
      service.push(await timed(() => ask(addressOf(MANY * 2))));
    }
    return {
      load: { ours, chains, oursMany },
      change: { few, many },
      connect: { direct, service },
    };
  } finally {
    server.kill('SIGKILL');
  }
};

const changes = async (
  apply: (change: ReadonlyMap<string, ServicePort>) => Promise<unknown>,
): Promise<readonly number[]> => {
  const times: number[] = [];
  for (let i = 0; i < CHANGES; i++) {
    const endpoints = [...endpointsOf(1).slice(1), { address: `10.90.0.${i + 1}`, port: 80 }];
    times.push(await timed(() => apply(new Map([['service-1', servicePort(1, endpoints)]]))));
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

measure(process.argv[2] ?? '')
  .then((timings) => console.log(JSON.stringify(timings)))
  .catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
