import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { silentLog, type Log } from '../lib/log';
import { type Timings } from './network/in-namespace';
import { type PolicyTimings } from './network/policies';
import { type ServiceTimings } from './network/services';
import { type WayRates } from './network/ways';
import { type BenchResult } from './result';

/** Pods that are connected one by one, services, policies and ways, each in a network namespace of their own. */
export const bench = async (log: Log = silentLog): Promise<BenchResult[]> => [
  ...benchPods(log),
  ...benchServices(),
  ...benchPolicies(),
  ...benchWays(),
];

/**
 * Connecting a pod whose namespace exists, against the CNI bridge and host-local plugins as container
 * runtimes run them: one process each. Our detach leaves the interface to the end of its namespace, which
 * comes next in a pod's life.
 */
const benchPods = (log: Log): BenchResult[] => {
  if (!existsSync(join(CNI_DIR, 'bridge'))) {
    log.warn({ package: 'containernetworking-plugins' }, 'network bench skipped: no CNI plugins');
    return [];
  }
  const timings = measure('in-namespace') as { readonly ours: Timings; readonly cni: Timings };
  return (['attach', 'detach'] as const).map((metric) =>
    resultOf(
      `${metric} p50`,
      median(timings.ours[metric]),
      'CNI bridge + host-local',
      median(timings.cni[metric]),
    ),
  );
};

/**
 * Five endpoints a service. What should not depend on how many services there are is its own peer.
 * With DHOW_BENCH_LONG=1, 10,000 of them are loaded as kube-proxy does it, too, which takes minutes.
 */
const benchServices = (): BenchResult[] => {
  const { load, chainsMany, change, changeChains, connect } = measure('services') as ServiceTimings;
  return [
    resultOf('load 1,000 services', load.ours, "kube-proxy's chains by nft", load.chains),
    resultOf('load 10,000 services', load.oursMany, 'ours, 1,000 ten times', load.ours * 10),
    ...(chainsMany === undefined
      ? []
      : [
          resultOf('load 10,000 services', load.oursMany, "kube-proxy's chains by nft", chainsMany),
        ]),
    resultOf(
      'replace an endpoint among 10,000 services p50',
      median(change.many),
      'ours, among 100',
      median(change.few),
    ),
    resultOf(
      'replace an endpoint among 10,000 services p50',
      median(change.many),
      "kube-proxy's chains by nft, among 1,000",
      median(changeChains),
    ),
    resultOf(
      'connect by the address of a service p50',
      median(connect.service),
      'by that of the pod',
      median(connect.direct),
    ),
  ];
};

/** Until packets of new flows tell that a policy has changed: a node's part of the way from its author. */
const benchPolicies = (): BenchResult[] => {
  const { few, many } = measure('policies') as PolicyTimings;
  return [
    resultOf(
      'enforce a change of a policy among 1,000 p50',
      median(many),
      'ours, among 10',
      median(few),
    ),
  ];
};

/** TCP streams between pods, against those between their nodes, or by another address of the same pod. */
const benchWays = (): BenchResult[] => {
  const rates = measure('ways') as WayRates;
  const rate = (metric: string, ours: keyof WayRates, peer: string, peers: keyof WayRates) => {
    const [mine, theirs] = [median(rates[ours]) / 1e6, median(rates[peers]) / 1e6];
    return {
      ...{ bench: 'network', metric, ours: mine, peer, peerValue: theirs },
      ...{ ratio: mine / theirs, unit: 'MB/s' },
    };
  };
  return [
    rate('stream to a pod of a node on the link', 'podsOnLink', 'node to node', 'hostsOnLink'),
    rate('stream to a pod over a router, by VXLAN', 'podsRouted', 'node to node', 'hostsRouted'),
    rate('stream by the address of a service', 'service', 'by that of the pod', 'pod'),
  ];
};

const resultOf = (metric: string, ours: number, peer: string, peerValue: number): BenchResult => ({
  ...{ bench: 'network', metric, ours, peer, peerValue },
  ratio: peerValue / ours,
  unit: 'ms',
});

const measure = (name: string): unknown => {
  const dir = mkdtempSync(join(tmpdir(), 'network-bench-'));
  const namespace = `network-bench-${randomBytes(3).toString('hex')}`;
  try {
    execFileSync('ip', ['netns', 'add', namespace]);
    const program = build(dir, name);
    const args = [
      `--net=/run/netns/${namespace}`,
      process.execPath,
      program,
      namespace,
      dir,
      CNI_DIR,
    ];
    const output = execFileSync('nsenter', args, {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
      env: { ...process.env, NODE_PATH: join(ROOT, 'node_modules') },
    });
    return JSON.parse(output);
  } finally {
    execFileSync('sh', ['-c', REMOVE_NAMESPACES, 'sh', namespace]);
    rmSync(dir, { recursive: true, force: true });
  }
};

const build = (dir: string, name: string): string => {
  const outfile = join(dir, `${name}.js`);
  buildSync({
    entryPoints: [join(ROOT, `bench/network/${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    external: ['koffi', 'pino'],
    logLevel: 'error',
  });
  return outfile;
};

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** Benches are run from the project's root, bundled or not. */
const ROOT = process.cwd();
const CNI_DIR = '/usr/lib/cni';
const TIMEOUT_MS = process.env['DHOW_BENCH_LONG'] === '1' ? 1_200_000 : 120_000;
const REMOVE_NAMESPACES = 'for ns in /run/netns/"$1"*; do ip netns delete "${ns##*/}"; done';
